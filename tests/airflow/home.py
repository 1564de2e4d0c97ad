"""An Airflow of its own for the tests: its home, its database, and nothing of the user's."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tools import needs
from tests.waiting import until

# The command that the tasks run: the one that is tested.
MLSPEC = Path(sys.executable).parent / "mlspec"
_EMPTY = dict[str, bytes]()  # by tool: its database as it is made
# `airflow dags test` of Airflow 3.1 makes the app of its API again for each task, which takes seconds; later ones keep it too.
_ONE_APP = """\
import sys

if sys.argv[1:3] == ["dags", "test"]:
    from functools import lru_cache

    from airflow.sdk.execution_time import supervisor

    supervisor.in_process_api_server = lru_cache(maxsize=1)(supervisor.in_process_api_server)
"""


@dataclass(frozen=True)
class Home:
    """One Airflow home; `dags` is the folder that it reads, `settings` what its environment says to the DAGs.

    `tool` is the Airflow: `airflow`, the newest, or `airflow-oldest`, the oldest one that Composer 3 has.
    """

    folder: Path
    dags: Path
    settings: dict[str, str]
    tool: str = "airflow"

    @property
    def environment(self) -> dict[str, str]:
        """What Airflow's processes see."""
        own = {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__CORE__MAX_TASK_RETRY_DELAY": "1",  # a task that fails is tried again at once, and not after minutes
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        return {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")} | own | self.settings

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `airflow` with these words."""
        argv = [needs(self.tool), *words]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)

    def schedule_until(self, condition: Callable[[], Any]) -> None:
        """Let Airflow's scheduler work until a condition holds, then kill it: its own end may wait for a worker for ever."""
        argv = [needs(self.tool), "scheduler"]
        log = self.folder / "scheduler.txt"
        with log.open("w") as said:
            process = subprocess.Popen(
                argv, env=self.environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            until(condition)
        except AssertionError as error:
            raise AssertionError(log.read_text()) from error
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Airflow's own Python."""
        argv = [str(Path(needs(self.tool)).parent / "python"), *words]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)

    def asked(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """Return what a query finds in Airflow's database."""
        with sqlite3.connect(f"file:{self.folder / 'airflow.db'}?mode=ro", uri=True) as database:
            rows = database.execute(query, values).fetchall()
        database.close()
        return rows

    def states(self, dag: str) -> dict[str, str]:
        """Return the state of each task of a DAG's newest run, as Airflow's database has it."""
        newest = "SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT 1"
        return dict(
            self.asked(f"SELECT task_id, state FROM task_instance WHERE dag_id = ? AND run_id = ({newest})", dag, dag)
        )


def new_home(folder: Path, dags: Path, settings: dict[str, str], tool: str = "airflow") -> Home:
    """Return an Airflow with an empty database, which is made once in this process."""
    made = Home(folder, dags, settings, tool)
    if tool == "airflow-oldest":
        (folder / "config").mkdir(parents=True)
        (folder / "config" / "airflow_local_settings.py").write_text(_ONE_APP)
    file = folder / "airflow.db"
    if tool in _EMPTY:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_EMPTY[tool])
        return made
    migrated = made.run("db", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    _EMPTY[tool] = file.read_bytes()
    return made
