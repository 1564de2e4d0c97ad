"""Answers an alert and kills itself before an effect: killed_before_effect EFFECT AFTER PROJECT REGION.

EFFECT and AFTER are the first words of calls to Google: it dies before the first EFFECT that comes after a call AFTER.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from mlspec.cli.redeploy import redeploy
from mlspec.errors import LockHeld
from mlspec.spec.gcp.location import GcpLocation
from mlspec.targets.gcp import retry
from mlspec.targets.gcp.record import bucket, lease
from mlspec.targets.gcp.vertex import endpoint, model_registry

effect, after = sys.argv[1:3]
calls: list[str] = []
call_with_retries = retry.call_with_retries


def counted(call: Callable[[], Any], what: str) -> Any:
    if what.startswith(effect) and any(earlier.startswith(after) for earlier in calls):
        os.kill(os.getpid(), signal.SIGKILL)
    calls.append(what)
    return call_with_retries(call, what)


bucket.call_with_retries = model_registry.call_with_retries = endpoint.call_with_retries = counted  # type: ignore[attr-defined]
lease.LIFE, lease.SKEW = timedelta(seconds=1), timedelta(0)
while isinstance((result := redeploy(GcpLocation("dev", *sys.argv[3:]), "demand")).error, LockHeld):
    time.sleep(0.1)  # until the lease of the one that was killed has run out
sys.exit(result.error.message if result.error else 0)
