"""Carries out terraform's plan for one folder, and goes on where Google refused a part of it: by the rules of `plan.adopting`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mlspec.errors import MlspecError
from mlspec.plan.gcp import adoption
from mlspec.state.diagnostic import Diagnostic
from mlspec.state.resource import Json

logger = logging.getLogger(__name__)
# Seconds before an apply goes on that was too much at once: quotas of calls are by the minute. It goes on as often.
PAUSES = (5.0, 20.0, 60.0)


class TerraformApplier(Protocol):
    """Whoever carries out a plan that a folder keeps."""

    def apply(self, folder: Path, *, slower: bool = False) -> tuple[Diagnostic, ...]:
        """Carry out the plan, one thing at a time if `slower`, and return what went wrong."""
        ...

    def show_plan(self, folder: Path) -> Mapping[str, Json]:
        """Return the plan as `terraform show -json` says it."""
        ...

    def plan_again(self, folder: Path, adopt: Mapping[str, str], *, slower: bool) -> Mapping[str, Json]:
        """Keep a new plan in the folder, that adopts resources by their ids, and return it. Raises TargetError."""
        ...

    def apply_error(self, folder: Path, errors: Sequence[Diagnostic], why: str | None) -> MlspecError:
        """Return the error in words."""
        ...

    def wait(self, seconds: float) -> None:
        """Do nothing for a while."""
        ...


def apply_with_retries(terraform: TerraformApplier, folder: Path, tell: Callable[[str], None]) -> None:
    """Carry out the plan that a folder keeps, and nothing else. Raises TargetError with terraform's own words."""
    errors = terraform.apply(folder)
    planned = terraform.show_plan(folder) if adoption.is_retryable(errors) else {}
    adopted: dict[str, str] = {}
    slower = False
    for pause in PAUSES:
        remedy = adoption.plan_retry(errors, planned)
        if remedy is None:
            break
        if remedy.one_at_a_time:
            seconds = max(pause, min(remedy.delay, PAUSES[-1]))
            tell(f"  Google asks for fewer calls at once: terraform goes on in {seconds:.0f} s, one thing at a time")
            terraform.wait(seconds)
        logger.info("terraform is asked again: slower %s, adopted %s", remedy.one_at_a_time, sorted(remedy.adopt))
        adopted, slower = {**adopted, **remedy.adopt}, slower or remedy.one_at_a_time
        try:
            new_plan = terraform.plan_again(folder, adopted, slower=slower)
        except MlspecError as error:
            raise terraform.apply_error(folder, errors, f"it could not be planned again: {error.message}") from error
        if why := adoption.find_objection(planned, new_plan, adopted):
            raise terraform.apply_error(folder, errors, why)
        for address in remedy.adopt:
            tell(f"  {address}: is there already, and is this forecast's own: adopted")
        errors = terraform.apply(folder, slower=slower)
    if errors:
        raise terraform.apply_error(folder, errors, None)
