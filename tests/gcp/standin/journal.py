"""What was called, what goes wrong by order of a test, and what tried to leave this machine."""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.gcp.standin.refused import Refused, code_named

Answer = TypeVar("Answer")
# How a name of a gRPC method begins that changes nothing; over HTTP a GET changes nothing.
_READS = re.compile(r"(Get|List|Query|Search|Test|Access|Predict|RawPredict|Encrypt|Decrypt|Fetch|Wait|Check)(?![a-z])")


@dataclass
class Fault:
    """An answer that will go wrong, as often as `count` says, after `skip` that go well, and then one in `every`; with `first`,
    only what was not asked before.

    `method` is a regular expression over names like `storage.objects.insert` and
    `google.cloud.aiplatform.v1.EndpointService.DeployModel`. With a `code` nothing is done; `delay` (seconds) comes before
    anything else; `lost` means done, and the connection cut before the answer, or that code said. `agent` is a regular
    expression over what the caller says it is, such as `mlspec/0.1.0 gl-python/3.12`.
    """

    method: str
    code: str | int | None = None
    message: str = "a fault that the test asked for"
    retry_after: int | None = None
    delay: float = 0.0
    lost: bool = False
    count: int = 1
    skip: int = 0
    every: int = 1
    agent: str = ""
    first: bool = False
    asked: set[str] = field(default_factory=set)

    def about(self, call: Call) -> bool:
        """Say whether a call is one that may go wrong."""
        if self.count <= 0 or not (re.search(self.method, call.method) and re.search(self.agent, call.agent)):
            return False
        known = call.asked in self.asked
        self.asked.add(call.asked)
        return not (self.first and known)

    def due(self) -> bool:
        """Say whether a call that it is about goes wrong, and count it."""
        if self.skip > 0:
            self.skip -= 1
            return False
        self.count, self.skip = self.count - 1, self.every - 1
        return True

    def refuse(self) -> None:
        """Raise what the fault answers with; nothing where it answers."""
        if self.code is not None:
            raise Refused(code_named(self.code), self.message, retry_after=self.retry_after)


@dataclass
class Call:
    """One call, in the order of arrival. `mutating` is a guess by name: does it change anything? `agent` is who says to call,
    `asked` tells what is asked from anything else.
    """

    method: str
    mutating: bool
    agent: str = ""
    asked: str = ""
    answer: str = "OK"


@dataclass
class Journal:
    """All that a test asks about afterwards."""

    calls: list[Call] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    """Hosts that somebody tried to reach and that are none of Google's."""
    ignored: list[str] = field(default_factory=list)
    """Fields that a caller set though only the service sets them, each with its method: Google drops them without a word."""
    lock: Any = field(default_factory=threading.Lock, repr=False)

    def copied(self) -> Journal:
        """Return another one with the same calls and faults."""
        with self.lock:
            return copy.deepcopy(self, {id(self.lock): threading.Lock()})

    def add_fault(self, fault: Fault) -> None:
        """Let calls go wrong from now on. Raises ValueError where it says nothing that can be done."""
        re.compile(fault.method)
        re.compile(fault.agent)
        if fault.code is not None:
            code_named(fault.code)
        with self.lock:
            self.faults.append(fault)

    def _arrive(self, call: Call) -> Fault:
        with self.lock:
            self.calls.append(call)
            return next((each for each in self.faults if each.about(call) and each.due()), Fault(""))

    def carry_out(self, call: Call, *, effect: Callable[[], Answer], cut: Callable[[], None]) -> Answer:
        """Return the effect's answer, noted and, where a fault is due, gone wrong. Raises Refused."""
        fault = self._arrive(call)
        try:
            time.sleep(fault.delay)
            if not fault.lost:
                fault.refuse()
            answer = effect()
            fault.refuse()
        except Refused as refused:
            call.answer = refused.code
            raise
        if fault.lost:
            call.answer = "lost"
            cut()
        return answer


def reads(rpc: str) -> bool:
    """Say whether a gRPC method changes nothing, by its name."""
    return _READS.match(rpc) is not None
