"""Carrying out terraform's plan: what may be gone on with is, a bounded number of times, and whoever stops it is told the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlspec.engine.infrastructure import Infrastructure
from mlspec.engine.terraform_apply import PAUSES, apply_with_retries
from mlspec.errors import MlspecError, StoppedPartWay, TargetError
from mlspec.state.diagnostic import Diagnostic
from mlspec.state.plan import Change

MUCH = Diagnostic('Error: googleapi: Error 429: too many, "retryDelay": "34s"', "google_service_account.train")
HERE = Path("demand")


class Refusing:
    """A terraform whose applies end as they are told, and then well."""

    def __init__(self, *ends: tuple[Diagnostic, ...], plans: bool = True) -> None:
        self.ends, self.plans = list(ends), plans
        self.applied: list[bool] = []
        self.waited: list[float] = []

    def apply(self, folder: Path, *, slower: bool = False) -> tuple[Diagnostic, ...]:
        self.applied.append(slower)
        return self.ends.pop(0) if self.ends else ()

    def show_plan(self, folder: Path) -> Mapping[str, Any]:
        return {}

    def plan_again(self, folder: Path, adopt: Mapping[str, str], *, slower: bool) -> Mapping[str, Any]:
        if not self.plans:
            raise TargetError("terraform plan failed: Error 429")
        return {}

    def apply_error(self, folder: Path, errors: Sequence[Diagnostic], why: str | None) -> MlspecError:
        return TargetError(errors[0].text, hint=why)

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    def plan(self, folder: Path) -> Mapping[str, Any]:
        return {}

    def show_state(self, folder: Path) -> Mapping[str, Any]:
        return {}

    def destroy(self, folder: Path, protected: Sequence[str], image: str | None) -> None:
        raise AssertionError("nothing is destroyed here")


def test_it_goes_on_one_by_one_after_the_delay_that_google_names() -> None:
    terraform = Refusing((MUCH,))
    apply_with_retries(terraform, HERE, print)
    assert (terraform.applied, terraform.waited) == ([False, True], [34.0])


def test_it_ends_in_terraforms_words_after_as_many_pauses_as_there_are() -> None:
    terraform = Refusing(*[(MUCH,)] * 9)
    with pytest.raises(TargetError, match="Error 429"):
        apply_with_retries(terraform, HERE, print)
    assert len(terraform.applied) == 1 + len(PAUSES)


def test_where_it_cannot_be_planned_again_the_first_error_is_told_and_why() -> None:
    with pytest.raises(TargetError, match="too many") as caught:
        apply_with_retries(Refusing((MUCH,), plans=False), HERE, print)
    assert "could not plan again: terraform plan failed" in str(caught.value.hint)


def test_whoever_stops_it_while_it_waits_is_not_told_that_nothing_was_changed() -> None:
    class Stopped(Refusing):
        def wait(self, seconds: float) -> None:
            raise KeyboardInterrupt

    planned = [Change("demand", "infra.demand", "create", "1 to add")]
    with Infrastructure({}, Stopped((MUCH,)), print) as made, pytest.raises(StoppedPartWay):
        made.apply_changes(["demand"], planned, "_project")
