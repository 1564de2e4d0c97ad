"""Applies terraform's plan of one folder, and retries if Google refused a part of it, by the rules of `plan.gcp.adoption`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mlspec.errors import MlspecError, StalePlan
from mlspec.plan.gcp import adoption
from mlspec.state.diagnostic import Diagnostic
from mlspec.state.resource import Json

logger = logging.getLogger(__name__)
# Seconds before each retry of an apply that used up a quota of calls; these quotas are by the minute. One retry for each entry.
PAUSES = (5.0, 20.0, 60.0)
# Seconds before each retry of an apply that waits until a change has reached all of Google's systems, again and again the last one.
SETTLING_PAUSES = (15.0, 30.0, 60.0)


class TerraformApplier(Protocol):
    """Applies the plan that is kept in a folder."""

    def apply(self, folder: Path, *, slower: bool = False) -> tuple[Diagnostic, ...]:
        """Apply the plan, one request at a time if `slower`, and return the errors."""
        ...

    def is_planned_apart(self, folder: Path) -> bool:
        """Return whether the plan was made without the folder's state, because there is none yet."""
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
    if terraform.is_planned_apart(folder):
        _plan_with_state(terraform, folder)
    errors = terraform.apply(folder)
    planned = terraform.show_plan(folder) if adoption.is_retryable(errors) else {}
    adopted: dict[str, str] = {}
    slower = False
    patience = _Patience()
    while (remedy := adoption.plan_retry(errors, planned)) and (seconds := patience.next_pause(remedy)) is not None:
        if seconds:
            tell(_waiting_sentence(remedy, seconds))
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


class _Patience:
    """Counts the retries of one apply, and the seconds that it has waited for changes to reach all of Google's systems."""

    def __init__(self) -> None:
        self._retries, self._waits, self._settling = 0, 0, 0.0

    def next_pause(self, remedy: adoption.ApplyRetry) -> float | None:
        """Return the seconds to wait before the next retry; None if there have been enough."""
        if remedy.awaited is not None:
            return self._settling_pause(remedy.awaited.seconds)
        if self._retries == len(PAUSES):
            return None
        pause = PAUSES[self._retries]
        self._retries += 1
        return max(pause, min(remedy.delay, PAUSES[-1])) if remedy.one_at_a_time else 0.0

    def _settling_pause(self, longest: float) -> float | None:
        if self._settling >= longest:
            return None
        pause = SETTLING_PAUSES[min(self._waits, len(SETTLING_PAUSES) - 1)]
        self._waits += 1
        self._settling += pause
        return pause


def _waiting_sentence(remedy: adoption.ApplyRetry, seconds: float) -> str:
    if remedy.awaited is not None:
        return f"  waiting for {remedy.awaited.awaited}: terraform continues in {seconds:.0f} s"
    return f"  Google's limit of calls is reached: terraform continues in {seconds:.0f} s, one request at a time"


def _plan_with_state(terraform: TerraformApplier, folder: Path) -> None:
    """Plan again with the folder's state, which terraform creates now. Raises StalePlan if that says more than the plan before."""
    planned = terraform.show_plan(folder)
    new_plan = terraform.plan_again(folder, {}, slower=False)
    if why := adoption.find_objection(planned, new_plan, {}):
        raise StalePlan(
            f"the terraform state of {folder.name} was created since the plan: {why}", hint="run the same command again"
        )
