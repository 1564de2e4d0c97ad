"""Reads the time for which a step runs: the option `now`, or `as_of`, and what was known of the data then."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from mlspec.errors import DataError, UsageError
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.jobs.context import require_option
from mlspec.state.step import AS_OF, StepRequest


def read_now(request: StepRequest, step: str, zone: str | None) -> pd.Timestamp:
    """Return the option `now` (RFC 3339) as `read_moment` does."""
    return read_moment(request, "now", step, zone)


def read_moment(request: StepRequest, option: str, step: str, zone: str | None) -> pd.Timestamp:
    """Return an option (RFC 3339) as the clocks of `zone` show it, or those of UTC. Raises UsageError if it is invalid.

    `zone` is that of the dataset, in which periods begin and end.
    """
    text = require_option(request.options, option, step)
    try:
        parsed = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"option {option} '{text}' is not an RFC 3339 time", hint="write 2024-02-01T06:00:00Z"
        ) from error
    if parsed.tzinfo is None:
        raise UsageError(f"option {option} '{text}' has no offset", hint="write 2024-02-01T06:00:00Z")
    return pd.Timestamp(parsed).tz_convert(zone or "UTC").tz_localize(None)


def panel_as_of(request: StepRequest, panel: PartedPanel, zone: str | None) -> PartedPanel:
    """Return the panel as known when its last period before the option `as_of` was over; without the option, all of it.

    Raises DataError if no period was over then.
    """
    if not request.options.get(AS_OF):
        return panel
    moment = read_moment(request, AS_OF, request.step, zone)
    frequency = panel.layout.frequency
    periods = panel.times[::-1]
    cutoff = next((period for period in periods if frequency.period_end(period) <= moment), None)
    if cutoff is None:
        raise DataError(
            f"no period of the data was over at {request.options[AS_OF]}", hint="choose a moment after the data begins"
        )
    return panel.known_at(cutoff)
