"""Whether long work has ended, where the service that knows it does not answer."""

from __future__ import annotations

import pytest

from mlspec.errors import TargetError
from mlspec.state.ledger import StartedWork
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.work_watch import WorkWatch

T = "2026-03-02T06:00:00Z"


def started(number: int) -> StartedWork:
    """Work of Cloud Run."""
    name = f"projects/p/locations/l/jobs/j/executions/{number}"
    return StartedWork("execution", name, f"step {number}", what="a step", started=T, deadline=T, key="")


def test_an_outage_is_waited_for_once_a_session_and_what_cannot_be_asked_for_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def refused(_watch: WorkWatch, name: str) -> bool:
        asked.append(name)
        raise TargetError("cannot list the executions: 503", hint="wait")

    monkeypatch.setattr(WorkWatch, "_is_execution_over", refused)
    watch = WorkWatch(Clients("p", "l"))
    with watch.session():
        assert [watch.is_over(started(number)) for number in range(20)] == [False] * 20
    assert len(asked) == 1
    with watch.session():
        assert not watch.is_over(started(0))
    assert len(asked) == 2
