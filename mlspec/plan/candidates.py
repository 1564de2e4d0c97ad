"""The order in which the candidates of a backtest are shown."""

from __future__ import annotations

from collections.abc import Sequence

from mlspec.spec.metrics import MAIN
from mlspec.state.resource import Json


def sort_candidates(candidates: Sequence[Json]) -> list[Json]:
    """Return a backtest's candidates, the best by the main metric first; those without a value last."""

    def rank(candidate: Json) -> tuple[bool, float]:
        value = candidate["metrics"][MAIN.name]
        return value is None, value or 0.0

    return sorted(candidates, key=rank)
