"""Resolved specs as documents: writes specs as JSON, and reads stored specs.

A release stores its spec as JSON as long as its history is kept, and a step receives its spec as JSON. Only this module turns
such a document into a `Forecast` again, whichever version of mlspec wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from mlspec.errors import StateError
from mlspec.spec.calendar import cron_problem, frequency_problem, timezone_problem
from mlspec.spec.faults import ProblemAndHint
from mlspec.spec.fields import STORED
from mlspec.spec.forecast import Forecast

_UNREADABLE = "use the mlspec that wrote it, or a newer one; if this one wrote it, restore it from a backup"
Document = Mapping[str, Any]  # JSON: None, bool, int, finite float, str, list and dict of the same


def _read_v1(document: Document) -> Forecast:
    """Read the present layout. A key that was added after the document was written gets its default; no key is dropped."""
    return Forecast.model_validate(dict(document), context=STORED)


# The reader for each version of the spec language. An older layout gets a function that converts it to the present one.
READERS: Mapping[str, Callable[[Document], Forecast]] = {"mlspec/v1": _read_v1}


def read_stored_spec(document: Document, what: str = "a stored spec") -> Forecast:
    """Return the spec in a document, which an older mlspec may have written. `what` names the document in an error.

    Raises StateError if it cannot be read completely: a newer mlspec wrote it, or it is damaged.
    """
    version = document.get("apiVersion")
    read = READERS.get(version) if isinstance(version, str) else None
    if read is None:
        raise StateError(
            f"{what} has the version {version!r}, and this mlspec reads {', '.join(sorted(READERS))}",
            hint="use the mlspec that wrote it, or a newer one",
        )
    try:
        forecast = read(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "its top"
        raise StateError(f"{what} cannot be read at {place}: {first['msg']}", hint=_UNREADABLE) from error
    for place, problem in _calendar_problems(forecast):
        if problem:
            raise StateError(f"{what} cannot be read at {place}: {problem[0]}", hint=_UNREADABLE)
    return forecast


def _calendar_problems(forecast: Forecast) -> Iterator[tuple[str, ProblemAndHint | None]]:
    """Yield what is wrong with each text of a spec that has a form which its model does not know."""
    schedule = forecast.schedule
    yield "dataset.frequency", frequency_problem(forecast.dataset.frequency)
    yield "schedule.timezone", timezone_problem(schedule.timezone)
    zone = forecast.dataset.timezone
    yield "dataset.timezone", None if zone is None else timezone_problem(zone)
    for name, cron in (("forecast", schedule.forecast), ("retrain", schedule.retrain)):
        yield f"schedule.{name}", cron_problem(cron) if cron else None
