"""Makes one pass of the loop and kills itself before its n-th call to Google; prints the number of calls: killed_at_call N."""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from mlspec.cli.main import run
from mlspec.targets.gcp import monitoring, retry, secrets
from mlspec.targets.gcp.data import bigquery
from mlspec.targets.gcp.record import bucket, lease
from mlspec.targets.gcp.vertex import endpoint, model_registry

CALLERS = (bucket, model_registry, endpoint, bigquery, monitoring, secrets)
killed_at, calls = int(sys.argv[1]), 0
call_with_retries = retry.call_with_retries


def counted(call: Callable[[], Any], what: str) -> Any:
    global calls  # noqa: PLW0603  (one count for the whole process)
    calls += 1
    if calls == killed_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return call_with_retries(call, what)


for module in CALLERS:
    assert module.call_with_retries is call_with_retries  # type: ignore[attr-defined]
    module.call_with_retries = counted  # type: ignore[attr-defined]
lease.LIFE, lease.SKEW = timedelta(seconds=2), timedelta(0)
code = run(["reconcile", "--once", "--lock-timeout", "30s", "--target", "dev"])
print(calls)
sys.exit(code)
