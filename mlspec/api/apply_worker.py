"""The process of an apply: reads the request, applies, and answers. Only this process has signal handlers of mlspec."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial

from mlspec.api.applied import ApplyReport, make_report
from mlspec.api.apply_process import ApplyProgress, ApplyRequest
from mlspec.api.opened_plan import open_project_plan
from mlspec.engine.context import ProgressReporter
from mlspec.engine.defects import as_error
from mlspec.engine.provision import apply_plan
from mlspec.errors import MlspecError, Refused, Terminated
from mlspec.plan.approval import missing_approvals
from mlspec.plan.saved import check_fresh
from mlspec.stop_signals import handle_signal

_HINT = "review plan(), then approve it: apply(destroy=True), or apply(protected=True) for a protected target"


def main() -> None:
    """Answer one request on the standard input."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no part of the answer
    handle_signal(signal.SIGINT)  # a shell starts what runs in its background without
    handle_signal(signal.SIGTERM)
    request: ApplyRequest = pickle.load(sys.stdin.buffer)  # noqa: S301  (of the process that has started this one)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def tell(forecast: str, step: str, done: int, total: int, text: str) -> None:
        pickle.dump(ApplyProgress(forecast, step, done, total, text), answers)
        answers.flush()

    with answers:
        try:
            pickle.dump(answer_request(request, tell), answers)
        except (KeyboardInterrupt, Terminated):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # nothing was changed: the way that it ended says enough
            signal.raise_signal(signal.SIGTERM)


def answer_request(request: ApplyRequest, tell: ProgressReporter) -> ApplyReport | MlspecError:
    """Return the report of an apply, or its error. A signal before anything was changed is raised."""
    try:
        with open_project_plan(
            request.root, request.target, request.select, tell=tell, lock_timeout=request.lock_timeout
        ) as opened:
            if request.plan is not None:
                check_fresh(request.plan, opened.plan)
            approve = partial(_approve, request, opened.engine.target.protect)
            return make_report(apply_plan(opened, approve, lock_timeout=request.lock_timeout))
    except Exception as error:  # noqa: BLE001  (the caller gets it, whatever it is)
        return as_error(error)


def _approve(request: ApplyRequest, protect: bool, reasons: Sequence[str]) -> None:
    """Raise Refused for the reasons that the request does not approve."""
    missing = missing_approvals(
        reasons, request.target, protect=protect, destroy=request.destroy, protected=request.protected
    )
    if missing:
        raise Refused(" and ".join(missing), hint=_HINT)


def _end_with_parent() -> None:
    """End this process in order once the one that started it is gone: that one holds the other end of the standard input."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
