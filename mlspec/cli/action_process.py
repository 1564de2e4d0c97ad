"""A rollback that was ordered on a page, in a process of its own: it computes a forecast, and may take longer than a browser waits.

A failure that no page waits for any more is an event of the forecast, `RollbackFailed`: its time line and its history show it. If
the server ends meanwhile, the rollback goes on, and its process records its failure itself. If the rollback is killed, what is
recorded stands as after `mlspec rollback` that was killed: traffic has moved as a whole or not at all, and the next pass makes the
forecast.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from mlspec.cli.manual_operations import open_applied, open_applied_spec
from mlspec.engine import manual_operations
from mlspec.engine.assembly import ignore_progress
from mlspec.errors import Defect, LostProcess, MlspecError, Refused, UsageError

if TYPE_CHECKING:
    from mlspec.web.actions import ActionOrder, ActionResult

logger = logging.getLogger(__name__)
ANSWER_SECONDS = 25.0  # after which the page says that it goes on
LOCK_SECONDS = 10.0
RECORD_SECONDS = 600.0  # for which a failure waits for a pass that is under way, to be recorded
_WORDS = ("target", "forecast", "release", "serves", "author", "reason")


def run_in_process(target: str, order: ActionOrder) -> ActionResult:
    """Roll back, and return what was done, or that it goes on. Raises what the rollback raised, LostProcess if it was killed."""
    from mlspec.web.actions import ActionResult

    words = {
        "target": target, "forecast": order.forecast, "release": order.release, "serves": order.serves,
        "author": f"{order.author} (page)", "reason": order.reason,
    }  # fmt: skip
    # -P: what the working directory calls mlspec is not it.
    argv = [sys.executable, "-P", "-m", "mlspec.cli.action_process"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    answer: Future[str] = Future()
    threading.Thread(target=_follow, args=(process, words, answer), daemon=True).start()
    try:
        return ActionResult(answer.result(ANSWER_SECONDS))
    except TimeoutError:
        # From here on nobody reads the answer. One that came in between is still told.
        return ActionResult("", is_over=False) if answer.cancel() else ActionResult(answer.result())


def _follow(process: subprocess.Popen[str], words: Mapping[str, Any], answer: Future[str]) -> None:
    """Read the answer of the process, however long it takes. A failure that no page waits for any more is recorded."""
    problem: Exception | None = None
    sentence = ""
    try:
        sentence = _read_answer(process, process.communicate(json.dumps(words))[0])
    except Exception as error:  # noqa: BLE001  (who waits gets it)
        logger.warning("a rollback that a page ordered: %s", error)
        problem = error
    if not answer.set_running_or_notify_cancel():
        if problem is not None:
            _record_failure(words, str(problem))
    elif problem is not None:
        answer.set_exception(problem)
    else:
        answer.set_result(sentence)


def _record_failure(words: Mapping[str, Any], problem: str) -> None:
    """Let the record of the forecast say that a rollback which was accepted has failed."""
    try:
        manual_operations.record_failed_rollback(
            open_applied(words["forecast"], words["target"]), words["forecast"],
            f"{words['author']}: {words['reason']}", problem, RECORD_SECONDS,
        )  # fmt: skip
    except MlspecError as error:
        logger.warning("the failure of a rollback could not be recorded: %s", error.message)


def _read_answer(process: subprocess.Popen[str], text: str) -> str:
    try:
        told: dict[str, Any] = json.loads(text)
    except ValueError:
        raise LostProcess(
            f"the process that rolled back ended with {process.returncode}, and what it recorded stands",
            hint="the page of the forecast says what serves; if traffic has moved, the next pass makes the forecast",
        ) from None
    if "done" in told:
        return str(told["done"])
    kinds: dict[str, type[MlspecError]] = {"usage": UsageError, "refused": Refused}
    raise kinds.get(told["kind"], Defect)(told["message"], hint=told["hint"])


def main() -> None:
    """Read an order from stdin, roll back, and write what was done, or why it was not."""
    words = json.load(sys.stdin)
    try:
        told: dict[str, Any] = {"done": _roll_back(**{name: words[name] for name in _WORDS})}
    except MlspecError as error:
        kind = "usage" if isinstance(error, UsageError) else "refused"
        told = {"kind": kind, "message": error.message, "hint": error.hint}
    except Exception as error:  # noqa: BLE001  (the page says it)
        told = {"kind": "defect", "message": f"{type(error).__name__}: {error}", "hint": None}
    try:
        print(json.dumps(told), flush=True)
    except BrokenPipeError:  # the server has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        if "done" not in told:
            _record_failure(words, told["message"])


def _roll_back(*, target: str, forecast: str, release: int, serves: str, author: str, reason: str) -> str:
    engine, spec = open_applied_spec(forecast, target, ignore_progress)
    return manual_operations.roll_back(engine, spec, release, author, reason, LOCK_SECONDS, serves)


if __name__ == "__main__":
    main()
