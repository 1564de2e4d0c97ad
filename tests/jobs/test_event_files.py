"""Events whose days are in a file of the project: read as strictly as other data, and said where the file ends too early."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mlspec.errors import DataError
from mlspec.forecast.event_files import event_notes, read_event_files
from mlspec.jobs.rehearsal_project import build_replayed_project
from mlspec.spec.dataset import Dataset
from mlspec.spec.days import day_range
from mlspec.spec.stored import read_stored_spec
from tests.examples import sales
from tests.jobs.pipeline import Pipeline
from tests.jobs.test_row_meaning import panel

FILE = {"uri": "data/school.csv"}
BRAZIL = {**FILE, "delimiter": ";", "date_format": "%d/%m/%Y"}
COLUMNS = {"source": {"uri": "data/sales.csv"}, "time": "day", "series": ["shop"], "target": "units", "frequency": "D"}
NO_DATE = (
    "is not a date in ISO 8601, such as 2024-02-01: "
    "dataset.covariates.events.school_break.date_format says how dates are written"
)
WHICH = "its events are 'Férias': dataset.covariates.events.school_break.event says which is meant"
KEY = r"^dataset\.covariates\.events\.school_break: "


def dataset(**events: Any) -> Dataset:
    return Dataset.model_validate({**COLUMNS, "covariates": {"events": events}})


def days(root: Path, text: str, **events: Any) -> dict[str, list[str]]:
    """The days that each event has by a file with this text, which is right."""
    (root / "data").mkdir(exist_ok=True)
    (root / "data/school.csv").write_text(text)
    found = read_event_files(dataset(**(events or {"school_break": FILE})), root)
    assert found.problems == ()
    return {name: [day.isoformat() for day in dates] for name, dates in found.days.items()}


def pipeline(root: Path, text: str, **events: Any) -> Pipeline:
    """A pipeline of 42 days from 1 January 2024, whose horizon ends on 13 February."""
    root.mkdir(exist_ok=True)
    run = Pipeline(root).data(sales()).data(text, "school.csv")
    run.spec["dataset"]["covariates"]["events"] = events or {"school_break": FILE}
    return run


def test_a_file_says_the_same_days_as_the_spec_itself(tmp_path: Path) -> None:
    in_file, inline = (
        pipeline(tmp_path / "file", "start,end\n2024-01-08,2024-01-12\n2024-02-12,\n2024-02-20,2024-02-20\n"),
        pipeline(tmp_path / "spec", "", school_break=["2024-01-08/2024-01-12", "2024-02-12", "2024-02-20"]),
    )
    assert in_file.check()["notes"] == inline.check()["notes"]
    assert panel(in_file)["x_school_break"].sum() == 2 * 5  # of two shops
    assert_frame_equal(panel(in_file), panel(inline))
    assert_frame_equal(pd.read_parquet(in_file.files["future"]), pd.read_parquet(inline.files["future"]))


@given(spans=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 366)), min_size=1, max_size=8))
def test_rows_are_the_days_of_their_ranges_each_once(
    tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[int, int]]
) -> None:
    ranges = [
        (begin := date(2020, 1, 1) + timedelta(days=first), begin + timedelta(days=more)) for first, more in spans
    ]
    text = "\n".join(["start,end", *(f"{first},{last}" for first, last in ranges), ""])
    expected = {str(day) for first, last in ranges for day in day_range(f"{first}/{last}")}
    assert days(tmp_path_factory.mktemp("events"), text) == {"school_break": sorted(expected)}


def test_one_file_has_many_events_in_the_form_of_brazil_too(tmp_path: Path) -> None:
    text = "\ufeffEvento;Início;Fim\nFérias;06/07/2026;08/07/2026\nCarnaval;14/02/2026;\n;;\nFérias;01/07/2027;\n"
    found = days(tmp_path, text, school_break={**BRAZIL, "event": "Férias"}, Carnaval=BRAZIL)
    assert found == {
        "school_break": ["2026-07-06", "2026-07-07", "2026-07-08", "2027-07-01"],
        "Carnaval": ["2026-02-14"],
    }


def test_a_file_is_written_as_the_source_is_unless_it_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/school.csv").write_text("data;evento\n06/07/2026;a\n")
    source = {"uri": "data/sales.csv", "delimiter": ";", "date_format": "%d/%m/%Y"}
    columns = {**COLUMNS, "source": source, "covariates": {"events": {"a": FILE}}}
    assert read_event_files(Dataset.model_validate(columns), tmp_path).days == {"a": (date(2026, 7, 6),)}


@pytest.mark.parametrize("name", ["school.xlsx", "school.parquet"])
def test_a_workbook_and_a_parquet_file_hold_events_too(tmp_path: Path, name: str) -> None:
    rows = {"Event": ["a", "b", "a"], "Date": pd.to_datetime(["2026-07-06", "2026-07-07", "2026-07-08"])}
    frame = pd.DataFrame(rows)
    frame.to_excel(tmp_path / name, index=False) if name.endswith("xlsx") else frame.to_parquet(tmp_path / name)
    found = read_event_files(dataset(a={"uri": name}), tmp_path)
    assert (found.days, found.unused) == ({"a": (date(2026, 7, 6), date(2026, 7, 8))}, ("b",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date\n2024-01-08\n31/01/2024\n", f"school.csv row 3: date '31/01/2024' {NO_DATE}"),
        ("date\n2024-02-30\n", "school.csv row 2: date '2024-02-30' is not a valid time between 1700 and 2200"),
        ("start,end\n,2024-01-08\n", "school.csv row 2: start '' is empty"),
        ("start,end\n2024-01-08,2024-01-05\n", "school.csv row 2: end 2024-01-05 is before start 2024-01-08"),
        ("start,end\n2024-01-08,2026-01-05\n",
         "school.csv row 2: 2024-01-08 to 2026-01-05 is more than a year, which tells a model nothing"),
        ("event,date\n,2024-01-08\nschool_break,2024-01-09\n", "school.csv row 2: event '' names no event"),
        ("start,end\n2024-01-08\n", "school.csv row 2: has 1 fields, the header has 2"),
        ("event,date\nFérias,2024-01-08\n", f"school.csv: no row names the event 'school_break', and {WHICH}"),
    ],
)  # fmt: skip
def test_rows_that_name_no_days_break_the_data_contract(tmp_path: Path, text: str, said: str) -> None:
    run = pipeline(tmp_path, text)
    facts = run.check()
    (check,) = [check for check in facts["checks"] if check["check"] == "events"]
    assert (facts["ok"], check["ok"], said in check["examples"]) == (False, False, True), check["examples"]
    assert set(run.files) == {"quality"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no file 'data/school.csv'"),
        ("", "'school.csv' is empty"),
        ("date\n", "'school.csv' has no rows"),
        ("date,event\n,\n", "'school.csv' has no rows"),
        ("date,lower_window\n2024-01-08,1\n", "'school.csv' has a column 'lower_window', which is unknown"),
        ("date,Data\n2024-01-08,2024-01-08\n", "'school.csv' has the column date twice"),
        ("start\n2024-01-08\n", "'school.csv' does not say the days: its columns are start"),
        ("date,start,end\n2024-01-08,,\n", "'school.csv' does not say the days: its columns are date, start, end"),
    ],
)
def test_a_file_that_is_no_table_of_events_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    run = pipeline(tmp_path, text or "")
    if text is None:
        (tmp_path / "data/school.csv").unlink()
    with pytest.raises(DataError, match=KEY + said):
        run.check()


def test_a_file_with_another_sign_between_columns_is_told_which_key_says_it(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        days(tmp_path, "evento;data\nFérias;06/07/2026\n")
    assert refused.value.hint == (
        "if ';' stands between its columns, write delimiter: \";\" in dataset.covariates.events.school_break"
    )


@pytest.mark.parametrize("events", [{"a": FILE, "b": FILE}, {"a": {**FILE, "event": "x"}}])
def test_events_cannot_be_told_apart_in_a_file_that_names_none(tmp_path: Path, events: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"events\.a: 'school\.csv' has no column event"):
        days(tmp_path, "date\n2024-01-08\n", **events)


@pytest.mark.parametrize(("last", "says"), [("2024-02-12", True), ("2024-02-13", False)])
def test_a_file_that_ends_before_the_horizon_is_said(tmp_path: Path, last: str, says: bool) -> None:
    text = f"event,date\nschool_break,2024-01-08\nother,{last}\n"  # of whichever event: so far the file is kept
    notes = pipeline(tmp_path, text).check()["notes"]
    said = (
        f"the file of 'school_break' ends on {last}, and the horizon on 2024-02-13: the forecast expects no such event after the "
        "file's end; add the next ones to it"
    )
    assert (said in notes) == says, notes
    assert "no event of the spec names 'other' in its file: not used" in notes


def test_the_horizon_of_months_ends_with_the_last_day_of_its_last_month(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("date\n2026-03-30\n")
    found = read_event_files(dataset(a={"uri": "s.csv"}), tmp_path)
    history = (date(2024, 1, 1), date(2026, 1, 31))
    (ended, never) = event_notes(found, history, date(2026, 3, 31))
    assert ended.startswith("the file of 'a' ends on 2026-03-30, and the horizon on 2026-03-31")
    assert never == "a has no day from 2024-01-01 to 2026-01-31, where the history is: a model learns nothing about it"
    assert event_notes(found, history, date(2026, 3, 30)) == (never,)


def test_a_rehearsal_has_the_events_of_files_too(tmp_path: Path) -> None:
    run = pipeline(
        tmp_path / "project", "evento;data\nFérias;08/01/2024\n", pay=["day 20"], school={**BRAZIL, "event": "Férias"}
    )
    copy = tmp_path / "copy"
    replayed = build_replayed_project(read_stored_spec(run.spec, "spec"), run.root, copy, 5)
    replayed.reveal_periods(3)
    found = read_event_files(replayed.spec.dataset, copy)
    assert found.days == {"school": (date(2024, 1, 8),)}
    assert replayed.spec.dataset.covariates.events["pay"] == ("day 20",)
