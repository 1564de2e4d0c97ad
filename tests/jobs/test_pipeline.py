"""The pipeline's steps with real models: honest figures, the users' names, the same bytes for the same input."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from mlspec.errors import DataError, ModelError, UsageError
from mlspec.jobs.panel_parts import read_panel_frame
from mlspec.spec.reader import read_yaml
from mlspec.state.step import panel_parts
from tests.examples import sales
from tests.jobs.pipeline import QUICK, Pipeline

ROOT = Path(__file__).resolve().parent.parent.parent
BOOSTED: dict[str, Any] = {"kind": "gradient-boosting", "lags": [1, 2, 7], "iterations": 20}


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_names_of_series_stay_text_and_come_back(tmp_path: Path) -> None:
    run = Pipeline(tmp_path).data(sales(shops=("001", "NA", "=1+1", "null"))).whole()
    forecast = pd.read_parquet(run.files["forecast"])
    assert sorted(set(forecast["shop"])) == ["001", "=1+1", "NA", "null"]
    assert list(forecast.columns) == ["shop", "day", "cutoff", "mean", "q0.1", "q0.5", "q0.9", "version"]
    assert len(forecast) == 4 * 2
    stock = pd.read_parquet(run.files["inventory"])
    assert list(stock.columns) == ["shop", "protection_demand", "safety_stock", "reorder_point", "order_up_to"]


@pytest.mark.parametrize("candidate", [
    {"kind": "seasonal-naive", "season": 7}, {"kind": "auto-ets", "season": 7}, {"kind": "theta", "season": 7},
    {"kind": "croston", "variant": "tsb"}, BOOSTED, {**BOOSTED, "library": "lightgbm"}, {"kind": "ensemble", "of": "all"},
], ids=lambda candidate: f"{candidate['kind']}-{candidate.get('library', '')}")  # fmt: skip
def test_each_candidate_goes_all_the_way_and_twice_the_same(tmp_path: Path, candidate: dict[str, Any]) -> None:
    listed = [candidate] if candidate["kind"] != "ensemble" else [*QUICK[:2], BOOSTED, candidate]
    twice = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        model = {"candidates": listed, "backtest": {"windows": 3, "step": 2, "metric": "wape"}}
        run = Pipeline(tmp_path / name, model=model).data(sales(days=70)).whole()
        twice.append(
            {
                role: sha(run.files[role])
                for role in (*panel_parts(run.files), "backtest", "model", "forecast", "inventory")
            }
        )
        forecast = pd.read_parquet(run.files["forecast"])
        assert forecast[["mean", "q0.1", "q0.9"]].notna().all().all()
        assert (forecast["q0.1"] <= forecast["q0.5"]).all()
        assert (forecast["q0.5"] <= forecast["q0.9"]).all()
        assert (forecast[["mean", "q0.1"]] >= 0).all().all()
    assert twice[0] == twice[1]


def test_the_backtest_never_sees_past_its_cutoff(tmp_path: Path) -> None:
    """What happens after the last cutoff changes no forecast that was made at it or before."""
    model = {"candidates": [*QUICK[:2], BOOSTED], "backtest": {"windows": 2, "step": 2, "metric": "wape"}}
    header, *lines = sales(days=60).splitlines()
    changed = [f"{','.join(line.split(',')[:2])},999" if line.split(",")[1] > "2024-02-27" else line for line in lines]
    found = []
    for name, rows in (("a", lines), ("b", changed)):
        (tmp_path / name).mkdir()
        run = Pipeline(tmp_path / name, model=model).data("\n".join([header, *rows]) + "\n")
        run.check()
        run.run("backtest", incumbent=None)
        table = pd.read_parquet(run.files["backtest"])
        found.append(
            table[["candidate", "unique_id", "cutoff", "ds", "mean"]].sort_values(
                ["candidate", "unique_id", "cutoff", "ds"]
            )
        )
    assert str(found[0]["cutoff"].max())[:10] == "2024-02-27"
    assert found[0].reset_index(drop=True).equals(found[1].reset_index(drop=True))


def test_the_incumbent_is_scored_on_the_same_cutoffs(tmp_path: Path) -> None:
    run = Pipeline(tmp_path, model={"candidates": QUICK}).data(sales())
    run.check()
    first = run.run("backtest", incumbent=None)
    assert (first["incumbent"], first["deployed"]) == (None, None)
    second = run.run("backtest", incumbent=first["champion_candidate"])
    assert second["incumbent"]["wape"] == pytest.approx(second["deployed"]["wape"])


def test_covariates_known_past_and_static_are_used(tmp_path: Path) -> None:
    header, *lines = sales().splitlines()
    rich = [
        f"{header},promo,price,kind",
        *(f"{line},{'TRUE' if i % 5 == 0 else 'FALSE'},{1 + i % 3},k{line[0]}" for i, line in enumerate(lines)),
    ]
    dataset = {
        "covariates": {"known": ["promo"], "past": ["price"], "static": ["kind"]}, "future": {"uri": "data/plan.csv"},
    }  # fmt: skip
    run = Pipeline(tmp_path, dataset=dataset, model={"candidates": [BOOSTED]}).data("\n".join(rich) + "\n")
    run.data("day,promo\n2024-02-12,TRUE\n2024-02-13,FALSE\n2024-02-14,FALSE\n", "plan.csv").whole()
    assert {row["column"] for row in run.facts["backtest"]["by"]} >= {"kind"}
    run.data("day,promo\n2024-02-12,TRUE\n", "plan.csv")
    facts = run.check()
    assert not facts["ok"]


def test_a_history_that_is_too_short_says_how_long_it_has_to_be(tmp_path: Path) -> None:
    run = Pipeline(tmp_path).data(sales(days=4))
    run.check()
    with pytest.raises(ModelError) as caught:
        run.run("backtest", incumbent=None)
    assert any(letter.isdigit() for letter in caught.value.message)
    assert caught.value.hint


def test_a_model_file_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    run = Pipeline(tmp_path, model={"candidates": [BOOSTED]}).data(sales()).whole()
    for damage in (b"", b"not a zip", run.files["model"].read_bytes()[:-100]):
        run.files["model"].write_bytes(damage)
        with pytest.raises(ModelError):
            run.run("forecast", version="v1")
    with zipfile.ZipFile(run.files["model"], "w") as archive:
        archive.writestr("manifest.json", json.dumps({"evil": True}))
    with pytest.raises(ModelError):
        run.run("forecast", version="v1")


def test_a_step_without_its_input_says_which(tmp_path: Path) -> None:
    run = Pipeline(tmp_path).data(sales())
    with pytest.raises(UsageError, match="needs the input 'panel'"):
        run.run("backtest", incumbent=None)


def changed(row: int, column: int, value: str) -> str:
    lines = [line.split(",") for line in sales().splitlines()]
    lines[row][column] = value
    return "\n".join(",".join(line) for line in lines) + "\n"


@pytest.mark.parametrize(
    ("text", "check", "said"),
    [
        (changed(5, 2, '"1,5"'), "types", "1,5"),
        (changed(5, 2, "1_000"), "types", "1_000"),
        (changed(5, 2, "inf"), "types", "inf"),
        (changed(5, 2, "1e400"), "types", "1e400"),
        (changed(5, 2, "True"), "types", "True"),
        (changed(5, 1, "01/02/2024"), "types", "01/02/2024"),
        (changed(5, 1, "2024-02-30"), "types", "2024-02-30"),
        (changed(5, 1, "2024-01-01"), "keys", "2024-01-01"),
        (changed(5, 2, ""), "gaps", ""),
        (changed(5, 1, "2024-01-05T12:00"), "frequency", "2024-01-05"),
    ],
)
def test_a_bad_row_is_counted_and_named_and_blocks(tmp_path: Path, text: str, check: str, said: str) -> None:
    facts = Pipeline(tmp_path).data(text).check()
    assert not facts["ok"]
    broken = {row["check"]: row for row in facts["checks"] if not row["ok"]}
    assert check in broken, broken
    assert said in json.dumps(broken[check])


@pytest.mark.parametrize(
    ("checks", "broken"),
    [
        ({"freshness": {"max_age": "1d"}}, set()),
        ({"range": {"units": {"min": 0, "max": 20}}}, {"range"}),
        ({"series": {"min": 3}}, {"series"}),
        ({"range": {"units": {"min": 0}}}, set()),
        ({"series": {"min": 2}}, set()),
    ],
)
def test_the_contract_is_what_the_spec_says(tmp_path: Path, checks: dict[str, Any], broken: set[str]) -> None:
    facts = (
        Pipeline(
            tmp_path,
            dataset={"checks": {"freshness": None, "completeness": None, "range": {}, "series": None, **checks}},
        )
        .data(sales())
        .check()
    )
    assert {row["check"] for row in facts["checks"] if not row["ok"]} == broken


def test_old_data_is_not_fresh(tmp_path: Path) -> None:
    run = Pipeline(tmp_path, dataset={"checks": {"freshness": {"max_age": "1d"}}}).data(sales())
    facts = run.run("check", now="2024-03-01T00:00:00Z")
    assert [row["check"] for row in facts["checks"] if not row["ok"]] == ["freshness"]
    with pytest.raises(UsageError):
        run.run("check", now="yesterday")
    with pytest.raises(UsageError):
        run.run("check", now="2024-03-01T00:00:00")


def test_gaps_are_filled_only_where_the_spec_allows_them(tmp_path: Path) -> None:
    text = "\n".join(line for line in sales().splitlines() if ",2024-01-20," not in line) + "\n"
    assert not Pipeline(tmp_path).data(text).check()["ok"]
    (tmp_path / "b").mkdir()
    allowed = Pipeline(tmp_path / "b", dataset={"checks": {"completeness": {"min": 0.9}}}).data(text).whole()
    assert allowed.facts["check"]["missing_periods"] == allowed.facts["check"]["filled"] == 2


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    header, *lines = sales().splitlines()
    for name, rows in (("a", lines), ("b", list(reversed(lines)))):
        (tmp_path / name).mkdir()
        Pipeline(tmp_path / name).data("\n".join([header, *rows]) + "\n").check()
    panels = [pd.read_parquet(next((tmp_path / name).rglob("panel.parquet"))) for name in ("a", "b")]
    assert panels[0].equals(panels[1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "sales.csv"),
        ("shop,day\n1,2024-01-01\n", "units"),
        ("shop;day;units\n1;2024-01-01;3\n", "sales.csv"),
        ("shop,day,units\n", "has no rows"),
    ],
)
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, text: str, said: str) -> None:
    run = Pipeline(tmp_path).data(text)
    with pytest.raises(DataError, match=said) as caught:
        run.check()
    assert caught.value.hint


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    run = Pipeline(tmp_path).data(sales())
    run.check()
    (tmp_path / "b").mkdir()
    other = Pipeline(tmp_path / "b", dataset={"source": {"uri": "data/sales.parquet", "query": None}}).data("")
    frame = pd.read_csv(tmp_path / "data/sales.csv", dtype={"shop": str}, keep_default_na=False, parse_dates=["day"])
    frame.to_parquet(tmp_path / "b/data/sales.parquet")
    other.check()
    assert read_panel_frame(run.files).equals(read_panel_frame(other.files))


def test_a_higher_service_level_needs_more_stock(tmp_path: Path) -> None:
    levels = []
    for name, level in (("a", 0.6), ("b", 0.9), ("c", 0.99)):
        (tmp_path / name).mkdir()
        stock = {"service_level": level, "lead_time": 1, "review_period": 1}
        run = Pipeline(tmp_path / name, inventory=stock).data(sales()).whole()
        levels.append(pd.read_parquet(run.files["inventory"])["safety_stock"].sum())
    assert levels == sorted(levels)


@pytest.fixture(scope="module")
def walmart(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The shipped example, checked and backtested."""
    from mlspec.spec.forecast import Forecast

    run = Pipeline(tmp_path_factory.mktemp("walmart"))
    run.root = ROOT
    value = read_yaml((ROOT / "specs/demand.yaml").read_text()).value
    run.spec = Forecast.model_validate(value).model_dump(mode="json", by_alias=True, exclude={"targets"})
    out = tmp_path_factory.mktemp("out")
    from mlspec import jobs
    from mlspec.state.step import StepRequest

    for step, options in (("check", {"now": "2012-10-28T00:00:00Z"}), ("backtest", {"incumbent": None})):
        (out / step).mkdir()
        result = jobs.run(StepRequest(step, run.spec, ROOT, out / step, dict(run.files), options), lambda *_: None)  # type: ignore[arg-type]
        run.files |= result.outputs
        run.facts[step] = dict(result.facts)
    return run


@pytest.mark.xdist_group("walmart")  # made once
def test_the_shipped_example_beats_seasonal_naive_by_a_tenth_over_four_cutoffs_or_more(walmart: Pipeline) -> None:
    facts = walmart.facts["backtest"]
    assert len(facts["cutoffs"]) >= 4
    assert facts["metrics"]["wape"] <= 0.9 * facts["floor"]["wape"]


@pytest.mark.xdist_group("walmart")  # made once
def test_the_shipped_examples_interval_covers_what_it_says(walmart: Pipeline) -> None:
    facts = walmart.facts["backtest"]
    assert facts["interval"] == pytest.approx(0.8)
    assert 0.75 <= facts["metrics"]["coverage"] <= 0.85


@pytest.mark.xdist_group("walmart")  # made once
def test_auto_is_never_worse_than_its_best_single_candidate_by_more_than_a_hundredth(walmart: Pipeline) -> None:
    facts = walmart.facts["backtest"]
    singles = [row["metrics"]["wape"] for row in facts["candidates"] if row["kind"] != "ensemble"]
    assert facts["metrics"]["wape"] <= 1.01 * min(singles)
    assert len(facts["auto"]) >= 3


def test_the_step_command_runs_the_same_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlspec.cli.main import run
    from tests.examples import project

    monkeypatch.chdir(project(tmp_path))
    assert (
        run(
            ["step", "check", "--spec", "specs/demand.yaml", "--out", "o/check", "--option", "now=2024-02-13T00:00:00Z"]
        )
        == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert said["facts"]["ok"]
    words = ["--spec", "specs/demand.yaml", "--in", "o/check"]
    assert run(["step", "backtest", *words, "--out", "o/backtest"]) == 0
    champion = json.dumps(json.loads(capsys.readouterr().out)["facts"]["champion_candidate"])
    backtest = ["--in", "backtest=o/backtest/backtest.parquet", "--option", f"candidate={champion}"]
    assert run(["step", "train", *words, *backtest, "--out", "o/train"]) == 0
    part = ["--in", "panel=o/check/panel.parquet", "--in", "series=o/check/series.parquet"]
    assert run(["step", "backtest", *words[:2], *part, "--out", "o/part"]) == 2
    assert "the panel in 'o/check' is 2 files, and 1 of them are not named" in capsys.readouterr().err
    Path("resolved.json").write_text(json.dumps(yaml.safe_load(Path("specs/demand.yaml").read_text())))
    assert run(["step", "check", "--spec", "resolved.json", "--out", "o/again"]) in (0, 1)
    for wrong in (
        ["--spec", "none.json"],
        ["--spec", "specs/demand.yaml", "--in", "panel=none"],
        ["--spec", "specs/demand.yaml", "--in", "x"],
        ["--spec", "specs/demand.yaml", "--in", "o"],
    ):
        assert run(["step", "backtest", *wrong, "--out", "o/wrong"]) in (1, 2)
