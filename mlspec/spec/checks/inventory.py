"""Checks of the stock that a forecast is for."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mlspec.spec.faults import Problem
from mlspec.spec.forecast import Forecast


def check_inventory(forecast: Forecast) -> Iterator[Problem]:
    """The horizon covers lead_time + review_period, the time that stock has to last (Silver et al. 2017, ch. 6)."""
    stock = forecast.inventory
    if stock is None:
        return
    periods = stock.mean_lead_time + stock.review_period
    if periods > forecast.model.horizon:
        message = (
            f"stock has to last lead_time + review_period = {periods:g} periods, "
            f"and the forecast reaches {forecast.model.horizon}"
        )
        hint = f"set model.horizon to {math.ceil(periods)} or more"
        yield Problem(("inventory", "lead_time"), "inventory", message, hint)
