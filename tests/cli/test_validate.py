"""`mlspec validate` and what stands around it: outputs for machines, quick starts, escapes, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlspec.cli import main as front
from mlspec.cli.escape import printable
from tests.cli.heavy import HEAVY
from tests.examples import edit, project, spec_text


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project(tmp_path, demand=spec_text().replace("horizon: 2", "horzion: 2").replace("units", "'::error::%0A'"))
    monkeypatch.chdir(root)
    return root


def test_text_shows_place_line_caret_and_hint(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["validate", "specs/demand.yaml"]) == 1
    said = capsys.readouterr()
    assert (
        "specs/demand.yaml:12:3: model.horzion: unknown key 'horzion'\n      horzion: 2\n      ^\n    hint: did you mean 'horizon'?"
        in said.out
    )
    assert "1 error in 1 file" in said.err


def test_json_is_the_contracts(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["validate", "--output", "json"]) == 1
    value = json.loads(capsys.readouterr().out)
    assert (value["valid"], value["files"]) == (False, 1)
    assert set(value["errors"][0]) == {"file", "line", "column", "path", "code", "message", "hint"}


def test_sarif_names_rules_and_places(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["validate", "--output", "sarif"]) == 1
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("specs/demand.yaml", 12)
    assert {row["id"] for row in run["tool"]["driver"]["rules"]} == {"unknown-key"}


def test_a_file_cannot_forge_a_workflow_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project(tmp_path, demand=spec_text() + 'alerts: "::set-output name=x::y%0A::warning::z"\n'))
    front.run(["validate", "--output", "github"])
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith("::error file=specs/demand.yaml,") for line in lines)


def test_right_specs_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project(tmp_path))
    assert front.run(["validate"]) == 0
    assert capsys.readouterr().out == "specs/demand.yaml: ok\n"
    for form in ("json", "sarif", "github"):
        assert front.run(["validate", "--output", form]) == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("target: units", "target: unit", "sales.csv has no column 'unit'"),
        ("series: [shop]", "series: [shops]", "did you mean 'shop'?"),
        ("data/sales.csv", "data/sale.csv", "did you mean 'sales.csv'?"),
        (
            "frequency: D",
            "frequency: W-SUN",
            "72 rows have a date that does not belong to W-SUN; all dates of the data belong to D",
        ),
        ("frequency: D", "frequency: ME", "hint: sales.csv row 2: 2024-01-01 (Monday)"),
    ],
)
def test_with_data_it_looks_at_files_and_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    monkeypatch.chdir(project(tmp_path, demand=spec_text().replace(old, new)))
    assert front.run(["validate"]) == 0
    assert front.run(["validate", "--data"]) == 1
    assert said in capsys.readouterr().out


def test_with_data_parquet_is_looked_at_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    root = project(tmp_path, demand=spec_text().replace("sales.csv", "*.parquet"))
    pq.write_table(pa.table({"shop": ["a"], "day": ["2024-01-01"], "unit": [1.0]}), root / "data/sales.parquet")
    monkeypatch.chdir(root)
    assert front.run(["validate", "--data"]) == 1
    assert "sales.parquet has no column 'units'" in capsys.readouterr().out
    (root / "data/sales.parquet").write_bytes(b"no parquet")
    assert front.run(["validate", "--data"]) == 1


def test_show_says_where_each_value_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project(tmp_path))
    assert front.run(["show"]) == 0
    out = capsys.readouterr().out
    assert any(
        line.startswith("  horizon: 2 ") and line.endswith("# specs/demand.yaml:12") for line in out.splitlines()
    )
    assert any(line.startswith("  serve: batch ") and line.endswith("# default") for line in out.splitlines())
    assert front.run(["show", "--output", "json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)["forecasts"]
    assert shown["origins"]["model.horizon"] == "specs/demand.yaml:12"


def test_explain_and_schema_answer(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["explain"],
        ["explain", "alerts.metric"],
        ["explain", "model.horizon", "--output", "json"],
        ["schema", "--kind", "any"],
    ):
        assert front.run(words) == 0
        assert capsys.readouterr().out
    assert front.run(["explain", "rollback.cooldwn"]) == 2
    assert "did you mean 'rollback.cooldown'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["validate"],
        ["schema"],
        ["explain", "model"],
        ["plan"],
        ["status"],
        ["show"],
        ["doctor"],
    ],
)
def test_quick_commands_import_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    root = project(tmp_path / "p")
    code = (
        "import sys\nfrom mlspec.cli.main import run\ncode = run(sys.argv[1:])\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print('heavy:', heavy, file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "heavy: []"


def test_an_unchanged_project_is_planned_and_applied_without_anything_heavy(tmp_path: Path) -> None:
    root = project(tmp_path / "p")
    command = [sys.executable, "-m", "mlspec", "apply"]
    assert subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0
    test_quick_commands_import_nothing_heavy(tmp_path / "other", ["plan"])
    code = f"import sys\nfrom mlspec.cli.main import run\nrun(['apply'])\nprint([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]"


def test_what_could_move_a_cursor_is_shown_and_not_obeyed() -> None:
    assert printable("a\x1b[31mb\u202ec\rd\n::e") == "a\\x1b[31mb\\u202ec\\rd\n ::e"
    assert printable("plain é") == "plain é"


def test_a_defect_says_so_and_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_words: object, **_more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(front.cli, "main", fail)
    assert front.run(["plan"]) == 1
    assert "a defect of mlspec, not of your input" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_anything_was_changed_says_so(
    number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front.cli, "main", lambda **_: os.kill(os.getpid(), number))
    assert front.run(["plan"]) == code


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_part_way_is_recorded_and_gone_on_with(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    said: str,
) -> None:
    from mlspec import jobs

    monkeypatch.chdir(project(tmp_path))
    real = jobs.run

    def interrupted(request: object, progress: object) -> object:
        if request.step == "train":  # type: ignore[attr-defined]
            os.kill(os.getpid(), number)
        return real(request, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "run", interrupted)
    assert front.run(["apply"]) == 4
    assert f"stopped by {said}; what was done is recorded" in capsys.readouterr().err
    monkeypatch.setattr(jobs, "run", real)
    assert front.run(["apply"]) == 0


def test_a_file_with_thousands_of_errors_shows_the_first_and_says_how_many_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path / "p")
    twice = "".join(f"  label{number}: a\n  label{number}: b\n" for number in range(5000))
    (root / "specs" / "demand.yaml").write_text(f"labels:\n{twice}")
    monkeypatch.chdir(root)
    for output in ("text", "json", "sarif", "github"):
        assert front.run(["validate", "--output", output]) == 1
        out, err = capsys.readouterr()
        assert len(out) + len(err) < 60_000
        assert "more errors of this file are not shown" in out
    assert front.run(["validate"]) == 1
    out, err = capsys.readouterr()
    said = re.search(r"([0-9,]+) more errors of this file", out)
    total = re.search(r"([0-9]+) errors in 1 file", err)
    assert said
    assert total
    assert int(total[1]) == int(said[1].replace(",", "")) + 100 >= 5000
    assert front.run(["plan"]) == 1
    assert len(capsys.readouterr().err) < 60_000


def test_a_folder_with_thousands_of_bad_files_is_told_of_in_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path / "p")
    for number in range(1200):
        (root / "specs" / f"bad-{number:04}.yaml").write_text("x: 1\n")
    monkeypatch.chdir(root)
    assert front.run(["validate"]) == 1
    out, err = capsys.readouterr()
    assert "of this and other files are not shown" in out
    assert out.count("\n") < 6000
    count = re.search(r"([0-9]+) errors in 1201 files", err)
    assert count
    assert int(count[1]) >= 1200


def test_a_key_as_long_as_the_file_is_quoted_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path / "p")
    (root / "specs" / "demand.yaml").write_text(f'{"k" * 100}:\n  ? "{"a" * 200_000}"\n  : 1\n')
    monkeypatch.chdir(root)
    for output in ("text", "json", "sarif", "github"):
        assert front.run(["validate", "--output", output]) == 1
        assert len(capsys.readouterr().out) < 20_000


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("001,2024-01-05,7\n", "1 period occurs more than once in a series; remove rows that are there twice, or"),
        ("003,2024-01-05,7\n003,2024-01-09,7\n003,2024-02-11,7\n", "35 of 122 periods have no value in 1 series"),
    ],
)
def test_with_data_it_says_what_the_data_check_would_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rows: str, said: str
) -> None:
    monkeypatch.chdir(project(tmp_path))
    sales = Path("data/sales.csv")
    sales.write_text(sales.read_text() + rows)
    assert front.run(["validate", "--data"]) == 1
    assert said in capsys.readouterr().out


def test_with_data_a_gap_that_a_cell_leaves_is_answered_by_the_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project(tmp_path))
    lines = Path("data/sales.csv").read_text().splitlines()
    lines[4] = ",".join([*lines[4].split(",")[:2], "n/d"])
    Path("data/sales.csv").write_text("\n".join([*lines, ""]))
    assert front.run(["validate", "--data"]) == 1
    said = capsys.readouterr().out
    assert "sales.csv row 5: 'n/d' is not a number" in said
    assert "rows with a cell that cannot be read are among them: correct these cells first" in said
    assert "dataset.missing" not in said


def test_with_data_holidays_that_are_not_known_are_said_at_their_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project(tmp_path))
    edit(Path("specs/demand.yaml"), "  frequency: D\n", "  frequency: D\n  covariates: {holidays: BR-XX}\n")
    assert front.run(["validate", "--data"]) == 1
    assert "dataset.covariates.holidays: no holidays of 'BR-XX' are known" in capsys.readouterr().out


def test_with_data_it_names_totals_below_the_table_by_their_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project(tmp_path))
    sales = Path("data/sales.csv")
    sales.write_text(sales.read_text() + "TOTAL,,123\nTotal geral,,123\n,,5\n")
    assert front.run(["validate", "--data"]) == 1
    out = capsys.readouterr().out
    assert (
        "dataset.series[0]: sales.csv row 86: 'TOTAL' labels a total: remove this row from the file; sales.csv row 87: "
        in out
    )
    assert "row 86: '' is empty" not in out
    assert "row 88: '' is empty" in out


@pytest.mark.parametrize(
    ("first", "end", "said"),
    [
        (3, ",", "sales.csv row 3: has 4 fields, the header has 3: remove the sign ',' at its end; sales.csv row 4: "),
        (
            2,
            ",,,",
            "no row of 'data/sales.csv' can be read: row 2 of sales.csv has 6 fields, the header has 3: remove the 3",
        ),
    ],
)
def test_with_data_rows_that_end_in_delimiters_are_answered_with_what_to_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], first: int, end: str, said: str
) -> None:
    """`first` is the first row that ends so; the header is row 1."""
    monkeypatch.chdir(project(tmp_path))
    lines = Path("data/sales.csv").read_text().splitlines()
    Path("data/sales.csv").write_text(
        "\n".join([*lines[: first - 1], *(f"{line}{end}" for line in lines[first - 1 :]), ""])
    )
    assert front.run(["validate", "--data"]) == 1
    assert said in capsys.readouterr().out


def test_with_data_it_refuses_rows_of_closed_days_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = spec_text().replace("frequency: D", "frequency: D\n  calendar: {open: [SUN]}")
    monkeypatch.chdir(project(tmp_path, demand=text))
    Path("data/sales.csv").write_text("shop,day,units\n001,2024-01-05,0\n")
    assert front.run(["validate", "--data"]) == 1
    assert "1 rows of closed days are left out: their value is 0 or empty" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            ["'day','shop','units'", "'2024-01-01','001',1"],
            'its names stand in single quotes: write quote: "\'" in dataset.source',
        ),
        (["day         shop   units", "2024-01-01  001        1"], "it is a table of fixed width: save it as CSV"),
    ],
)
def test_with_data_it_says_how_a_file_without_the_columns_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lines: list[str], says: str
) -> None:
    monkeypatch.chdir(project(tmp_path))
    Path("data/sales.csv").write_text("\n".join([*lines, ""]))
    assert front.run(["validate", "--data"]) == 1
    assert says in capsys.readouterr().out


@pytest.mark.parametrize("checks", ["", "\n  checks: {freshness: {max_age: 3d}}"])
def test_with_data_it_refuses_a_column_without_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checks: str
) -> None:
    monkeypatch.chdir(project(tmp_path, demand=spec_text().replace("frequency: D", f"frequency: D{checks}")))
    sales = Path("data/sales.csv")
    sales.write_text(re.sub(",[0-9.]+$", ",", sales.read_text(), flags=re.MULTILINE))
    assert front.run(["validate", "--data"]) == 1
    assert "'units' has no value in any row" in capsys.readouterr().out


def test_with_data_it_warns_of_amounts_of_money_that_have_two_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = spec_text().replace("data/sales.csv", "data/sales.csv, currency: R$")
    monkeypatch.chdir(project(tmp_path, demand=text))
    sales = Path("data/sales.csv")
    sales.write_text(re.sub(",[0-9.]+$", ",R$ 1.050", sales.read_text(), flags=re.MULTILINE))
    assert front.run(["validate", "--data"]) == 0
    assert "'1.050' in units is read with" in capsys.readouterr().out


def test_with_data_it_warns_of_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = spec_text().replace("frequency: D", "frequency: D\n  calendar: {closed: [2024-01-05]}")
    monkeypatch.chdir(project(tmp_path, demand=text))
    sales = Path("data/sales.csv")
    sales.write_text(re.sub("2024-01-05,.*", "2024-01-05,0", sales.read_text()))
    assert front.run(["validate", "--data"]) == 0
    assert "2 rows of closed days are left out: their value is 0 or empty" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "code", "said"),
    [
        (None, 1, "there is no file data/school.csv"),
        ("day\n2024-01-08\n", 1, "'school.csv' has a column 'day', which is unknown"),
        ("date\n08/01/2024\n", 1, "school.csv row 2: date '08/01/2024' is not a date in ISO 8601"),
        ("date\n2024-01-08\n", 0, "the file of 'school' ends on 2024-01-08, and the horizon on 2024-02-13"),
    ],
)
def test_with_data_it_reads_files_of_events(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rows: str | None,
    code: int,
    said: str,
) -> None:
    covariates = "frequency: D\n  covariates: {events: {school: {uri: data/school.csv}}}"
    monkeypatch.chdir(project(tmp_path, demand=spec_text().replace("frequency: D", covariates)))
    if rows is not None:
        Path("data/school.csv").write_text(rows)
    assert front.run(["validate", "--data"]) == code
    shown = capsys.readouterr().out
    assert said in shown
    assert "specs/demand.yaml:" in shown


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("demand", "a spec is named by its file: specs/demand.yaml"),
        ("specs/demnd.yaml", "did you mean 'demand.yaml'?"),
        ("other.yaml", "name a spec or a folder of specs, such as specs"),
        ("v 1.csv", "`mlspec init --from 'v 1.csv'` writes a spec for it"),
    ],
)
def test_a_path_that_is_no_spec_is_answered_with_the_one_to_write(
    path: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project(tmp_path, demand=spec_text()))
    Path("v 1.csv").write_text("a;b\n1;2\n")
    assert front.run(["validate", path]) == 1
    assert f"hint: {hint}" in capsys.readouterr().out


def test_below_the_root_the_spec_of_a_forecast_is_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path, demand=spec_text())
    monkeypatch.chdir(root / "data")
    assert front.run(["validate", "demand"]) == 1
    assert f"hint: a spec is named by its file: {root}/specs/demand.yaml" in capsys.readouterr().out


def test_the_name_of_a_line_of_a_wide_table_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{shop};{item};1;2;3;4;5;6" for shop in "AB" for item in "xy"]
    header = "loja;produto;jan/24;fev/24;mar/24;abr/24;mai/24;jun/24"
    Path("v.csv").write_text("\n".join([header, *lines, "Total;;4;8;12;16;20;24", ""]))
    assert front.run(["init", "--from", "v.csv", "--ci", "none"]) == 0
    capsys.readouterr()
    assert front.run(["validate", "--data"]) == 1
    assert capsys.readouterr().out.count("v.csv row 6:") == 1


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        ("day,units\n2024-01-01,1\n".encode("utf-16"), "write dataset.source.encoding: utf-16"),
        (b"day;store;units\n2024-01-01;a;1\n", 'write delimiter: ";" in dataset.source'),
    ],
)
def test_a_file_that_is_written_in_another_way_is_answered_with_the_key(
    data: bytes, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project(tmp_path))
    Path("data/sales.csv").write_bytes(data)
    assert front.run(["validate", "--data"]) == 1
    assert hint in capsys.readouterr().out
