"""Points that come too soon after another pass's are written for later; the newest value is never left out."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import pairwise

import pytest

from mlspec.clock import utc_now
from mlspec.errors import TargetError
from mlspec.state.point import MetricPoint
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.monitoring import write_metrics
from tests.gcp import platform
from tests.gcp.standin.harness import Running


def test_passes_in_quick_succession_all_tell_their_values_five_seconds_apart(
    standin: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    now = utc_now()
    moments = [f"{now + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}" for seconds in (0, 1, 1)]
    clients = Clients(standin.project, platform.REGION)
    for value, at in enumerate(moments):
        write_metrics(clients, "demand", [MetricPoint("value", "stale", "", float(value))], at)
    (series,) = platform.points(standin.project)
    assert [point.value.double_value for point in series.points] == [2.0, 1.0, 0.0]
    ends = [point.interval.end_time for point in series.points]
    assert all(later - earlier >= timedelta(seconds=5) for later, earlier in pairwise(ends))
    assert slept == [5.0] * 3  # once for the second pass, twice for the third
    with pytest.raises(TargetError, match="other passes keep writing them"):
        write_metrics(clients, "demand", [MetricPoint("value", "stale", "", 3.0)], moments[0])
    clients.close()
