"""Applies terraform's plan of one folder, and retries if Google refused a part of it, by the rules of `plan.gcp.adoption`."""

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
# Seconds before each retry of an apply that used up a quota of calls; these quotas are by the minute. One retry for each entry.
PAUSES = (5.0, 20.0, 60.0)


class TerraformApplier(Protocol):
    """Applies the plan that is kept in a folder."""

    def apply(self, folder: Path, *, slower: bool = False) -> tuple[Diagnostic, ...]:
        """Apply the plan, one request at a time if `slower`, and return the errors."""
        ...

    def show_plan(self, folder: Path) -> Mapping[str, Json]:
        """Return the plan as `terraform show -json` prints it."""
        ...

    def plan_again(self, folder: Path, adopt: Mapping[str, str], *, slower: bool) -> Mapping[str, Json]:
        """Make a new plan that imports the resources of `adopt` (address: id), keep it in the folder, and return it."""
        ...

    def apply_error(self, folder: Path, errors: Sequence[Diagnostic], why: str | None) -> MlspecError:
        """Return the error for the user."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...


def apply_with_retries(terraform: TerraformApplier, folder: Path, tell: Callable[[str], None]) -> None:
    """Apply the plan that a folder keeps, and nothing else. Raises TargetError with terraform's message."""
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
            tell(f"  Google's limit of calls is reached: terraform continues in {seconds:.0f} s, one request at a time")
            terraform.wait(seconds)
        logger.info("terraform applies again: slower %s, imported %s", remedy.one_at_a_time, sorted(remedy.adopt))
        adopted, slower = {**adopted, **remedy.adopt}, slower or remedy.one_at_a_time
        try:
            new_plan = terraform.plan_again(folder, adopted, slower=slower)
        except MlspecError as error:
            raise terraform.apply_error(folder, errors, f"terraform could not plan again: {error.message}") from error
        if why := adoption.find_objection(planned, new_plan, adopted):
            raise terraform.apply_error(folder, errors, why)
        for address in remedy.adopt:
            tell(f"  {address}: exists already and is this forecast's own: imported")
        errors = terraform.apply(folder, slower=slower)
    if errors:
        raise terraform.apply_error(folder, errors, None)
