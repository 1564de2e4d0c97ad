"""Real Airflow reads every rendered DAG, the newest and the oldest that Composer 3 has, and runs some of them whole."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli import main as front
from mlspec.render.dag import dag_file
from tests.airflow.home import MLSPEC, Home, new_home
from tests.preloaded import Preloaded
from tests.render.specs import all_files, with_words, write
from tests.render.test_quote import HOSTILE

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.xdist_group("airflow"),  # one database, made once
    pytest.mark.no_cover,  # each step is a process; other tests run each of them in this one
]
AIRFLOWS = ["airflow", "airflow-oldest"]
STEPS = [
    "check", "evaluate", "move_traffic", "backtest", "gate", "train", "register", "roll_out", "make_forecast", "finish",
]  # fmt: skip

# The spec that ships, and with one candidate that needs no training: Airflow is what is looked at here, and README.md's session
# trains the others.
DEMAND = (ROOT / "specs" / "demand.yaml").read_text()
QUICK = DEMAND.replace("candidates: auto", "candidates: [{kind: seasonal-naive}]")
# And it may serve.
LENIENT = re.sub(r"  gate:.*?\n\n", "  gate: [{metric: wape, below: 1.0}]\n\n", QUICK, flags=re.DOTALL)


@pytest.fixture(scope="module", params=AIRFLOWS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an Airflow makes of all rendered DAGs, and of one a hostile text; it is told to give crons data intervals."""
    folder, out = tmp_path_factory.mktemp("specs"), tmp_path_factory.mktemp("out")
    write(all_files(folder), out)
    for number, text in enumerate(HOSTILE):
        source = with_words({"description": text, "owner": text.replace("\n", " ")[:128] or "x"}, folder)
        dag = dag_file(source.spec, spec_hash=source.spec_hash, target="prod", file=source.file).replace(
            "mlspec_told", f"mlspec_hostile_{number}"
        )
        (out / "dags" / f"hostile_{number}.py").write_bytes(dag.encode())
    settings = {"MLSPEC_POOL": "forecasts", "AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS": "True"}
    home = Home(tmp_path_factory.mktemp("airflow"), out / "dags", settings, request.param)
    result = out / "found.json"
    done = home.python(str(Path(__file__).parent / "load.py"), str(out / "dags"), str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return {"airflow": request.param, **found}


def test_every_dag_loads(loaded: dict[str, Any]) -> None:
    assert loaded["errors"] == {}
    assert len(loaded["dags"]) == 16 + len(HOSTILE)


def test_a_dag_goes_from_data_to_alert_and_branches_where_a_verdict_may_be_no(loaded: dict[str, Any]) -> None:
    assert loaded["dags"]["mlspec_minimal"]["after"] == {
        "check": ["backtest", "evaluate"], "evaluate": ["alert", "move_traffic"], "alert": [], "move_traffic": ["backtest"],
        "backtest": ["gate"], "gate": ["kept_out", "train"], "kept_out": [], "train": ["register"],
        "register": ["roll_out"], "roll_out": ["make_forecast"], "make_forecast": ["finish"], "finish": [],
    }  # fmt: skip


def test_runs_do_not_overlap_and_failures_are_tried_again_and_told(loaded: dict[str, Any]) -> None:
    for dag in loaded["dags"].values():
        assert (dag["max_active_runs"], dag["catchup"]) == (1, False)
        assert (dag["retries"], dag["backoff"], dag["callbacks"]) == ([3], [True], [True])
        assert dag["timeouts"] == [6 * 3600.0]


def test_one_cron_and_several_are_scheduled_alike_in_the_specs_own_time_zone(loaded: dict[str, Any]) -> None:
    dags = loaded["dags"]
    weekly, twice, never = (dags[f"mlspec_{name}"] for name in ("weekly", "twice", "minimal"))
    assert (weekly["timetable"], weekly["zone"]) == ("MultipleCronTriggerTimetable", "America/Sao_Paulo")
    assert twice["timetable"] == "MultipleCronTriggerTimetable"
    assert never["timetable"] == "NullTimetable"
    # A run's logical date is the moment at which it is due, and the end of its interval too: `--at` means the same in both.
    assert weekly["first_run"] == ["2026-01-05T09:00:00+00:00"] * 3
    assert twice["first_run"] == ["2026-01-01T04:00:00+00:00"] * 3


def test_a_run_is_for_a_date_or_a_moment_and_nothing_else(loaded: dict[str, Any]) -> None:
    dates = loaded["dags"]["mlspec_minimal"]["dates"]
    assert [text for text, accepted in dates if accepted] == [
        None, "2026-02-01", "2026-02-01T06:00:00Z", "2026-02-01T06:00:00.5+02:00",
    ]  # fmt: skip
    assert len(dates) == 10


def test_forecasts_and_evaluations_are_assets_that_other_dags_can_name(loaded: dict[str, Any]) -> None:
    assert loaded["dags"]["mlspec_weekly"]["assets"] == {
        "make_forecast": ["x-mlspec://prod/weekly/forecast"],
        "evaluate": ["x-mlspec://prod/weekly/evaluation"],
    }


def test_all_tasks_are_in_the_pool_of_the_settings_and_say_what_they_do(loaded: dict[str, Any]) -> None:
    for dag in loaded["dags"].values():
        assert (dag["pools"], dag["undocumented"]) == (["forecasts"], [])


def test_a_late_run_is_told_where_airflow_can(loaded: dict[str, Any]) -> None:
    assert loaded["dags"]["mlspec_twice"]["late"] is None
    late = loaded["dags"]["mlspec_weekly"]["late"]
    if loaded["airflow"] == "airflow-oldest":
        assert late is None
        return
    after, event = late
    assert after == 4 * 3600.0
    assert (event["event"], event["run"], event["forecast"]) == ("deadline-missed", "2026-01-05T09:00:00Z", "weekly")


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


def home_in(folder: Path, airflow: str, mlspec: Path) -> Home:
    """Return an Airflow whose tasks run this command."""
    return new_home(folder, folder / "dags", {"MLSPEC_COMMAND": str(mlspec)}, airflow)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, preloaded: Preloaded) -> Home:
    """The newest Airflow, its DAGs those of some projects."""
    return home_in(tmp_path_factory.mktemp("airflow"), "airflow", preloaded.command)


def deploy(home: Home, root: Path) -> None:
    """Put a project's rendered DAGs where Airflow reads them."""
    home.settings["MLSPEC_ROOT"] = str(root)
    shutil.rmtree(home.dags, ignore_errors=True)
    shutil.copytree(root / "build" / "dags", home.dags)


def run_dag(home: Home, *words: str) -> tuple[int, str]:
    done = home.run("dags", "test", "mlspec_demand", "2026-01-05", *words)
    return done.returncode, done.stdout + done.stderr


def example_dag() -> str:
    """The DAG of docs/airflow.md that is scheduled on a forecast, switched on."""
    (text,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "airflow.md").read_text(), re.DOTALL)
    assert text.count('DAG("orders", ') == 1
    return str(text).replace('DAG("orders", ', 'DAG("orders", is_paused_upon_creation=False, ')


def test_a_whole_run_on_real_data_ends_with_a_forecast(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = a_project(tmp_path / "p", LENIENT)
    monkeypatch.chdir(root)
    assert front.run(["render", "--out", "build"]) == 0
    deploy(home, root)
    (home.dags / "orders.py").write_text(example_dag())
    code, log = run_dag(home)
    assert code == 0, log
    states = home.states("mlspec_demand")
    assert {name: states[name] for name in STEPS} == dict.fromkeys(STEPS, "success")
    # There was nothing to evaluate yet. The example's data ends in 2012, so at the end of the run the alert on its age fires.
    assert (states["kept_out"], states["alert"]) == ("skipped", "skipped")
    assert '"event": "threshold-broken", "forecast": "demand"' in log
    assert front.run(["forecast", "demand"]) == 0
    assert front.run(["plan", "--detailed-exitcode"]) == 0
    the_run_is_told_as_assets(home)
    again, log = run_dag(home)
    assert again == 0, log
    assert front.run(["plan", "--detailed-exitcode"]) == 0


def told_as_assets(home: Home) -> dict[str, Any]:
    """What a run said of each asset."""
    facts = "SELECT asset.uri, asset_event.extra FROM asset_event JOIN asset ON asset.id = asset_event.asset_id"
    return {uri: json.loads(extra) for uri, extra in home.asked(facts)}


def the_run_is_told_as_assets(home: Home) -> None:
    """The DAG of the docs waits for the forecast: Airflow starts it, and it is told which run made what."""
    told = told_as_assets(home)
    assert set(told) == {"x-mlspec://local/demand/forecast", "x-mlspec://local/demand/evaluation"}
    assert [each["well"] for each in told.values()] == [True, True]
    assert {each["at"] for each in told.values()} == {"2026-01-05T00:00:00Z"}
    runs = "SELECT run_type FROM dag_run WHERE dag_id = 'orders'"
    home.schedule_until(lambda: home.asked(runs) == [("asset_triggered",)])


def test_a_version_that_the_gate_keeps_out_ends_the_run_red_without_a_retry_and_tells(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = QUICK.replace("below: 0.15", "below: 0.0001")
    root = a_project(tmp_path / "p", spec)
    monkeypatch.chdir(root)
    front.run(["render", "--out", "build"])
    deploy(home, root)
    _, log = run_dag(home)
    states = home.states("mlspec_demand")
    assert (states["gate"], states["kept_out"]) == ("success", "failed")
    assert (states["train"], states["register"], states["finish"]) == ("skipped", "skipped", "success")
    tries = home.asked(
        "SELECT DISTINCT try_number FROM task_instance WHERE dag_id = 'mlspec_demand' AND task_id = 'kept_out'"
    )
    runs = home.asked("SELECT state FROM dag_run WHERE dag_id = 'mlspec_demand' ORDER BY id DESC LIMIT 1")
    assert (tries, runs) == ([(1,)], [("failed",)])
    assert '"event": "gate-closed", "forecast": "demand"' in log
    assert '"event": "task-failed"' not in log
    capsys.readouterr()
    assert front.run(["status", "--check"]) == 3


def test_a_dag_of_another_release_is_refused_by_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(a_project(tmp_path / "p", DEMAND))
    assert front.run(["step", "check", "--spec", "specs/demand.yaml", "--release", "0123456789ab"]) == 1
    assert "the spec has changed" in capsys.readouterr().err


def test_the_oldest_airflow_runs_a_dag_whole_for_a_date_that_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preloaded: Preloaded
) -> None:
    root = a_project(tmp_path / "p", LENIENT)
    monkeypatch.chdir(root)
    assert front.run(["render", "--out", "build"]) == 0
    oldest = home_in(tmp_path / "oldest", "airflow-oldest", preloaded.command)
    deploy(oldest, root)
    code, log = run_dag(oldest, "--conf", '{"at": "2026-02-01"}')
    assert code == 0, log
    states = oldest.states("mlspec_demand")
    assert {name: states[name] for name in STEPS} == dict.fromkeys(STEPS, "success")
    assert '"event": "threshold-broken", "forecast": "demand"' in log
    # The first moment of that date in Sao Paulo, the time zone of the spec.
    assert {facts["at"] for facts in told_as_assets(oldest).values()} == {"2026-02-01T03:00:00Z"}


def log_of_task(home: Home, root: Path, task: str, *stop_after: str) -> list[dict[str, Any]]:
    """Run one task as a worker does, until its end or until somebody stops it, and return its log."""
    deploy(home, root)
    log = root / "task.log"
    words = ("mlspec_demand.py", "mlspec_demand", task, str(log), *stop_after)
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


@pytest.mark.parametrize("airflow", AIRFLOWS)
def test_a_task_that_a_person_stops_ends_mlspec_which_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airflow: str
) -> None:
    root = a_project(tmp_path / "p", DEMAND)
    monkeypatch.chdir(root)
    assert front.run(["render", "--out", "build"]) == 0
    settings = {"MLSPEC_COMMAND": str(MLSPEC), "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1"}
    log = log_of_task(
        Home(tmp_path / "home", tmp_path / "dags", settings, airflow), root, "backtest", "backtest window 1 of"
    )
    events = [line["event"] for line in log]
    assert [event for event in events if "stopped by SIGTERM" in event], events
    assert at_work_in(root) == []


def at_work_in(folder: Path) -> list[str]:
    """The processes that were started in a folder and still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == folder and process.name != str(os.getpid()):
                found.append((process / "cmdline").read_text())
    return found
