"""Reads the time for which a step runs, the option `now`."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from mlspec.errors import UsageError
from mlspec.jobs.context import require_option
from mlspec.state.step import StepRequest


def read_now(request: StepRequest, step: str) -> pd.Timestamp:
    """Return the option `now` (RFC 3339) in UTC, without a time zone. Raises UsageError if it is invalid."""
    text = require_option(request.options, "now", step)
    try:
        parsed = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise UsageError(f"option now '{text}' is not an RFC 3339 time", hint="write 2024-02-01T06:00:00Z") from error
    if parsed.tzinfo is None:
        raise UsageError(f"option now '{text}' has no offset", hint="write 2024-02-01T06:00:00Z")
    return pd.Timestamp(parsed).tz_convert("UTC").tz_localize(None)
