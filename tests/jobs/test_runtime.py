"""A step computes in one thread, and loads no library for that."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info

from mlspec.jobs.runtime import single_threaded
from tests.processes import unmeasured


def test_in_a_step_every_library_has_one_thread_and_the_environment_is_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with single_threaded():
        assert (os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]) == ("1", "1")
        assert {each["num_threads"] for each in threadpool_info()} <= {1}
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_the_libraries_that_a_step_loads_have_one_thread_and_those_it_does_not_need_are_not_loaded() -> None:
    code = (
        "import sys\nfrom mlspec.jobs.runtime import single_threaded\nfrom threadpoolctl import threadpool_info\n"
        "with single_threaded():\n"
        "    assert 'sklearn' not in sys.modules and 'numpy' not in sys.modules\n"
        "    import numpy\n"
        "    print({each['num_threads'] for each in threadpool_info()} <= {1})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=unmeasured(), capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr
