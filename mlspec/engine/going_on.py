"""Carries out terraform's plan for one folder, and goes on where Google refused a part of it: by the rules of `plan.adopting`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mlspec.errors import MlspecError
from mlspec.plan import adopting
from mlspec.state.resource import Json
from mlspec.state.wrong import Wrong

logger = logging.getLogger(__name__)
# Seconds before an apply goes on that was too much at once: quotas of calls are by the minute. It goes on as often.
PAUSES = (5.0, 20.0, 60.0)


class Applying(Protocol):
    """Whoever carries out a plan that a folder keeps."""

    def apply(self, folder: Path, *, slower: bool = False) -> tuple[Wrong, ...]:
        """Carry out the plan, one thing at a time if `slower`, and return what went wrong."""
        ...

    def shown(self, folder: Path) -> Mapping[str, Json]:
        """Return the plan as `terraform show -json` says it."""
        ...

    def plan_again(self, folder: Path, adopt: Mapping[str, str], *, slower: bool) -> Mapping[str, Json]:
        """Keep a new plan in the folder, that adopts resources by their ids, and return it. Raises TargetError."""
        ...

    def failed(self, folder: Path, wrong: Sequence[Wrong], why: str | None) -> MlspecError:
        """Return the error in words."""
        ...

    def wait(self, seconds: float) -> None:
        """Do nothing for a while."""
        ...


def carry_out(terraform: Applying, folder: Path, tell: Callable[[str], None]) -> None:
    """Carry out the plan that a folder keeps, and nothing else. Raises TargetError with terraform's own words."""
    wrong = terraform.apply(folder)
    planned = terraform.shown(folder) if adopting.mendable(wrong) else {}
    adopted: dict[str, str] = {}
    slower = False
    for pause in PAUSES:
        way = adopting.again(wrong, planned)
        if way is None:
            break
        if way.slower:
            seconds = max(pause, min(way.delay, PAUSES[-1]))
            tell(f"  Google asks for fewer calls at once: terraform goes on in {seconds:.0f} s, one thing at a time")
            terraform.wait(seconds)
        logger.info("terraform is asked again: slower %s, adopted %s", way.slower, sorted(way.adopt))
        adopted, slower = {**adopted, **way.adopt}, slower or way.slower
        try:
            now = terraform.plan_again(folder, adopted, slower=slower)
        except MlspecError as error:
            raise terraform.failed(folder, wrong, f"it could not be planned again: {error.message}") from error
        if why := adopting.objection(planned, now, adopted):
            raise terraform.failed(folder, wrong, why)
        for address in way.adopt:
            tell(f"  {address}: is there already, and is this forecast's own: adopted")
        wrong = terraform.apply(folder, slower=slower)
    if wrong:
        raise terraform.failed(folder, wrong, None)
