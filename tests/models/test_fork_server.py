"""Calls of models are forks of one process that has imported the libraries: they begin alike, share nothing, and leave nothing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlspec.errors import BrokenModel
from mlspec.forecast.arrow_stream import to_arrow
from mlspec.jobs.isolation import run_apart
from mlspec.models import ModelContext
from mlspec.models.code import find_model_code
from mlspec.models.fork_client import end_idle_servers
from mlspec.models.process import ModelCall, fit_and_save
from tests.models.projects import write_model
from tests.models.test_broken_models import is_gone
from tests.tools import needs_linux
from tests.waiting import until

# A model that saves what it sees.
SEES = """\
import builtins, json, os, random, sys
from pathlib import Path

import numpy as np
import pandas as pd


class Model:
    def fit(self, history, future, context):
        self.seen = {SEEN}
        DOES

    def predict(self, history, future, context):
        return future

    def save(self, folder):
        (folder / "seen.json").write_text(json.dumps(self.seen))

    @classmethod
    def load(cls, folder):
        return cls()
"""


@pytest.fixture(autouse=True)
def new_server() -> Iterator[None]:
    """No test uses the server of another."""
    end_idle_servers()
    yield
    end_idle_servers()


@pytest.fixture
def look(tmp_path: Path) -> Any:
    """A function that fits a model in a process of its own, and returns what that saw there. `does` is what it does then."""

    def fit(does: str = "pass", **seen: str) -> dict[str, Any]:
        pairs = ", ".join(f"{name!r}: {value}" for name, value in {"server": "os.getppid()", **seen}.items())
        write_model(tmp_path, SEES.replace("SEEN", pairs).replace("DOES", does), "models/sees.py")
        table = to_arrow(pd.DataFrame({"unique_id": ["a"], "y": [1.0]}))
        code = find_model_code(tmp_path, "models.sees:Model")
        context = ModelContext(horizon=1, frequency="D", season=1, seed=0, quantiles=())
        state = fit_and_save(ModelCall("sees", code, "fit", {}, context, 60.0, table, table, {}))
        found: dict[str, Any] = json.loads(state["seen.json"])
        return found

    return fit


def test_a_call_finds_nothing_that_another_left(look: Any, tmp_path: Path) -> None:
    finds = {
        "builtin": "hasattr(builtins, 'left')", "module": "'left' in sys.modules", "option": "pd.options.mode.copy_on_write",
        "environment": "os.environ.get('LEFT')", "path": "len(sys.path)", "folder": "os.getcwd() == str(Path(__file__).parents[1])",
        "random": "random.random()", "numpy": "float(np.random.rand())", "modules": "sorted(sys.modules)",
        "files": "sorted(path.name for path in Path('.').rglob('*'))", "hash": "hash('left')",
    }  # fmt: skip
    leaves = (
        "builtins.left = 1; sys.modules['left'] = sys; pd.options.mode.copy_on_write = True; os.environ['LEFT'] = '1'; "
        "sys.path.append('/left'); Path('left').touch(); os.chdir('/'); random.seed(1); np.random.seed(1); "
        "import sqlite3; sys.setrecursionlimit(5000)"
    )
    first, second = look(leaves, **finds), look(leaves, **finds)
    assert first == second  # of one server too
    assert (first["builtin"], first["module"], first["environment"], first["folder"]) == (False, False, None, True)
    assert "sqlite3" not in first["modules"]


def test_a_call_inherits_its_own_streams_and_no_other_descriptor(look: Any) -> None:
    needs_linux("/proc")
    descriptors = "[os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}')]"
    seen = look(descriptors=descriptors, leader="os.getsid(0) == os.getpid()")
    assert not [name for name in seen["descriptors"] if name.startswith("socket:")]
    assert len({name for name in seen["descriptors"] if name.startswith("pipe:")}) == 2  # its output, and its lifeline
    assert seen["leader"]


def test_the_server_has_no_thread_that_works_and_no_secret(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_linux("/proc")
    monkeypatch.setenv("ORDERS_PASSWORD", "hunter2hunter2")
    server = "Path(f'/proc/{os.getppid()}')"
    threads = f"[p.read_text().strip() for p in {server}.glob('task/*/comm') if p.parent.name != str(os.getppid())]"
    seen = look(threads=threads, environ=f"({server} / 'environ').read_text()")
    assert seen["threads"] in ([], ["jemalloc_bg_thd"])  # pyarrow's jemalloc has one, and stops it at a fork by itself
    assert "PYTHONHASHSEED=0" in seen["environ"]
    assert "hunter2" not in seen["environ"]


def test_a_call_has_the_environment_of_its_time(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", "/one")
    before = look(home="os.environ['HF_HOME']")
    monkeypatch.setenv("HF_HOME", "/other")
    after = look(home="os.environ['HF_HOME']")
    assert (before["home"], after["home"]) == ("/one", "/other")
    assert before["server"] != after["server"]


def test_a_server_that_ended_is_started_again(look: Any) -> None:
    first = look()["server"]
    os.kill(first, signal.SIGKILL)
    assert look()["server"] != first


def test_a_model_that_ends_its_server_is_refused_and_the_next_call_runs(look: Any) -> None:
    first = look()["server"]
    with pytest.raises(BrokenModel, match=r"models/sees\.py:9: fit ended the process that started it"):
        look("import signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)")
    assert look()["server"] != first


def test_a_fork_of_this_process_starts_its_own_server(look: Any) -> None:
    needs_linux("/proc")
    first = look()["server"]
    forked = int(run_apart(lambda: str(look()["server"]).encode(), "the fork"))
    assert forked != first
    until(lambda: is_gone(forked), 20)
    assert look()["server"] == first


def test_a_server_that_is_ended_is_gone(look: Any) -> None:
    needs_linux("/proc")
    server = look()["server"]
    assert not is_gone(server)
    end_idle_servers()
    assert is_gone(server)
