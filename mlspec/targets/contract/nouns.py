"""Nouns that the tests of a record write and read back."""

from __future__ import annotations

from mlspec.state.notice import Notice, PendingNotice
from mlspec.state.observed import Settlement
from mlspec.state.record import Event, Version
from mlspec.targets.local.target import LocalTarget

T = "2024-03-01T00:00:00Z"


def version(name: str = "v1", forecast: str = "demand") -> Version:
    return Version(forecast, name, T, "theta", {"wape": 0.1}, {"seed": 0}, "passed")


def event(message: str = "m", forecast: str = "demand") -> Event:
    return Event(forecast, T, "Normal", "R", message)


def write(target: LocalTarget, forecast: str = "demand", message: str = "m") -> None:
    target.record_settlement(Settlement(forecast, events=(event(message, forecast),)), T)


def notice(name: str = "n1") -> Notice:
    return Notice(name, "demand", "accuracy", "alert", "firing", "warning", T, T, "it is bad")


def pending(notice: Notice, next_at: str | None = T) -> PendingNotice:
    return PendingNotice(notice, "webhook:oncall", 0, next_at, "")
