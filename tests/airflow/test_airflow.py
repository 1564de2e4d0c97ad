"""Real Airflow reads every rendered DAG, and runs two of them whole: one that ends well, and one that the gate keeps out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli import main as front
from mlspec.render.dag import dag_file
from tests.airflow.home import MLSPEC, Home
from tests.render.specs import all_files, with_words, write
from tests.render.test_quote import HOSTILE

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.xdist_group("airflow"),  # one database, made once
    pytest.mark.no_cover,  # each step is a process; other tests run each of them in this one
]
STEPS = ["check", "backtest", "gate", "train", "register", "roll_out", "make_forecast", "evaluate"]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Airflow makes of all rendered DAGs, and of one a hostile text."""
    folder, out = tmp_path_factory.mktemp("specs"), tmp_path_factory.mktemp("out")
    write(all_files(folder), out)
    for number, text in enumerate(HOSTILE):
        source = with_words({"description": text, "owner": text.replace("\n", " ")[:128] or "x"}, folder)
        dag = dag_file(source.spec, spec_hash=source.spec_hash, target="prod", file=source.file).replace(
            "mlspec_told", f"mlspec_hostile_{number}"
        )
        (out / "dags" / f"hostile_{number}.py").write_bytes(dag.encode())
    home = Home(tmp_path_factory.mktemp("airflow"), out / "dags", {})
    result = out / "found.json"
    done = home.python(str(Path(__file__).parent / "load.py"), str(out / "dags"), str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


def test_every_dag_loads(loaded: dict[str, Any]) -> None:
    assert loaded["errors"] == {}
    assert len(loaded["dags"]) == 16 + len(HOSTILE)


def test_a_dag_goes_from_data_to_alert_and_branches_where_a_verdict_may_be_no(loaded: dict[str, Any]) -> None:
    assert loaded["dags"]["mlspec_minimal"]["after"] == {
        "check": ["backtest"], "backtest": ["gate"], "gate": ["kept_out", "train"], "train": ["register"],
        "register": ["roll_out"], "roll_out": ["make_forecast"], "make_forecast": ["evaluate"], "evaluate": ["alert"],
        "kept_out": [], "alert": [],
    }  # fmt: skip


def test_runs_do_not_overlap_and_failures_are_tried_again_and_told(loaded: dict[str, Any]) -> None:
    for dag in loaded["dags"].values():
        assert (dag["max_active_runs"], dag["catchup"]) == (1, False)
        assert (dag["retries"], dag["backoff"], dag["callbacks"]) == ([3], [True], [True])
        assert dag["timeouts"] == [6 * 3600.0]


def test_schedules_are_in_the_specs_own_time_zone(loaded: dict[str, Any]) -> None:
    dags = loaded["dags"]
    assert (dags["mlspec_weekly"]["timetable"], dags["mlspec_weekly"]["zone"]) == (
        "CronTriggerTimetable",
        "America/Sao_Paulo",
    )
    assert dags["mlspec_twice"]["timetable"] == "MultipleCronTriggerTimetable"
    assert dags["mlspec_minimal"]["timetable"] == "NullTimetable"


def test_a_reader_sees_whose_it_is_and_what_it_is_for(loaded: dict[str, Any]) -> None:
    dag = loaded["dags"]["mlspec_demand"]
    assert dag["owner"] == ["supply-chain@example.com"]
    assert dag["tags"] == ["demand", "mlspec", "target:prod"]
    assert dag["doc"].startswith("Weekly sales per store and department")


def test_hostile_text_is_shown_and_never_rendered(loaded: dict[str, Any]) -> None:
    for number, text in enumerate(HOSTILE):
        dag = loaded["dags"][f"mlspec_hostile_{number}"]
        assert dag["doc"].startswith(text)
        assert dag["templated"] == []


def a_project(root: Path, spec: str) -> Path:
    """Make a project of the example spec and its data, and render it for the local target."""
    for name in ("data", "mlspec.yaml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)
    (root / "specs").mkdir()
    (root / "specs" / "demand.yaml").write_text(spec)
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An Airflow with an empty database, its DAGs those of two projects."""
    folder = tmp_path_factory.mktemp("airflow")
    made = Home(folder, folder / "dags", {"MLSPEC_COMMAND": str(MLSPEC)})
    migrated = made.run("db", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    return made


def run_dag(home: Home, root: Path) -> tuple[int, str]:
    home.settings["MLSPEC_ROOT"] = str(root)
    shutil.rmtree(home.dags, ignore_errors=True)
    shutil.copytree(root / "build" / "dags", home.dags)
    done = home.run("dags", "test", "mlspec_demand", "2026-01-05")
    return done.returncode, done.stdout + done.stderr


def test_a_whole_run_on_real_data_ends_with_a_forecast(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = a_project(tmp_path / "p", (ROOT / "specs" / "demand.yaml").read_text())
    monkeypatch.chdir(root)
    assert front.run(["render", "--out", "build"]) == 0
    code, log = run_dag(home, root)
    assert code == 0, log
    states = home.states("mlspec_demand")
    assert {name: states[name] for name in STEPS} == dict.fromkeys(STEPS, "success")
    # The example's data ends in 2012, so the alert on its age fires.
    assert (states["kept_out"], states["alert"]) == ("skipped", "success")
    assert '"event": "threshold-broken", "forecast": "demand"' in log
    assert front.run(["forecast", "demand"]) == 0
    assert front.run(["plan", "--detailed-exitcode"]) == 0
    again, log = run_dag(home, root)
    assert again == 0, log
    assert front.run(["plan", "--detailed-exitcode"]) == 0


def test_a_version_that_the_gate_keeps_out_ends_the_run_well_and_tells(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = (ROOT / "specs" / "demand.yaml").read_text().replace("below: 0.15", "below: 0.0001")
    root = a_project(tmp_path / "p", spec)
    monkeypatch.chdir(root)
    front.run(["render", "--out", "build"])
    code, log = run_dag(home, root)
    assert code == 0, log
    states = home.states("mlspec_demand")
    assert (states["gate"], states["kept_out"]) == ("success", "success")
    assert {states[name] for name in STEPS[3:]} == {"skipped"}
    assert '"event": "gate-closed", "forecast": "demand"' in log
    capsys.readouterr()
    assert front.run(["status", "--check"]) == 3


def test_a_dag_of_another_release_is_refused_by_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(a_project(tmp_path / "p", (ROOT / "specs" / "demand.yaml").read_text()))
    assert front.run(["step", "check", "--spec", "specs/demand.yaml", "--release", "0123456789ab"]) == 1
    assert "the spec has changed" in capsys.readouterr().err


# One candidate, which needs no training: what is looked at here is the log.
QUICK = (ROOT / "specs" / "demand.yaml").read_text().replace("candidates: auto", "candidates: [{kind: seasonal-naive}]")


def log_of_task(home: Home, root: Path, task: str) -> list[dict[str, Any]]:
    """Run one task as a worker does, and return its log."""
    home.settings["MLSPEC_ROOT"] = str(root)
    shutil.rmtree(home.dags, ignore_errors=True)
    shutil.copytree(root / "build" / "dags", home.dags)
    log = root / "task.log"
    words = ("mlspec_demand.py", "mlspec_demand", task, str(log))
    done = home.python(str(Path(__file__).parent / "supervise.py"), *words)
    assert log.is_file(), done.stdout + done.stderr
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def test_progress_is_information_in_a_tasks_log_and_an_error_is_an_error(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = a_project(tmp_path / "p", QUICK)
    monkeypatch.chdir(root)
    assert front.run(["render", "--out", "build"]) == 0
    log = log_of_task(home, root, "check")
    levels = {line["event"]: line["level"] for line in log}
    assert levels["check the data contract"] == "info"
    assert [event for event in levels if event.startswith("check finished after")]
    assert {line["level"] for line in log} <= {"debug", "info"}, log
    (root / "specs" / "demand.yaml").write_text(QUICK.replace("below: 0.15", "below: 0.14"))
    log = log_of_task(home, root, "check")
    (error,) = [line for line in log if "the spec has changed" in line["event"]]
    assert error["level"] == "error"
    assert "hint: render and deploy the DAG again" in error["event"]
