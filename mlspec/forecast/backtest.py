"""Rolling-origin evaluation (Tashman 2000): all candidates forecast the same periods from the same cutoffs, with earlier data only.

A row of the result is one period, forecast by one entrant. In each window, an ensemble `best-N` uses the N candidates that were
best in the earlier windows, `near-best` those that were near the best there (both all of them in the first window). So it never
chooses members by the window that it is scored on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import numpy as np
import pandas as pd

from mlspec.errors import BrokenModel, ModelError
from mlspec.forecast import candidates as families
from mlspec.forecast.cold_start import forecast_cold_starts, made_by
from mlspec.forecast.frame import CUTOFF, ID, MEAN, OBSERVED, STEP, TARGET, TIME, Panel, describe_series
from mlspec.forecast.scales import FLOOR, MASE_SCALE, RMSSE_SCALE, SCALE, series_scales
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import THIS_PROCESS, Workers, collect_parts, forecast_parts
from mlspec.spec.candidates import Candidate, Combine
from mlspec.spec.output_columns import METHOD
from mlspec.state.resource import Json

Say = Callable[[int, int, str], None]
# Takes frames that were made from the same before, or else makes them.
Keep = Callable[[Json, Callable[[], Mapping[str, pd.DataFrame]]], Mapping[str, pd.DataFrame]]
MEANS, NOTES = "means", "notes"
SCALES = (SCALE, MASE_SCALE, RMSSE_SCALE, FLOOR)
# Which members an ensemble takes: so many of the best, or those near the best.
NEAR_BEST: Final = "near-best"
Pick = int | Literal["near-best"]
# How many times the error of the best one may be, for a member near the best. A member that is far off moves a median too, as long
# as it is off to one side: to leave such out is better than to combine all (Kourentzes, Barrow & Petropoulos 2019, Another look at
# forecast selection and combination). On eight public sets, limits of 1.25 and 1.5 differed by 1.5 % in the mean (decision 27).
MOST_TIMES_THE_BEST = 1.5


def make_anew(made_from: Json, make: Callable[[], Mapping[str, pd.DataFrame]]) -> Mapping[str, pd.DataFrame]:
    """Make frames, whatever was made before."""
    del made_from
    return make()


@dataclass(frozen=True)
class Entrant:
    """A competitor with one label: its members are combined, or those that `pick` names. A single candidate has one member."""

    label: str
    kind: str
    members: tuple[Candidate, ...]
    pick: Pick | None = None
    combine: Combine | None = None


@dataclass(frozen=True)
class WindowForecasts:
    """`periods` of all windows, oldest first; `means`: what each candidate forecast, row by row, in the column of its key.

    `broken` has why models of the project's own have no forecast, by key of `singles`. `notes` are what people should know of how
    the candidates were fitted.
    """

    periods: pd.DataFrame
    means: pd.DataFrame
    broken: Mapping[str, str]
    notes: tuple[str, ...] = ()


def forecast_windows(
    panel: PartedPanel,
    cuts: Sequence[pd.Timestamp],
    singles: dict[str, Candidate],
    seed: int,
    say: Say,
    workers: Workers,
    keep: Keep = make_anew,
) -> WindowForecasts:
    """Return the periods (unique_id, cutoff, ds, h, y: missing if unobserved; scales), and means for each key of `singles`.

    A model's own quantiles have columns that begin with its key.

    `keep` may take what a candidate made of a window from an earlier run that was stopped.

    A model of the project's own that fails in a window is left out of all, and costs no other candidate its turn.
    """
    windows, forecasts, done, total = [], [], 0, len(cuts) * len(singles)
    broken, notes = dict[str, str](), dict[str, str]()
    for number, cutoff in enumerate(cuts, 1):
        known = panel.known_at(cutoff)
        window = collect_parts(panel, partial(window_actuals, cutoff=cutoff), workers, begun_by=cutoff)
        scales, columns = window[[ID, *SCALES]].drop_duplicates(ID, ignore_index=True), dict[str, pd.Series]()
        for key, candidate in singles.items():
            if key in broken:
                continue
            say(done, total, f"backtest window {number} of {len(cuts)}: {candidate.label}")
            try:
                made_from = {"candidate": key, "cutoff": str(cutoff), "memory": workers.training_memory}
                made = keep(made_from, partial(_forecast_window, candidate, known, seed, workers, scales))
                means, notes[key] = made[MEANS], "; ".join(made[NOTES][NOTES])
            except BrokenModel as error:
                broken[key] = error.message
                say(done, total, f"left out: {error.message}")
                continue
            placed = window[[ID, TIME]].merge(means, on=[ID, TIME], how="left", validate="one_to_one")
            columns |= {f"{key}{_suffix(str(name))}": placed[name] for name in placed if name not in (ID, TIME)}
            done += 1
        windows.append(window)
        forecasts.append(pd.DataFrame(columns, index=window.index))
    say(total, total, "candidates scored")
    made = pd.concat(forecasts, ignore_index=True)
    return WindowForecasts(
        pd.concat(windows, ignore_index=True),
        made.drop(columns=[name for name in made if str(name).startswith(tuple(broken))]),
        broken,
        tuple(note for note in notes.values() if note),
    )


def _forecast_window(
    candidate: Candidate, known: PartedPanel, seed: int, workers: Workers, scales: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return a candidate's means of one window, and what people should know of how it was fitted."""
    fitted = families.fit_candidate(candidate, known, seed, workers)
    means = forecast_means(fitted, known, candidate.label, workers, scales)
    note = families.training_note(fitted)
    return {MEANS: means, NOTES: pd.DataFrame({NOTES: [note] if note else []}, dtype=object)}


def _suffix(column: str) -> str:
    """Return what follows a candidate's key in the name of a column: nothing for its means."""
    return "" if column == MEAN else str(column)


def forecast_means(
    fitted: families.FittedCandidate,
    panel: PartedPanel,
    label: str,
    workers: Workers = THIS_PROCESS,
    scales: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return a candidate's means, no lower than a series' floor. Raises ModelError if one is not a finite number.

    A fitted candidate forecasts each series independently, so the result does not depend on how series are grouped. A model of the
    project's own may not, and trees have the features of their training: these get all series at once. Series that are too new for
    a candidate are forecast from the others afterwards, if the spec says so. `scales` are those of the panel, where they are known.
    """
    if families.wants_whole(fitted, panel):
        means = fitted.forecast(panel, workers)
    else:
        means = forecast_parts(panel, fitted.forecast, workers)
    if panel.layout.cold_start:
        means = _start_at_mean(forecast_cold_starts(means, panel), means)
    broken_series = means.loc[~np.isfinite(means[MEAN]), ID].unique()
    if len(broken_series):
        raise ModelError(
            f"candidate '{label}' has no finite forecast for series {describe_series([str(name) for name in broken_series])}",
            hint="leave this candidate out of model.candidates",
        )
    floor = means[ID].map((series_scales(panel) if scales is None else scales).set_index(ID)[FLOOR])
    return means.assign(**{MEAN: np.maximum(means[MEAN], floor)})


def _start_at_mean(means: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Return means with a model's own quantiles at the mean where a cold start replaced that: they are those of the model."""
    own = [name for name in means if name not in (ID, TIME, MEAN)]
    replaced = means[MEAN] != before[MEAN]
    return means.assign(**{name: means[name].where(~replaced, means[MEAN]) for name in own}) if own else means


def window_actuals(panel: Panel, cutoff: pd.Timestamp) -> pd.DataFrame:
    """Return the periods to forecast from one cutoff, with their actual values and the scales as of the cutoff."""
    known = panel.known_at(cutoff)
    times = panel.layout.frequency.periods_after(cutoff, panel.layout.horizon)
    frame = panel.frame[panel.frame[TIME].isin(times) & panel.frame[ID].isin(known.frame[ID].unique())]
    actual = frame[TARGET].where(frame[OBSERVED])
    rows = frame[[ID, TIME]].assign(**{TARGET: actual, CUTOFF: cutoff, STEP: times.get_indexer(frame[TIME]) + 1})
    if panel.layout.cold_start:
        rows[METHOD] = made_by(rows[ID], known)
    return rows.merge(series_scales(known), on=ID, how="left")


def entrant_means(
    entrant: Entrant,
    periods: pd.DataFrame,
    forecasts: pd.DataFrame,
    keys: Sequence[str],
    rank: Callable[[pd.DataFrame], float],
) -> pd.DataFrame:
    """Return what an entrant forecast of each period: its mean, and a model's own quantiles.

    `keys` are its members' columns of `forecasts`; `rank` scores rows (lower is better) and chooses the members.
    """
    means = pd.Series(np.nan, index=periods.index)
    for cutoff in sorted(periods[CUTOFF].unique()):
        in_window, chosen = periods[CUTOFF] == cutoff, keys
        if entrant.pick is not None:
            before_window = periods[CUTOFF] < cutoff
            chosen = pick_best(periods[before_window], forecasts[before_window], keys, entrant.pick, rank)
        means[in_window] = families.combine_means(forecasts.loc[in_window, list(chosen)], entrant.combine)
    return pd.DataFrame({MEAN: means, **_own_quantiles(forecasts, keys)})


def _own_quantiles(forecasts: pd.DataFrame, keys: Sequence[str]) -> dict[str, pd.Series]:
    """Return the own quantiles of a single candidate that has some; an ensemble has none."""
    if len(keys) != 1:
        return {}
    (key,) = keys
    names = [str(name) for name in forecasts if str(name).startswith(key) and name != key]
    return {name.removeprefix(key): forecasts[name] for name in names}


def pick_best(
    earlier: pd.DataFrame,
    forecasts: pd.DataFrame,
    keys: Sequence[str],
    pick: Pick | None,
    rank: Callable[[pd.DataFrame], float],
) -> list[str]:
    """Return those of `keys` that `pick` names by the score of their `forecasts` in `earlier` windows; all if there are none."""
    if pick is None or earlier.empty:
        return list(keys)
    scores = {key: rank(earlier.assign(**{MEAN: forecasts[key]})) for key in keys}
    if pick == NEAR_BEST:
        return [key for key in keys if scores[key] <= MOST_TIMES_THE_BEST * min(scores.values())]
    best = sorted(keys, key=lambda key: scores[key])[:pick]
    return [key for key in keys if key in best]
