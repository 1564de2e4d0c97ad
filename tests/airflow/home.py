"""An Airflow of its own for the tests: its home, its database, and nothing of the user's."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.tools import needs

# The command that the tasks run: the one that is tested.
MLSPEC = Path(sys.executable).parent / "mlspec"


@dataclass(frozen=True)
class Home:
    """One Airflow home; `dags` is the folder that it reads, `settings` what its environment says to the DAGs."""

    folder: Path
    dags: Path
    settings: dict[str, str]

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
        argv = [needs("airflow"), *words]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Airflow's own Python."""
        argv = [str(Path(needs("airflow")).parent / "python"), *words]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)

    def states(self, dag: str) -> dict[str, str]:
        """Return the state of each task of a DAG's newest run, as Airflow's database has it."""
        with sqlite3.connect(f"file:{self.folder / 'airflow.db'}?mode=ro", uri=True) as database:
            newest = "SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT 1"
            rows = database.execute(
                f"SELECT task_id, state FROM task_instance WHERE dag_id = ? AND run_id = ({newest})", (dag, dag)
            ).fetchall()
        database.close()
        return dict(rows)
