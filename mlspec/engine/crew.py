"""Works on several forecasts at once, each in a process of its own: what one does to memory or to a library is gone with it.

A process is forked, does its work under its forecast's lock, and hands back what came of it. One that is killed from outside, for
want of memory say, fails its own forecast alone.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Generic, TypeVar

from mlspec.errors import Terminated

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
PATIENCE = 10.0  # seconds that those who were told to end have for it


@dataclass
class _Hand(Generic[Result]):
    place: int
    process: multiprocessing.context.ForkProcess
    pipe: Connection


def together(works: Sequence[Callable[[], Result]], at_once: int, lost: Callable[[int, int], Result]) -> list[Result]:
    """Run `works` in forked processes, at most `at_once` at a time, and return their results in order.

    `lost` makes the result of a place whose process ended without one, from its exit code. A signal is passed on to all, which have
    ten seconds to record what they did; then it is raised again.
    """
    results: dict[int, Result] = {}
    todo, hands = list(enumerate(works)), dict[int, _Hand[Result]]()
    try:
        while todo or hands:
            while todo and len(hands) < at_once:
                place, work = todo.pop(0)
                hands[place] = _begin(place, work)
            ready = wait([hand.pipe for hand in hands.values()])
            for hand in [each for each in hands.values() if each.pipe in ready]:
                results[hand.place] = _end(hand, lost)
                del hands[hand.place]
    except (KeyboardInterrupt, Terminated):
        for hand in hands.values():
            hand.process.terminate()
        try:
            deadline = time.monotonic() + PATIENCE
            for hand in hands.values():
                hand.process.join(max(deadline - time.monotonic(), 0.1))
        finally:  # a second signal does not wait
            for hand in hands.values():
                hand.process.kill()
        raise
    return [results[place] for place in range(len(works))]


def _begin(place: int, work: Callable[[], Result]) -> _Hand[Result]:
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_child, args=(work, there), daemon=True)
    process.start()
    logger.debug("process %d is started", process.pid or 0)
    there.close()
    return _Hand(place, process, here)


def _child(work: Callable[[], Result], pipe: Connection) -> None:
    """Do the work and hand back its result. A signal ends it: what was done is recorded, and there is nothing to hand back.

    One signal, however many come: a shell and systemd tell the whole group, and who began this process passes it on as well.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_once)
    try:
        pipe.send(work())
    except (KeyboardInterrupt, Terminated):
        os._exit(1)


def _end_once(_signum: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _end(hand: _Hand[Result], lost: Callable[[int, int], Result]) -> Result:
    try:
        result: Result = hand.pipe.recv()
    except EOFError:
        hand.process.join()
        logger.info("process %d ended with %s and no result", hand.process.pid or 0, hand.process.exitcode)
        return lost(hand.place, hand.process.exitcode or 0)
    hand.process.join()
    return result
