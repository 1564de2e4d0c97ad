"""Says what stock levels would have reached on the actuals of the backtest, from the facts of the step `inventory`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlspec.state.resource import Json

SIMULATION = "simulation"  # the fact with one row for each policy and forecast
SHARES = ("cycle_service", "fill_rate", "orders")
COLUMNS = ("candidate", "policy", *SHARES[:2], "mean_stock", "stock_periods", "orders", "cycles")


def stock_outcomes(facts: Mapping[str, Json]) -> Sequence[Mapping[str, Json]]:
    """Return the rows of the simulation; none where the backtest was too short for one, or an older mlspec made the levels."""
    rows: Sequence[Mapping[str, Json]] = facts.get(SIMULATION) or ()
    return rows


def describe_outcomes(facts: Mapping[str, Json]) -> str:
    """Return a sentence on what the spec's policy would have reached, beside the same policy by the baseline's forecast.

    It is empty where nothing was simulated.
    """
    rows = [row for row in stock_outcomes(facts) if row["policy"] == facts["policy"]]
    if not rows:
        return ""
    level, asked = float(facts["service_level"]), "fill_rate" if facts["service"] == "fill-rate" else "cycle_service"
    parts = "; ".join(f"{row['candidate']} {_describe_row(row, asked)}" for row in rows)
    name = asked.replace("_", " ")
    return f"policy {facts['policy']} on the backtest's actuals, where a {name} of {100 * level:.4g}% is asked for: {parts}"


def _describe_row(row: Mapping[str, Json], asked: str) -> str:
    reached, periods = row[asked], row["stock_periods"]
    service = "has no cycle to judge" if reached is None else f"reaches {reached:.1%}"
    return f"{service} with {row['mean_stock']:,.0f} in stock" + (
        "" if periods is None else f" ({periods:.2g} periods of demand)"
    )
