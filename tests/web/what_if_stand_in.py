"""What stands in for a what-if where a test is of the server: an answer at once, or a refusal in words."""

from __future__ import annotations

import re

from mlspec.engine.rows import PlainRows
from mlspec.engine.what_if import WhatIfComparison
from mlspec.errors import UsageError
from mlspec.plan.forecast_changes import compare_sums
from mlspec.state.assumptions import Assumptions

PROMOTED = {"covariates": {"events": {"promo": ["2024-02-12"], "fair": ["2024-02-13"]}}}


def assume(_name: str, assumed: Assumptions) -> WhatIfComparison:
    """A what-if of one series; a text that is no number is refused, as the real one refuses it."""
    if not all(re.fullmatch("[0-9.+-]+%?", text) for text in assumed.values.values()):
        raise UsageError("this is no value", hint="write a number")
    changes = compare_sums(["2024-02-12"], {("1",): 1.0}, {("1",): 2.0})
    return WhatIfComparison(("shop",), "day", "2024-02-11", PlainRows([], []), changes, ("a note",))
