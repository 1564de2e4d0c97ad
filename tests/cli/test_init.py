"""`mlspec init`: a project that works at once, and a spec that says why."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mlspec.cli import main as front
from mlspec.installation import LocalPath, Origin, Published
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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no header"),
        (b"date,units\n", "0 row(s)"),
        (b"date,units\n2024-01-01,1\n", "1 row(s)"),
        (b"a;b\n2024-01-01;1\n", "separated by ; or tabs"),
        (b"a,a\n1,2\n1,2\n", "occurs twice"),
        (b"date,units\n01/02/2024,1\n02/02/2024,2\n", "no column holds dates: tried date ('01/02/2024')"),
        (b"name,units\nx,1\ny,2\n", "no column holds dates"),
        (b"date,name\n2024-01-01,x\n2024-01-02,y\n", "which column is to be forecast?"),
        (b"date,units\n2024-01-01,1\n2024-01-01,2\n", "no columns identify the series"),
        (b"date,units\n2024-01-01,1\n2024-01-04,2\n2024-01-05,3\n2024-02-01,3\n", "no common length"),
        (b"date,units\n2024-01-01,\xff\n", "not UTF-8"),
        (b"date,units\n2024-01-01,1,2,3\n2024-01-02,1\n", "cannot read"),
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
    return [[line for line in lines if "requirements-mlspec.txt" in line] for lines in (cloud, github)]


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
