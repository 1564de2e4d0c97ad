"""What drives a forecast: how much larger its errors are in the backtest once a covariate tells nothing.

Permutation importance (Breiman 2001, Random Forests; Fisher, Rudin & Dominici 2019): from each cutoff of the backtest the model is
fitted as ever, and forecasts twice, the second time with the values of one covariate in random order. The rise of the error is
what the model owes to the covariate. A rise of nothing: the model does not use it, or it tells nothing that the others do not.
Covariates that tell the same share what they tell, so that each of them looks less important than both together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from mlspec.forecast import candidates as families
from mlspec.forecast.backtest import Say, forecast_means, window_actuals
from mlspec.forecast.candidates import ChosenCandidate
from mlspec.forecast.frame import ID, MEAN, PREFIX, TIME, Panel
from mlspec.forecast.metrics import Metrics
from mlspec.forecast.scores import score_rows
from mlspec.forecast.workers import Workers

Shuffle = Callable[[Panel, np.random.Generator], Panel]


@dataclass(frozen=True)
class Importance:
    """A covariate of the spec, its kind (known, past, static), and the metrics of the backtest once it tells nothing."""

    covariate: str
    kind: str
    metrics: Metrics


@dataclass(frozen=True)
class Importances:
    """The metrics of the backtest as it is, and the importance of each covariate in the order of the spec.

    They are those of the series of `segment`, the value of a column; None for all series.
    """

    metrics: Metrics
    covariates: tuple[Importance, ...]
    segment: str | None = None


def measure_importances(
    panel: Panel,
    cuts: Sequence[pd.Timestamp],
    chosen: ChosenCandidate,
    seed: int,
    workers: Workers,
    say: Say,
    segments: pd.Series | None = None,
) -> list[Importances]:
    """Return what each covariate of the panel is worth to a candidate, from the cutoffs of a backtest.

    `segments` has the segment of each series, by unique_id: then one of each segment, sorted. A covariate is shuffled among all
    series, as the model is one for all.
    """
    shuffles = list(_shuffles(panel))
    rows: dict[str, list[pd.DataFrame]] = {name: [] for name in ("", *(name for name, _, _ in shuffles))}
    for number, cutoff in enumerate(cuts):
        say(number, len(cuts), f"window {number + 1} of {len(cuts)}")
        known = panel.known_at(cutoff)
        fitted = [families.fit_candidate(part, known, seed, workers) for part in chosen.parts]
        actual = window_actuals(panel, cutoff)
        forecast = partial(_forecast, fitted, chosen, workers)
        rows[""].append(actual.merge(forecast(known), on=[ID, TIME]))
        for place, (name, _kind, shuffle) in enumerate(shuffles):
            changed = shuffle(known, np.random.default_rng([seed, number, place]))
            rows[name].append(actual.merge(forecast(changed), on=[ID, TIME]))
    say(len(cuts), len(cuts), "covariates measured")
    frames = {name: pd.concat(parts, ignore_index=True) for name, parts in rows.items()}
    kinds = {name: kind for name, kind, _ in shuffles}
    if segments is None:
        return [_score_covariates(frames, kinds, None)]
    of_row = {name: frame[ID].map(segments) for name, frame in frames.items()}
    return [
        _score_covariates({name: frame[of_row[name] == segment] for name, frame in frames.items()}, kinds, segment)
        for segment in sorted(of_row[""].unique())
    ]


def _score_covariates(frames: dict[str, pd.DataFrame], kinds: dict[str, str], segment: str | None) -> Importances:
    """Return the metrics of the rows as they are (named "") and of those of each covariate."""
    found = (Importance(name.removeprefix(PREFIX), kind, score_rows(frames[name])) for name, kind in kinds.items())
    return Importances(score_rows(frames[""]), tuple(found), segment)


def _forecast(
    fitted: Sequence[families.FittedCandidate], chosen: ChosenCandidate, workers: Workers, panel: Panel
) -> pd.DataFrame:
    parts = [
        forecast_means(member, panel, part.label, workers) for member, part in zip(fitted, chosen.parts, strict=True)
    ]
    mean = families.combine_means([part[MEAN] for part in parts], chosen.combine)
    return parts[0][[ID, TIME]].assign(**{MEAN: mean})


def _shuffles(panel: Panel) -> Iterator[tuple[str, str, Shuffle]]:
    """Yield each covariate's name and kind, and how its values are put in random order."""
    layout = panel.layout
    for kind, names, part in (
        ("known", layout.known, "future"),
        ("past", layout.past, "frame"),
        ("static", layout.static, "series"),
    ):
        for name in names:
            yield name, kind, partial(_shuffle_column, part, name)


def _shuffle_column(part: str, name: str, panel: Panel, chance: np.random.Generator) -> Panel:
    table: pd.DataFrame = getattr(panel, part)
    values = table[name].to_numpy(copy=True)
    chance.shuffle(values)
    return replace(panel, **{part: table.assign(**{name: values})})
