"""Boosted trees: one global model over all series, on lags, rolling means, calendar and covariates, by mlforecast.

Trees cannot extrapolate. So each series is standardised by its own history, and the forecast is scaled back. If differencing lowers
the variance of most series, the model is trained on the changes from period to period. That is the case if their autocorrelation at
lag 1 is above one half (Var(y_t - y_(t-1)) = 2 (1 - r_1) Var(y)).

The features are made part by part of the panel, and written where the trees are fitted from (`forecast.training_rows`). Rows are in
the order of the series' names there, whatever the parts are.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mlspec.errors import ModelError
from mlspec.forecast import trees
from mlspec.forecast.candidates.short import LEAST, forecast_by_length, last_value
from mlspec.forecast.estimators import Array, TreeSettings
from mlspec.forecast.features import (
    CategoryEncoder,
    FeatureMatrix,
    count_features,
    default_lags,
    feature_matrix,
    rolling_windows,
)
from mlspec.forecast.frame import ID, MEAN, TARGET, TIME, Layout, Panel, describe_series
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.training_rows import MemoryRows, TrainingRows
from mlspec.forecast.training_sample import draw_sample
from mlspec.forecast.workers import THIS_PROCESS, TrainingPeer, Workers, collect_parts
from mlspec.models.storage import pack_archive
from mlspec.spec.candidates import GradientBoosting

MODEL, ABOUT = "trees", "about.json"
# Fewest rows: with less, trees of 15 leaves cannot be estimated.
FEWEST_ROWS = 30
_CHANGES, _LEVELS, _TEXT = "changes", "levels", "text"
LONGEST_LAG = 100_000  # periods; a longer one in a model file was not written by mlspec


@dataclass(frozen=True)
class PreparedForecast:
    """What a training leaves to forecast the same part of a panel: the state of its series, and the features of the horizon.

    `short` is the forecast of the series that are too short for trees. A part of such series alone has no `engine`.
    """

    engine: Any
    ahead: pd.DataFrame
    short: pd.DataFrame | None = None

    def forecast(self, model: Any, horizon: int) -> pd.DataFrame:
        """Return unique_id, ds, mean; predictions of early periods are fed back as lags of later ones."""
        parts = [] if self.short is None else [self.short]
        if self.engine is not None:
            self.engine.models_ = {MEAN: model}
            ahead = self.ahead if len(self.ahead.columns) > len([ID, TIME]) else None
            with trees.refuse_other_columns():
                parts.append(self.engine.predict(horizon, X_df=ahead).astype({MEAN: "float64"}))
        return pd.concat(parts) if len(parts) > 1 else parts[0]


@dataclass(frozen=True)
class TrainedTrees:
    """Trees, and their bytes if another process fitted them; `prepared` if this process is the one that forecasts next."""

    model: Any
    dumped: bytes | None = None
    prepared: tuple[PreparedForecast, ...] = ()


@dataclass(frozen=True)
class BoostedModel:
    """A trained model, with its lags and the category codes of the training.

    `dumped`: the trees' bytes, if they were read. `prepared`: what makes the forecast of each part of the panel `trained_on`.
    `note` says what people should know of the training, if anything.
    """

    candidate: GradientBoosting
    model: Any
    lags: tuple[int, ...]
    differenced: bool
    encoder: CategoryEncoder
    dumped: bytes | None = None
    trained_on: PartedPanel | None = field(default=None, compare=False, repr=False)
    prepared: tuple[PreparedForecast, ...] = field(default=(), compare=False, repr=False)
    note: str = field(default="", compare=False)

    def wants_whole(self, panel: PartedPanel) -> bool:
        """Return whether a panel is the one of the training: then its features are there, and no share makes its own."""
        return bool(self.prepared) and panel is self.trained_on

    def forecast(self, panel: PartedPanel, workers: Workers = THIS_PROCESS) -> pd.DataFrame:
        """Return unique_id, ds, mean; predictions of early periods are fed back as lags of later ones."""
        if self.prepared and panel is self.trained_on:
            parts = workers.forecast_shares(
                partial(_forecast_prepared, self.model, panel.layout.horizon), self.prepared
            )
            return pd.concat(parts)[[ID, TIME, MEAN]].sort_values([ID, TIME], ignore_index=True)
        return forecast_by_length(panel.whole(), LEAST, self._forecast_long_series)

    def _forecast_long_series(self, panel: Panel) -> pd.DataFrame:
        engine = _build_engine(self.lags, self.differenced, panel.layout)
        frames = feature_matrix(panel, self.encoder)
        _preprocess_frames(engine, frames)
        return PreparedForecast(engine, frames.ahead).forecast(self.model, panel.layout.horizon)

    def to_bytes(self) -> bytes:
        """Return a zip of the trees and `about.json`: the same model gives the same bytes."""
        about = {"lags": self.lags, "differenced": self.differenced, "categories": self.encoder.categories}
        return pack_archive(
            {
                MODEL: self.dumped or trees.dump_trees(self.model, self.candidate.library),
                ABOUT: json.dumps(about, sort_keys=True).encode(),
            }
        )


def _forecast_prepared(model: Any, horizon: int, prepared: PreparedForecast) -> pd.DataFrame:
    return prepared.forecast(model, horizon)


def fit(candidate: GradientBoosting, panel: PartedPanel, seed: int, workers: Workers) -> BoostedModel:
    """Fit to a panel: LightGBM on all workers, each with the features of its share of series; scikit-learn on one worker.

    Workers that are processes of this machine fit many trees by several threads. Where the rows of all series are more than trees
    need, or than memory holds, trees learn from some of the series.

    Raises ModelError if too few rows have all lags.
    """
    lags = tuple(candidate.lags or default_lags(panel.layout, int(panel.series_lengths.median())))
    _refuse_short(candidate, panel, lags)
    differenced = needs_differencing(panel, workers)
    lengths = panel.series_lengths[lambda length: length >= LEAST] - int(differenced)
    sample = draw_sample(candidate, lengths, count_features(panel.layout, lags), workers.training_memory)
    plan = TrainingPlan(lags, differenced, _read_categories(panel, workers), sample.series)
    work = partial(_train_share, candidate, seed, plan)
    trained = workers.train(work, panel, sample.series, alone=candidate.library != "lightgbm")
    return BoostedModel(
        candidate, trained.model, lags, differenced, plan.encoder, trained.dumped, panel if trained.prepared else None,
        trained.prepared, sample.note,
    )  # fmt: skip


@dataclass(frozen=True)
class TrainingPlan:
    """What all workers of a training know: `learned` are the series whose rows the trees learn from."""

    lags: tuple[int, ...]
    differenced: bool
    encoder: CategoryEncoder
    learned: pd.Index


def _train_share(
    candidate: GradientBoosting, seed: int, plan: TrainingPlan, panel: PartedPanel, peer: TrainingPeer
) -> TrainedTrees:
    """Train on a share of the series, together with the other workers. Return the trees on rank 0, None on the others."""
    settings = TreeSettings(
        candidate.library, candidate.iterations, candidate.learning_rate, candidate.max_leaves, seed
    )
    lengths = panel.series_lengths
    lengths = lengths[lengths.index.isin(plan.learned)] - int(plan.differenced)
    places, count = lengths.cumsum() - lengths, int(lengths.sum())
    with closing(_open_rows(settings, count, count_features(panel.layout, plan.lags), peer)) as rows:
        prepared = _write_parts(panel.part_readers(), partial(_write_part, plan, places, rows), rows, peer)
        fitted = rows.fit(settings)
    return TrainedTrees(
        fitted.model if peer.rank == 0 else None, fitted.dumped, tuple(prepared) if peer.is_here else ()
    )


def _open_rows(settings: TreeSettings, rows: int, columns: int, peer: TrainingPeer) -> TrainingRows:
    elsewhere = peer.open_rows and peer.open_rows(settings, rows, columns)
    return elsewhere or MemoryRows(rows, columns, _network_options(peer))


def _write_parts(
    readers: Sequence[Callable[[], Panel]],
    write: Callable[[Callable[[], Panel]], PreparedForecast],
    rows: TrainingRows,
    peer: TrainingPeer,
) -> list[PreparedForecast]:
    """Write the rows of all parts, each by a process of its own where there are some, and return what forecasts each part."""
    if len(readers) < 2 or not rows.is_shared or peer.run_apart is None:
        return [write(read) for read in readers]
    import mlforecast  # noqa: F401  (once here, instead of in each process)

    answers = peer.run_apart(lambda read: pickle.dumps(write(read)), readers)
    return [pickle.loads(answer) for answer in answers]  # noqa: S301  (from this process's own fork)


def _write_part(
    plan: TrainingPlan, places: pd.Series, rows: TrainingRows, read: Callable[[], Panel]
) -> PreparedForecast:
    """Write the rows of a part that trees learn from, and return what forecasts it later. `places`: each series' first row."""
    part, features, target, ids = _prepare_part(read(), plan)
    for start, stop, place in _find_runs(ids, places):
        rows.write(place, features[start:stop], target[start:stop])
    return part


def _prepare_part(part: Panel, plan: TrainingPlan) -> tuple[PreparedForecast, Array, Array, pd.Series]:
    """Return what forecasts a part later, and features, target and series of its rows, sorted by series and time."""
    lengths = part.series_lengths
    long, short = lengths.index[lengths >= LEAST], lengths.index[lengths < LEAST]
    last = last_value(part.select_series(short)) if len(short) else None
    if not len(long):
        return PreparedForecast(None, part.future, last), np.empty((0, 0)), np.empty(0), part.frame[ID][:0]
    part = part.select_series(long)
    engine, frames = _build_engine(plan.lags, plan.differenced, part.layout), feature_matrix(part, plan.encoder)
    prepared = PreparedForecast(engine, frames.ahead, last)
    rows = _preprocess_frames(engine, frames)
    del frames, part
    ids = rows[ID]
    features, target = _take_matrix(rows)
    return prepared, features, target, ids


def _find_runs(ids: pd.Series, places: pd.Series) -> Iterator[tuple[int, int, int]]:
    """Yield from which row to which rows stay together, and the place of the first. `ids` are the rows' series, sorted.

    Series without a place are left out.
    """
    codes, names = pd.factorize(ids)
    begins = np.append(np.searchsorted(codes, np.arange(len(names))), len(codes)).tolist()
    start = stop = place = 0
    for number, at in enumerate(places.reindex(names, fill_value=-1).tolist()):
        if at >= 0 and stop > start and begins[number] == stop and at == place + stop - start:
            stop = begins[number + 1]
            continue
        if stop > start:
            yield start, stop, place
        start, stop, place = begins[number], begins[number + 1] if at >= 0 else begins[number], at
    if stop > start:
        yield start, stop, place


def load_boosted(candidate: GradientBoosting, data: bytes) -> BoostedModel:
    """Return the model from `BoostedModel.to_bytes`. Raises ModelError if `data` is no such model."""
    parts = trees.unpack_archive(data)
    try:
        about = json.loads(parts[ABOUT])
        lags, differenced = tuple(map(int, about["lags"])), bool(about["differenced"])
        encoder = CategoryEncoder(dict(about["categories"]))
        if not lags or not all(1 <= lag <= LONGEST_LAG for lag in lags):
            raise ValueError(f"the lags {lags[:5]}")  # noqa: TRY301  (the same message as for any other setting)
    except (KeyError, ValueError, TypeError) as error:
        raise trees.damaged_model_error("its training settings cannot be read") from error
    dumped = parts.get(MODEL, b"")
    return BoostedModel(candidate, trees.load_trees(dumped, candidate.library), lags, differenced, encoder, dumped)


def needs_differencing(panel: PartedPanel, workers: Workers = THIS_PROCESS) -> bool:
    """Return whether differencing lowers the variance of most series that are long enough for trees."""
    variances = collect_parts(panel, _measure_variances, workers)
    varies = variances[_LEVELS] > 0
    return bool((variances[_CHANGES] < variances[_LEVELS])[varies].mean() > 0.5)


def _measure_variances(panel: Panel) -> pd.DataFrame:
    lengths = panel.series_lengths
    values, ids = panel.frame[TARGET], panel.frame[ID]
    changes = (values - values.groupby(ids, sort=True).shift(1)).groupby(ids, sort=True).var()
    found = pd.DataFrame({_CHANGES: changes, _LEVELS: values.groupby(ids, sort=True).var()})
    return found[lengths >= LEAST].rename_axis(ID).reset_index()


def _read_categories(panel: PartedPanel, workers: Workers) -> CategoryEncoder:
    """Return the categories of all parts, as they are known in the series that are long enough for trees."""
    if not panel.text_columns:
        return CategoryEncoder()
    texts = collect_parts(panel, partial(_list_texts, panel.text_columns), workers)
    return CategoryEncoder(
        {name: sorted(set(texts.loc[texts[ID] == name, _TEXT].dropna())) for name in panel.text_columns}
    )


def _list_texts(columns: tuple[str, ...], panel: Panel) -> pd.DataFrame:
    """Return the categories of each covariate, whose name is in the column of the series'."""
    lengths = panel.series_lengths
    found = CategoryEncoder.from_panel(panel.select_series(lengths.index[lengths >= LEAST])).categories
    pairs = [(name, text) for name in columns for text in found.get(name, ())]
    return pd.DataFrame(pairs, columns=[ID, _TEXT], dtype=object)


def _preprocess_frames(engine: Any, frames: FeatureMatrix) -> pd.DataFrame:
    """Return the history with all features, and the target as it is trained on. A forecast gives features as arrays, too."""
    rows: pd.DataFrame = engine.preprocess(
        frames.history, static_features=frames.static, dropna=False, as_numpy=True, validate_data=False
    )
    return rows


def _take_matrix(rows: pd.DataFrame) -> tuple[Array, Array]:
    """Return features and target as arrays. Each column leaves `rows` as it is copied, so that memory holds it once."""
    names = [name for name in rows if name not in (ID, TIME, TARGET)]
    features = np.empty((len(rows), len(names)), order="F")
    for place, name in enumerate(names):
        features[:, place] = rows.pop(name)
    return features, rows.pop(TARGET).to_numpy(dtype="float64")


def _build_engine(lags: tuple[int, ...], differenced: bool, layout: Layout) -> Any:
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean
    from mlforecast.target_transforms import Differences, LocalStandardScaler

    return MLForecast(
        models={MEAN: None},  # trees are fitted by `build_estimator`
        freq=layout.frequency.offset,
        lags=list(lags),
        lag_transforms={1: [RollingMean(window, min_samples=1) for window in rolling_windows(layout)]},
        target_transforms=[*([Differences([1])] if differenced else []), LocalStandardScaler()],
        num_threads=1,
    )


def _network_options(peer: TrainingPeer) -> dict[str, Any]:
    """Return LightGBM's settings for distributed training (lightgbm.readthedocs.io/en/stable/Parallel-Learning-Guide.html).

    `data`: each worker has a part of the rows; the gradient sums of each bin are added over all workers.
    """
    if len(peer.addresses) == 1:
        return {}
    return {
        "tree_learner": "data",
        "num_machines": len(peer.addresses),
        "machines": ",".join(peer.addresses),
        "local_listen_port": int(peer.addresses[peer.rank].rpartition(":")[2]),
        "time_out": 5,  # minutes to connect to the other workers
    }


def _refuse_short(candidate: GradientBoosting, panel: PartedPanel, lags: tuple[int, ...]) -> None:
    lengths, longest = panel.series_lengths, max(lags)
    rows = int((lengths - longest).clip(lower=0).sum())
    if rows < FEWEST_ROWS:
        raise ModelError(
            f"candidate '{candidate.label}': with its longest lag of {longest} periods only {rows} training rows are left "
            f"at {panel.layout.frequency.format_period(panel.cutoff)}, and {FEWEST_ROWS} are needed; "
            f"the longest series has {int(lengths.max())} periods ({describe_series([str(lengths.idxmax())])})",
            hint="give it shorter lags, leave it out, or use fewer or narrower backtest windows",
        )
