"""Works on several forecasts at once, each in its own process, so that memory and library state end with the process.

A process is forked, does its work under its forecast's lock, and returns the result. If it is killed from outside, for example
because memory ran out, only its own forecast fails.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

from mlspec.errors import Terminated
from mlspec.processors import share_processors
from mlspec.stop_signals import handle_signal

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
PATIENCE = 10.0  # seconds between the request to end and the kill


@dataclass
class _Worker(Generic[Result]):
    index: int
    process: multiprocessing.context.ForkProcess
    pipe: Connection


def run_in_processes(
    works: Sequence[Callable[[], Result]], at_once: int, lost: Callable[[int, int], Result]
) -> list[Result]:
    """Run `works` in forked processes, at most `at_once` at a time, and return their results in order.

    Those that run at the same time share the processors. `lost` makes the result for a process that ended without one, from its
    index and exit code. A signal is passed on to all
    processes, which have PATIENCE seconds to record their work; then it is raised again.
    """
    results: dict[int, Result] = {}
    todo, workers = list(enumerate(works)), dict[int, _Worker[Result]]()
    try:
        while todo or workers:
            while todo and len(workers) < at_once:
                index, work = todo.pop(0)
                workers[index] = _start_worker(index, work, min(at_once, len(works)))
            ready = wait([worker.pipe for worker in workers.values()])
            for worker in [running for running in workers.values() if running.pipe in ready]:
                results[worker.index] = _collect_result(worker, lost)
                del workers[worker.index]
    except (KeyboardInterrupt, Terminated):
        for worker in workers.values():
            worker.process.terminate()
        try:
            deadline = time.monotonic() + PATIENCE
            for worker in workers.values():
                worker.process.join(max(deadline - time.monotonic(), 0.1))
        finally:  # a second signal does not wait
            for worker in workers.values():
                worker.process.kill()
        raise
    return [results[index] for index in range(len(works))]


def _start_worker(index: int, work: Callable[[], Result], at_once: int) -> _Worker[Result]:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_run_child, args=(work, sender, at_once), daemon=True)
    process.start()
    logger.debug("process %d is started", process.pid or 0)
    sender.close()
    return _Worker(index, process, receiver)


def _run_child(work: Callable[[], Result], pipe: Connection, at_once: int) -> None:
    """Do the work and send its result. A signal ends it: the work so far is recorded, and there is no result to send.

    Only the first signal counts: a shell and systemd signal the whole process group, and the parent process passes the signal
    on too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    handle_signal(signal.SIGTERM, once=True)
    share_processors(at_once)
    try:
        result = work()
        with suppress(BrokenPipeError):  # who asked was killed, and the work so far is recorded
            pipe.send(result)
    except (KeyboardInterrupt, Terminated):
        os._exit(1)


def _collect_result(worker: _Worker[Result], lost: Callable[[int, int], Result]) -> Result:
    try:
        result: Result = worker.pipe.recv()
    except EOFError:
        worker.process.join()
        logger.info("process %d ended with %s and no result", worker.process.pid or 0, worker.process.exitcode)
        return lost(worker.index, worker.process.exitcode or 0)
    worker.process.join()
    return result
