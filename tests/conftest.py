"""What all tests share: one hypothesis profile that never depends on how fast the machine is, which run first, what is measured."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.processes import starting_unmeasured

# A shell starts what runs in its background with SIGINT ignored, and so would be everything that a test stops by it.
signal.signal(signal.SIGINT, signal.default_int_handler)
# pytest compares in full where these say that it runs in CI. For two large files of bytes this takes hours, and a test that should
# fail never ends. Tests do the same on every machine.
for name in ("CI", "BUILD_NUMBER"):
    os.environ.pop(name, None)
settings.register_profile(
    "mlspec", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True,
    max_examples=int(os.environ.get("MLSPEC_EXAMPLES", "50")),
)  # fmt: skip
# For mutations, which only ask whether a test fails: the smallest example that does takes longer to find than any that does.
settings.register_profile("any failure", settings.get_profile("mlspec"), phases=(Phase.explicit, Phase.generate))
settings.load_profile(os.environ.get("MLSPEC_HYPOTHESIS", "mlspec"))

pytest_plugins = ["tests.gcp.pubsub", "tests.preloaded", "tests.stores", "tests.terraform.plugin"]

FOLDER = Path.cwd()  # in which all tests run
# Those that take longest, of those in no group: what begins last should be short, as no other process can help with it.
LONGEST = ("tests/docs/test_sessions.py", "tests/gcp/test_fault_at_every_call.py", "tests/engine/test_reconcile_crash.py",
           "tests/terraform/test_platform.py", "tests/gcp/test_faults.py", "tests/test_acceptance.py")  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest begin first."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Let Python look for garbage less often: that took nearly a tenth of the time of a test's own process."""
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def _stays_in_its_folder() -> Iterator[None]:
    """Fail a test that leaves its process in another folder: the tests that follow start their own programs from there.

    What several tests share is set up before this, so they fail where that is left in another folder.
    """
    assert Path.cwd() == FOLDER
    yield
    after = Path.cwd()
    os.chdir(FOLDER)
    assert after == FOLDER


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Leave the processes that a test starts out of coverage, where the test itself is left out: it is marked `no_cover`.

    Those are tests that go the same way again and again, at every moment at which it can be cut off.
    """
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    with starting_unmeasured():
        return (yield)
