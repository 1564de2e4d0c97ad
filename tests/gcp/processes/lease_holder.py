"""Takes a forecast's lease, says so, and writes an event once a line comes in: lease_holder PROJECT CACHE_FOLDER."""

import sys
from datetime import timedelta
from pathlib import Path

from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.observed import Settlement
from mlspec.state.record import Event
from mlspec.targets.gcp.record import lease
from mlspec.targets.gcp.target import GcpTarget

lease.LIFE, lease.SKEW = timedelta(seconds=1), timedelta(0)
target = GcpTarget(GcpLocation("dev", sys.argv[1], "europe-west1"), Path(sys.argv[2]))
with target.lock_forecast("demand", "apply", "2024-03-01T00:00:00Z", 0.0):
    print("held", flush=True)
    sys.stdin.readline()
    event = Event("demand", "2024-03-01T00:00:00Z", "Normal", "R", "woke up")
    target.record_settlement(Settlement("demand", events=(event,)), "2024-03-01T00:00:00Z")
