"""What rendered DAGs cost Airflow: one against an empty file with one task, 1,000 against dag-factory's for the same tasks.

Run: python benchmarks/airflow_dags.py, after scripts/tools bench. Each figure is a whole process that starts, imports what its
files need and loads them as the DAG processor does. Prints ratios of one run on one machine; exits 1 beyond a bar.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from mlspec.render.dag import dag_file
from mlspec.spec import read_specs

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(os.environ.get("MLSPEC_TOOLS_DIR", ROOT / ".tools"))
PYTHON = TOOLS / "dag-factory" / "bin" / "python"
DAGS = 1000
ROUNDS = 5

LOAD = """
import sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
assert not bag.import_errors, list(bag.import_errors.items())[0]
assert len(bag.dags) == int(sys.argv[2]), len(bag.dags)
"""
EMPTY = """
from airflow.sdk import dag, task


@dag(dag_id="empty", schedule=None)
def empty():
    @task
    def nothing():
        pass

    nothing()


empty()
"""
# Airflow looks only at files that have the words airflow and dag in them.
FACTORY = """
# airflow dag
from dagfactory import load_yaml_dags

load_yaml_dags(globals_dict=globals(), dags_folder={folder!r})
"""
CHOOSE = """
def gate():
    return "train"


def evaluate():
    return "alert"


def told(context):
    print(context)
"""
_OPERATORS = "airflow.providers.standard.operators"
TASKS = {
    "check": [], "evaluate": ["check"], "alert": ["evaluate"], "move_traffic": ["evaluate"], "backtest": ["check", "move_traffic"],
    "gate": ["backtest"], "train": ["gate"], "kept_out": ["gate"], "register": ["train"], "roll_out": ["register"],
    "make_forecast": ["roll_out"], "finish": ["make_forecast"],
}  # fmt: skip


def rendered(count: int, folder: Path) -> Path:
    """Write `count` rendered DAGs."""
    spec = read_specs([ROOT / "specs" / "demand.yaml"], ROOT, "local").specs[0]
    schedule = spec.forecast.schedule.model_copy(update={"retrain": None})  # one cron, as the other side has
    text = dag_file(
        spec.forecast.model_copy(update={"schedule": schedule}),
        spec_hash=spec.spec_hash,
        target="local",
        file="specs/demand.yaml",
    )
    for index in range(count):
        (folder / f"demand_{index}.py").write_text(text.replace("mlspec_demand", f"mlspec_demand_{index}"))
    return folder


def factory(count: int, folder: Path) -> Path:
    """Write `count` DAGs of the same tasks for dag-factory, and the file that loads them."""
    configs = folder / "configs"
    configs.mkdir()
    (folder / "choose.py").write_text(CHOOSE)
    for index in range(count):
        (configs / f"demand_{index}.yaml").write_text(_config(index, folder / "choose.py"))
    (folder / "load.py").write_text(FACTORY.format(folder=str(configs)))
    return folder


def _seconds(count: int) -> dict[str, object]:
    """Return a length of time as dag-factory wants it."""
    return {"__type__": "datetime.timedelta", "seconds": count}


def _config(index: int, choose: Path) -> str:
    """Return one DAG of the same tasks, settings and callback: shell commands for the steps, as they are cheapest to load."""
    dag = {
        "description": "Forecast demand, by mlspec", "doc_md": "Weekly sales per store and department", "schedule": "0 6 * * MON",
        "catchup": False, "max_active_runs": 1, "tags": ["mlspec", "demand"], "dagrun_timeout": _seconds(86400),
        "default_args": {
            "owner": "supply-chain@example.com", "start_date": "2024-01-01", "retries": 3, "retry_delay": _seconds(120),
            "retry_exponential_backoff": True, "max_retry_delay": _seconds(1800), "execution_timeout": _seconds(21600),
            "on_failure_callback_name": "told", "on_failure_callback_file": str(choose),
        },
        "tasks": [
            {
                "task_id": name, "dependencies": before,
                **(
                    {
                        "operator": f"{_OPERATORS}.python.BranchPythonOperator",
                        "python_callable_name": name, "python_callable_file": str(choose),
                    }
                    if name in ("gate", "evaluate")
                    else {"operator": f"{_OPERATORS}.bash.BashOperator", "bash_command": f"mlspec step {name}"}
                ),
            }
            for name, before in TASKS.items()
        ],
    }  # fmt: skip
    return yaml.safe_dump({f"demand_{index}": dag}, sort_keys=False)


def seconds(folder: Path, count: int, home: Path) -> float:
    """Return the wall time of a process that loads a folder of DAGs."""
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    environment["AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT"] = "600"
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    done = subprocess.run(
        [str(PYTHON), "-c", LOAD, str(folder), str(count)], env=environment, capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    return took


def medians(rounds: int, *calls: Callable[[], float]) -> list[float]:
    """Return each call's median, the calls taken in turns."""
    times = [[call() for call in calls] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def main() -> int:
    """Print every ratio beside its bar, and return 1 where one is beyond it."""
    if not PYTHON.is_file():
        print("needs Airflow and dag-factory: run scripts/tools bench", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for part in ("home", "empty", "one", "many", "factory"):
            (root / part).mkdir()
        (root / "empty" / "empty.py").write_text(EMPTY)
        rendered(1, root / "one")
        rendered(DAGS, root / "many")
        factory(DAGS, root / "factory")
        home = root / "home"
        empty, one = medians(ROUNDS, lambda: seconds(root / "empty", 1, home), lambda: seconds(root / "one", 1, home))
        many, theirs = medians(
            2, lambda: seconds(root / "many", DAGS, home), lambda: seconds(root / "factory", DAGS, home)
        )
    rows = [
        ("load one rendered DAG / an empty file with one task", one / empty, 1.25),
        (
            f"load {DAGS} rendered DAGs ({many:.1f} s) / the same tasks by dag-factory ({theirs:.1f} s)",
            many / theirs,
            0.5,
        ),
    ]
    for what, ratio, bar in rows:
        print(f"{what}: {ratio:.2f} x (bar {bar:g} x){'' if ratio <= bar else '  BEYOND'}")
    return int(any(ratio > bar for _, ratio, bar in rows))


if __name__ == "__main__":
    sys.exit(main())
