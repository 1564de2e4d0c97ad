"""`mlspec init`: a project that works at once, and a spec that says why."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from mlspec.cli import main as front
from mlspec.engine.project_specs import page_language, read_project_specs
from mlspec.installation import LocalPath, Origin, Published
from mlspec.jobs.profile import profile_file
from mlspec.spec.backtest_windows import fit_windows
from tests.examples import sales

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def spec_of(file: Path, *words: str, name: str = "x") -> dict[str, object]:
    assert front.run(["init", "--from", str(file), "--name", name, *words]) == 0
    assert front.run(["validate", "--data"]) == 0
    value: dict[str, object] = yaml.safe_load(Path(f"specs/{name}.yaml").read_text())
    return value


def test_a_new_project_validates_and_overwrites_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["init", "new"]) == 0
    Path("new/README.md").write_text("mine")
    assert front.run(["init", "new"]) == 0
    assert "kept   README.md" in capsys.readouterr().out
    assert Path("new/README.md").read_text() == "mine"
    assert front.run(["validate", "new/specs"]) == 0


def test_a_weekly_panel_is_understood() -> None:
    dataset = spec_of(ROOT / "data/walmart_sales_weekly.csv")["dataset"]
    assert isinstance(dataset, dict)
    assert (dataset["time"], dataset["series"], dataset["target"], dataset["frequency"]) == (
        "Date",
        ["Store", "Dept"],
        "Weekly_Sales",
        "W-FRI",
    )
    assert dataset["source"] == {"uri": "data/walmart_sales_weekly.csv"}
    text = Path("specs/x.yaml").read_text()
    assert "994 of 994 steps are 7 days" in text
    assert "left out: MarkDown1 64% of it is missing" in text


def test_a_single_daily_series_is_understood_and_parts_of_the_target_are_left_out() -> None:
    dataset = spec_of(ROOT / "data/bike_sharing_daily.csv")["dataset"]
    assert isinstance(dataset, dict)
    assert (dataset["time"], dataset["series"], dataset["target"], dataset["frequency"]) == ("dteday", [], "cnt", "D")
    assert "casual is a part of the target, so it would leak the answer" in Path("specs/x.yaml").read_text()


def test_parquet_is_understood_and_the_spec_applies() -> None:
    frame = pd.read_csv(ROOT / "data/bike_sharing_daily.csv", nrows=200)[["dteday", "cnt"]]
    frame["dteday"] = pd.to_datetime(frame["dteday"])
    frame.to_parquet("rides.parquet")
    spec_of(Path("rides.parquet"), name="rides")
    text = Path("specs/rides.yaml").read_text().replace("candidates: auto", "candidates: [{kind: seasonal-naive}]")
    Path("specs/rides.yaml").write_text(text)
    assert front.run(["apply"]) == 0


@pytest.mark.parametrize(
    ("locale", "names", "line", "said"),
    [
        ("pt_BR.UTF-8", "day;units", "language: pt-BR", "LANG is pt_BR.UTF-8"),
        ("C.UTF-8", "data;vendas", "language: pt-BR", "decimal commas, days before months, and the column vendas"),
        ("C.UTF-8", "day;units", "# language: pt-BR", None),
        ("de_DE.UTF-8", "day;units", None, None),
    ],
)
def test_a_project_of_a_brazilian_reader_or_file_has_portuguese_pages(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    locale: str,
    names: str,
    line: str | None,
    said: str | None,
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", locale)
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(60)]
    Path("v.csv").write_text("\n".join([names, *(f"{day:%d/%m/%Y};{day.day},5" for day in days), ""]))
    assert front.run(["init", "new", "--from", "v.csv"]) == 0
    text = Path("new/mlspec.yaml").read_text()
    assert [row for row in text.splitlines() if "language:" in row] == ([line] if line else [])
    assert (": ".join(["(language: pt-BR in mlspec.yaml)", said or ""]) in capsys.readouterr().out) is (
        said is not None
    )
    assert read_project_specs([], Path("new").absolute(), "local").project is not None
    assert page_language(Path("new").absolute(), None) == ("pt-BR" if said else "en")


def test_what_the_user_says_is_taken() -> None:
    Path("odd.csv").write_text(sales().replace("shop,day,units", "filiale,tag,stueck"))
    dataset = spec_of(
        Path("odd.csv"),
        "--time",
        "tag",
        "--series",
        "filiale",
        "--target",
        "stueck",
        "--frequency",
        "D",
        "--horizon",
        "3",
    )["dataset"]
    assert isinstance(dataset, dict)
    assert (dataset["series"], dataset["target"]) == (["filiale"], "stueck")


@pytest.mark.parametrize("alias", ["MS", "ME", "QS", "YE", "h"])
def test_other_periods_are_understood(alias: str) -> None:
    dates = pd.date_range("2010-01-31" if alias.endswith("E") else "2010-01-01", periods=24, freq=alias)
    form = "%Y-%m-%dT%H:%M:%S" if alias == "h" else "%Y-%m-%d"
    Path("s.csv").write_text("date,units\n" + "\n".join(f"{day:{form}},{i % 7}" for i, day in enumerate(dates)) + "\n")
    dataset = spec_of(Path("s.csv"))["dataset"]
    assert isinstance(dataset, dict)
    assert dataset["frequency"] == alias


@pytest.mark.parametrize(("alias", "season", "horizon"), [
    ("15min", 96, 96), ("5min", 288, 288), ("10min", 144, 144), ("30min", 48, 48), ("2h", 12, 24), ("6h", 4, 24), ("min", 1440, 60),
])  # fmt: skip
@pytest.mark.parametrize("meters", [1, 3])
def test_parts_of_a_day_are_understood_with_a_day_as_their_season(
    tmp_path: Path, alias: str, season: int, horizon: int, meters: int
) -> None:
    times = pd.date_range("2024-01-01", periods=1800, freq=alias)
    rows = [
        f"{meter},{time:%Y-%m-%dT%H:%M:%S},{place % 7}" for meter in range(meters) for place, time in enumerate(times)
    ]
    path = tmp_path / "kwh.csv"
    path.write_text("\n".join(["meter_code,time,kwh", *rows, ""]))
    profile = profile_file(path, {"target": "kwh"}, None, {})
    assert (profile.frequency, profile.season, profile.horizon) == (alias, season, horizon)
    assert not profile.rows


@pytest.mark.parametrize(("alias", "periods", "windows"), [("h", 24 * 21, 7), ("h", 24 * 20, 4), ("D", 800, 4)])
def test_windows_of_hours_are_a_whole_week_where_there_are_two_more(
    tmp_path: Path, alias: str, periods: int, windows: int
) -> None:
    """Four windows of a day may have no weekend in them."""
    times = pd.date_range("2024-01-01", periods=periods, freq=alias)
    rows = [f"{time:%Y-%m-%dT%H:%M:%S},{place % 7}" for place, time in enumerate(times)]
    path = tmp_path / "kwh.csv"
    path.write_text("\n".join(["time,kwh", *rows, ""]))
    assert profile_file(path, {"target": "kwh"}, None, {}).windows == windows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"date\n2024-01-01\n", "no header of two or more columns"),
        (b"date,units\n", "0 rows below"),
        (b"date,units\n2024-01-01,1\n", "1 row below"),
        (b"a,a\n1,2\n1,2\n", "occurs twice"),
        (b"date,units\n01/02/2024,1\n02/02/2024,2\n", "'01/02/2024' in date has two readings"),
        (b"date,units\nmonday,1\ntuesday,2\n", "no column holds dates: tried date ('monday')"),
        (b"date,units\n2024-01-01,1.050\n2024-01-02,950\n", "'1.050' in units has two readings"),
        (b"code;date;units\n01.0234;01/2024;1.050\n01.0234;02/2024;950\n", "'1.050' in units has two readings"),
        (b"code;01.2024;02.2024;03.2024\na;1.050;950;1.020\n", "'1.050' in value has two readings"),
        (b"name,units\nx,1\ny,2\n", "no column holds dates"),
        (b"date,name\n2024-01-01,x\n2024-01-02,y\n", "which column is to be forecast?"),
        (b"date,units\n2024-01-01,1\n2024-01-01,2\n", "no columns identify the series"),
        (b"date,units\n2024-01-01,1\n2024-01-04,2\n2024-01-05,3\n2024-02-01,3\n", "no common length"),
        (b"date,units\n2024-01-01,\xff\n2024-01-02,\xff\n", "the column 'units' does not hold numbers: row 2"),
        (b"date,units\n2024-01-01,1,2,3\n2024-01-02,1\n", "cannot read"),
        (b"date,units\n2024-01-01,1,,\n2024-01-02,1,,\n", "save the file again without empty columns behind the last"),
    ],
)
def test_a_file_that_does_not_tell_is_answered_in_words(
    content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("odd.csv").write_bytes(content)
    assert front.run(["init", "--from", "odd.csv"]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "hint:" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "words",
    [
        ["--from", "none.csv"],
        ["--from", "x.txt"],
        ["--time", "day"],
        ["--from", "s.csv", "--time", "no"],
        ["--from", "s.csv", "--target", "shop"],
    ],
)
def test_a_wrong_call_is_answered(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.txt").write_text("x")
    Path("s.csv").write_text(sales(shops=("a", "b")))
    assert front.run(["init", *words]) in (1, 2)
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s.csv"], "mlspec init --from s.csv"),
        (["--from", "s.csv", "a b.csv"], "of several files name one"),
        (["--from", "s.csv", "a b.csv", "c.csv"], "of several files name one"),
        (["--from", "*.csv"], "dataset.source.uri: 'data/*.csv'"),
        (["--from", "gs://bucket/sales.csv"], "gs://bucket/sales.csv is an address"),
        (["--from", "s.csv", "--date-format", "dd/mm/aaaa"], "write '%d/%m/%Y'"),
    ],
)
def test_a_call_that_people_try_first_is_answered_with_the_one_to_make(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("s.csv", "a b.csv", "c.csv"):
        Path(name).write_text(sales(shops=("a", "b")))
    assert front.run(["init", *words]) in (1, 2)
    assert said in capsys.readouterr().err
    assert not Path("specs").exists()


@pytest.mark.parametrize("name", ["sales [1].csv", "50%.csv", "a: b.csv", "a*.csv"])
def test_a_file_whose_name_no_spec_may_have_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(name).write_text(sales(shops=("a", "b")))
    assert front.run(["init", "x", "--from", name]) == 2
    said = capsys.readouterr().err
    assert f"--from: a spec cannot name 'data/{name}'" in said
    assert "give the file, or its folder, a name of letters" in said
    assert not Path("x").exists()


def test_a_file_in_a_folder_that_may_not_be_looked_into_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s.csv").write_text(sales(shops=("a", "b")))
    whole = Path.stat

    def refuse(path: Path, **words: bool) -> os.stat_result:
        if path.name == "s.csv":
            raise PermissionError(13, "Permission denied")
        return whole(path, **words)

    monkeypatch.setattr(Path, "stat", refuse)
    assert front.run(["init", "x", "--from", "s.csv"]) == 1
    assert "--from: cannot read s.csv: Permission denied" in capsys.readouterr().err


def test_a_spec_that_was_there_is_said_to_stay_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.csv").write_text(sales(shops=("a", "b")))
    spec_of(Path("s.csv"))
    written = Path("specs/x.yaml").read_text()
    assert "is as it was" not in capsys.readouterr().out
    assert front.run(["init", "--from", "s.csv", "--name", "x", "--horizon", "1"]) == 0
    assert "specs/x.yaml is as it was: what is printed above is not written" in capsys.readouterr().out
    assert Path("specs/x.yaml").read_text() == written


def test_the_next_command_enters_a_folder_whose_name_has_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["init", "Previsão de vendas", "--ci", "none"]) == 0
    words = capsys.readouterr().out.splitlines()[-1].removeprefix("Next: ")
    entered = words.partition(" && ")[0]
    done = subprocess.run(["sh", "-c", f"{entered} && ls mlspec.yaml"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "mlspec.yaml\n")


SOURCE = "mlspec-forecast[forecast,gcp] @ git+https://example.com/mlspec.git@0a1b"


def installed_from(origin: Origin, published: Published | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlspec.cli.commands.init.read_origin", lambda: origin)
    monkeypatch.setattr("mlspec.cli.commands.init.published_commit", lambda _folder: published)


def builds(folder: str) -> list[list[str]]:
    """The commands of each build of a project up to the one that installs mlspec."""
    cloud = yaml.safe_load(Path(folder, "cloudbuild.yaml").read_text())["steps"][1]["args"][-1].splitlines()
    github = [
        step.get("run", "")
        for step in yaml.safe_load(Path(folder, ".github/workflows/forecasts.yml").read_text())["jobs"]["plan"]["steps"]
    ]
    gitlab = yaml.safe_load(Path(folder, ".gitlab-ci.yml").read_text())[".mlspec"]["before_script"]
    named = [[line for line in lines if "requirements-mlspec.txt" in line] for lines in (cloud, github, gitlab)]
    return [[line for line in lines if "git+" not in line] for lines in named]


@pytest.mark.parametrize(
    ("origin", "published"),
    [
        (Published(" @ git+https://example.com/mlspec.git@0a1b"), None),
        # A clone whose commit is on its remote: others get the same from there.
        (LocalPath("/home/me/clone", is_editable=True), Published(" @ git+https://example.com/mlspec.git@0a1b")),
    ],
)
def test_builds_get_mlspec_from_where_this_one_was_installed_from(
    origin: Origin, published: Published | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_from(origin, published, monkeypatch)
    assert front.run(["init", "new"]) == 0
    assert Path("new/requirements-mlspec.txt").read_text().splitlines()[-1] == SOURCE
    for commands in builds("new"):
        assert [command.split()[:2] for command in commands] == [["pip", "install"]]
        assert "--no-deps" in commands[0]


def test_what_is_on_this_machine_alone_is_said_and_fails_every_build(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed_from(LocalPath("/home/me/clone", is_editable=True), None, monkeypatch)
    assert front.run(["init", "new"]) == 0
    assert "installed from /home/me/clone, which no other machine has" in capsys.readouterr().out
    for guard, install in builds("new"):
        done = subprocess.run(["sh", "-c", guard], cwd="new", capture_output=True, text=True, check=False)
        assert (done.returncode, "/home/me/clone" in done.stderr) == (1, True)
        assert install.split()[:2] == ["pip", "install"]
    # One line in that file mends all builds.
    with Path("new/requirements-mlspec.txt").open("a") as file:
        file.write(f"{SOURCE}\n")
    for guard, _install in builds("new"):
        subprocess.run(["sh", "-c", guard], cwd="new", check=True)


def test_a_person_says_another_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["init", "new", "--package", "git+https://example.com/mlspec.git@0a1b"]) == 0
    assert Path("new/requirements-mlspec.txt").read_text().splitlines()[-1] == SOURCE
    assert front.run(["init", "new", "--package", "mlspec-forecast==1.2.3"]) == 2
    assert "requirements-mlspec.txt exists already" in capsys.readouterr().err
    assert Path("new/requirements-mlspec.txt").read_text().splitlines()[-1] == SOURCE


def test_an_address_without_a_digest_is_written_with_a_word_about_it() -> None:
    for number, (digest, said) in enumerate((("", True), ("#sha256=ab", False))):
        assert front.run(["init", f"p{number}", "--package", f"https://example.com/m.whl{digest}"]) == 0
        text = Path(f"p{number}/requirements-mlspec.txt").read_text()
        assert ("add #sha256=DIGEST" in text) is said
        assert text.endswith(f" @ https://example.com/m.whl{digest}\n")


def test_a_source_that_is_not_pinned_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["init", "new", "--package", "mlspec"]) == 2
    assert "mlspec's package is 'mlspec-forecast'" in capsys.readouterr().err
    assert not Path("new").exists()


BUILDS = {
    "github": ".github/workflows/forecasts.yml",
    "gitlab": ".gitlab-ci.yml",
    "cloudbuild": "cloudbuild.yaml",
}


@pytest.mark.parametrize(
    ("words", "services"),
    [
        ([], {"github", "gitlab", "cloudbuild"}),
        (["--ci", "gitlab"], {"gitlab"}),
        (["--ci", "github", "--ci", "cloudbuild"], {"github", "cloudbuild"}),
        (["--ci", "none"], set()),
    ],
)
def test_the_builds_of_a_service_are_written_where_it_is_asked_for(words: list[str], services: set[str]) -> None:
    assert front.run(["init", "new", *words]) == 0
    assert {service for service, path in BUILDS.items() if Path("new", path).exists()} == services
    assert Path("new/mlspec.yaml").exists()


@pytest.mark.parametrize("words", [["--ci", "jenkins"], ["--ci", "none", "--ci", "github"]])
def test_a_service_that_is_not_known_writes_nothing(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["init", "new", *words]) == 2
    assert "rror" in capsys.readouterr().err
    assert not Path("new").exists()


def copied(folder: str) -> tuple[list[str], set[str]]:
    """What the Dockerfile of a project copies into the image, and what .dockerignore lets in."""
    lines = Path(folder, "Dockerfile").read_text().splitlines()
    words = [json.loads(line.removeprefix("COPY ")) for line in lines if line.startswith("COPY [")]
    kept = Path(folder, ".dockerignore").read_text().splitlines()
    return [word for names in words for word in names[:-1]], {line[1:] for line in kept if line.startswith("!")}


@pytest.mark.parametrize(
    ("uri", "held"), [("data/a.csv", "data"), ("sales 2024/a.csv", "sales 2024"), ("a$b.csv", "a\\$b.csv")]
)
def test_the_image_of_a_project_holds_its_specs_and_its_data_and_nothing_else(uri: str, held: str) -> None:
    Path("new", uri).parent.mkdir(parents=True)
    Path("new", uri).write_text(sales())
    assert front.run(["init", "new", "--from", f"new/{uri}", "--series", "shop", "--target", "units"]) == 0
    names, kept = copied("new")
    files = ["requirements-mlspec.txt", "requirements-mlspec.lock", "mlspec.yaml"]
    assert names == [*files, *sorted([held, "specs"])]
    assert kept == {name.replace("\\$", "$") for name in names}


def test_the_image_of_a_project_holds_the_wheel_that_it_installs() -> None:
    assert front.run(["init", "new", "--package", "wheels/mlspec_forecast-1.2.3-py3-none-any.whl"]) == 0
    names, kept = copied("new")
    assert "wheels/mlspec_forecast-1.2.3-py3-none-any.whl" in names
    assert kept == set(names)


def proposed(tmp_path: Path, rows: list[str], *options: str) -> dict[str, Any]:
    """The `dataset` that init writes for a table."""
    tmp_path.mkdir(exist_ok=True)
    file = tmp_path / "sales.csv"
    file.write_text("\n".join(rows) + "\n")
    assert front.run(["init", str(tmp_path / "p"), "--from", str(file), "--name", "x", "--ci", "none", *options]) == 0
    dataset: dict[str, Any] = yaml.safe_load((tmp_path / "p/specs/x.yaml").read_text())["dataset"]
    return dataset


def days(count: int, step: int = 1) -> list[date]:
    return [date(2024, 1, 1) + timedelta(days=step * number) for number in range(count)]


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        (
            ["date,version,units"],
            ("--series", "version"),
            "'version' is the name of a column that mlspec writes in the forecast",
        ),
        (
            ["date,store,units"],
            ("--time", "date", "--series", "store,date", "--frequency", "D"),
            "'date' is the time already",
        ),
        (
            ["date,store,units"],
            ("--horizon", "50"),
            "a backtest of 2 windows of 50 periods needs 64 periods of history",
        ),
    ],
    ids=["reserved", "twice", "horizon"],
)
def test_no_spec_is_written_that_validate_or_apply_would_refuse(
    rows: list[str], options: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows += [f"{day},{shop},{3 + place % 4}" for shop in "AB" for place, day in enumerate(days(60))]
    (tmp_path / "sales.csv").write_text("\n".join(rows) + "\n")
    assert front.run(["init", "p", "--from", str(tmp_path / "sales.csv"), *options]) == 1
    assert says in capsys.readouterr().err
    assert not Path("p").exists()


def test_a_horizon_is_not_refused_where_only_the_first_rows_of_a_file_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlspec.jobs.profile._MOST_ROWS", 60)
    rows = [f"{day},{shop},{3 + place % 4}" for place, day in enumerate(days(60)) for shop in "ABCDEF"]
    proposed(tmp_path, ["date,store,units", *rows], "--horizon", "14")
    said = "10 periods of history; 2 backtest windows of 14 do not fit in the rows that were read, which are the first ones"
    assert said in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("count", [4, 9, 12, 20, 40, 200])
def test_the_windows_that_are_said_are_those_of_the_backtest(
    count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proposed(tmp_path, ["date,units", *(f"{day},{3 + place % 4}" for place, day in enumerate(days(count)))])
    said = re.search(r"(\d+) backtest windows of (\d+)(?:, (\d+) periods apart)?", capsys.readouterr().out)
    assert said
    model = yaml.safe_load((tmp_path / "p/specs/x.yaml").read_text())["model"]
    horizon, windows = model["horizon"], model["backtest"]["windows"]
    found = fit_windows(count, horizon, 7, windows, horizon)
    assert (int(said[1]), int(said[2]), int(said[3] or horizon)) == (found[0], horizon, found[1])


def test_sales_without_a_row_for_no_sale_are_read_as_such(tmp_path: Path) -> None:
    rows = [f"{day},{shop},{3 + place % 4}" for shop in "AB" for place, day in enumerate(days(90, 7)) if place % 3 != 1]
    found = proposed(tmp_path, ["date,store,units", *rows])
    assert (found["frequency"], found["missing"]) == ("W-MON", "zero")


def test_a_product_that_is_sold_no_more_is_proposed_to_have_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two shops sell on; a slow seller pauses for three weeks; what was delisted half a year ago goes on with rows that say 0."""
    sold = {
        "fast": lambda place: 5 + place % 7, "slow": lambda place: int(place % 21 == 0),
        "gone": lambda place: 4 + place % 7 if place < 180 else 0,
    }  # fmt: skip
    rows = [f"{day},{shop},{units(place)}" for shop, units in sold.items() for place, day in enumerate(days(360))]
    found = proposed(tmp_path, ["date,store,units", *rows], "--horizon", "14")
    assert (found["ended_after"], found["ended_when"]) == ("42d", "no-demand")
    said = capsys.readouterr().out
    assert "1 of 3 series have sold nothing for longer than ever before" in said
    assert "those that still sell paused for 21 periods at most" in said
    assert "ended_after" not in proposed(
        tmp_path / "living", ["date,store,units", *(row for row in rows if "gone" not in row)]
    )


def test_gaps_in_a_history_that_says_0_are_unknown_and_limited(tmp_path: Path) -> None:
    rows = [f"{day},{shop},{place % 4}" for shop in "AB" for place, day in enumerate(days(90)) if place % 30 != 7]
    found = proposed(tmp_path, ["date,store,units", *rows])
    assert "missing" not in found
    assert 0.9 < found["checks"]["completeness"]["min"] < 1


def test_transactions_are_added_up_by_day_and_by_what_is_named_as_a_code(tmp_path: Path) -> None:
    rows = [
        f"{day}T{8 + number:02}:{(7 * place) % 60:02},L{number % 2},{product},{1 + (place + number) % 3},{place}{number}"
        for place, day in enumerate(days(60)) for number in range(4) for product in ("arroz", "cafe")
    ]  # fmt: skip
    found = proposed(tmp_path, ["momento,loja,produto,quantidade,cupom", *rows])
    assert (found["series"], found["target"]) == (["loja", "produto"], "quantidade")
    assert (found["frequency"], found["aggregate"]) == ("D", "sum")


def test_days_are_added_up_to_the_weeks_that_are_asked_for(tmp_path: Path) -> None:
    rows = [f"{day},{shop},{place % 4}" for shop in "AB" for place, day in enumerate(days(90))]
    found = proposed(tmp_path, ["date,store,units", *rows], "--frequency", "W-SUN")
    assert (found["frequency"], found["aggregate"]) == ("W-SUN", "sum")


@pytest.mark.parametrize(
    ("options", "zone"), [((), "America/Sao_Paulo"), (("--timezone", "America/Manaus"), "America/Manaus")]
)
def test_times_with_an_offset_get_their_zone(tmp_path: Path, options: tuple[str, ...], zone: str) -> None:
    hour = 3 if zone == "America/Sao_Paulo" else 4
    rows = [f"{day}T{hour:02}:00:00Z,{shop},{place % 4}" for shop in "AB" for place, day in enumerate(days(90))]
    found = proposed(tmp_path, ["date,store,units", *rows], *options)
    assert (found["frequency"], found["timezone"]) == ("D", zone)


def test_a_zone_that_is_none_is_a_wrong_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("date,units\n2024-01-01,1\n2024-01-02,2\n")
    assert front.run(["init", str(tmp_path / "p"), "--from", str(file), "--timezone", "Sao_Paulo"]) == 2
    assert "did you mean 'America/Sao_Paulo'?" in capsys.readouterr().err


def test_a_series_column_that_is_named_like_an_output_is_not_added_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sales.csv"
    rows = [f"{day},{version},{place % 4}" for version in "AB" for place, day in enumerate(days(30))]
    file.write_text("\n".join(["date,version,units", *rows]) + "\n")
    assert front.run(["init", str(tmp_path / "p"), "--from", str(file)]) == 1
    said = capsys.readouterr().err
    assert "the column 'version' names the series" in said
    assert "series_version" in said
