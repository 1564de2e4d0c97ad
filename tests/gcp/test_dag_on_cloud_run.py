"""A rendered DAG on the newest and the oldest Airflow of Composer 3, with Google's own provider: its steps are jobs on Cloud Run.

The jobs' program is a few lines here, since what is looked at is who starts an execution, who waits for it, and what it ended with.
`airflow dags test` runs the trigger as the triggerer does, in the process of the run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.airflow.home import Home, new_home
from tests.gcp import platform
from tests.gcp.standin.harness import Running
from tests.gcp.whole import AS_COMPOSER
from tests.render.specs import all_files, write

pytestmark = [
    pytest.mark.xdist_group("airflow"),
    pytest.mark.no_cover,  # nothing of mlspec runs here but the rendered text
]
# A container: the gate lets no version in, and all else goes well.
CONTAINER = "import sys; sys.exit(3 if sys.argv[2] == 'gate' else 0)"
DAY = "2026-01-05"


@pytest.fixture(params=["airflow", "airflow-oldest"])
def home(request: pytest.FixtureRequest, standin: Running, tmp_path: Path) -> Home:
    """An Airflow as on Composer, its DAGs those of two forecasts, which exist on Cloud Run."""
    standin.hook("step", [sys.executable, "-c", CONTAINER])
    for name in ("minimal", "weekly"):
        platform.forecast(standin.project, name)
    platform.loop(standin.project)
    write(all_files(tmp_path), tmp_path / "out")
    settings = {
        **standin.environment, **AS_COMPOSER,
        "MLSPEC_RUNNER": "cloud-run", "MLSPEC_PROJECT": standin.project, "MLSPEC_REGION": platform.REGION,
    }  # fmt: skip
    return new_home(tmp_path / "airflow", tmp_path / "out" / "dags", settings, request.param)


def test_the_triggerer_waits_for_each_step_and_its_exit_code_is_the_verdict(home: Home, standin: Running) -> None:
    home.run("dags", "test", "mlspec_minimal", DAY)
    states = home.states("mlspec_minimal")
    assert (states["gate"], states["kept_out"], states["train"], states["finish"]) == (
        "success", "failed", "skipped", "success",
    )  # fmt: skip
    waited = home.asked("SELECT task_id, value FROM xcom WHERE key = 'execution' AND dag_id = 'mlspec_minimal'")
    executions = [
        each for job in ("minimal-step", "mlspec-reconcile") for each in platform.executions(standin.project, job)
    ]
    assert {name.strip('"') for _, name in waited} == {each.name for each in executions}
    assert {task for task, _ in waited} == {
        "check", "evaluate", "move_traffic", "backtest", "gate", "roll_out", "make_forecast", "finish",
    }  # fmt: skip
    assert len(executions) == 8
