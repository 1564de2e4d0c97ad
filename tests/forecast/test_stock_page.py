"""The figures of docs/stock.md are those that the code gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.forecast.test_stock_levels import levels, noise
from tests.forecast.test_stock_simulation import outcomes, past

PAGE = (Path(__file__).parents[2] / "docs" / "stock.md").read_text(encoding="utf-8")
ASKED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("`service_level: 0.9`", "(R,S)", {}),
    ("`service_level: 0.9`", "(s,S)", {}),
    ("`service_level: 0.9`, `pack_size: 12`", "(R,S)", {"pack_size": 12}),
    ("`service_level: 0.9`, `minimum_order: 100`", "(s,S)", {"minimum_order": 100}),
    ("`service_level: 0.9`, `lead_time: {mean: 1, sd: 1}`", "(R,S)", {"lead_time": {"mean": 1, "sd": 1}}),
    ("`service_level: 0.97`, `service: fill-rate`", "(R,S)", {"service_level": 0.97, "service": "fill-rate"}),
    ("`service_level: 0.97`, `service: fill-rate`", "(s,S)", {"service_level": 0.97, "service": "fill-rate"}),
)


def outcome_table() -> str:
    """What each policy reaches, for 300 series that sell 20 a period, with errors of 5 a period."""
    history, rows = past(5.0, series=300, windows=6), []
    for asked, policy, words in ASKED:
        reached = outcomes(history, **words)[policy]
        figures = (
            f"{reached.cycle_service:.0%}",
            f"{reached.fill_rate:.1%}",
            f"{reached.stock_periods:.1f}",
            f"{reached.orders:.0%}",
        )
        rows.append(f"| {asked} | {policy} | {' | '.join(figures)} |")
    return "\n".join(rows)


def service_table() -> str:
    """The service of steady and of variable series, with one multiplier for all, and by the errors of each."""
    sigmas = [1.0, 4.0] * 100
    errors, later = noise(sigmas, 6), noise(sigmas, 400, seed=1)[:, :, :3].sum(axis=2)
    own = levels(errors, service_level=0.9).safety_stock[:, None]
    one = np.quantile(errors[:, :, :3].sum(axis=2), 0.9, method="weibull")
    rows = []
    for name, stock in (("one multiplier for all", one), ("each series' own", own)):
        served = (later <= stock).mean(axis=1)
        rows.append(f"| {name} | {served[::2].mean():.0%} | {served[1::2].mean():.0%} |")
    return "\n".join(rows)


@pytest.mark.parametrize("table", [outcome_table, service_table])
def test_a_table_of_the_page_is_what_the_code_gives(table: Any) -> None:
    assert table() in PAGE
