"""Boosted trees: one global model over all series, on lags, rolling means, calendar and covariates, by mlforecast.

Trees cannot extrapolate. So each series is standardised by its own history, and the forecast is scaled back. If differencing lowers
the variance of most series, the model is trained on the changes from period to period. That is the case if their autocorrelation at
lag 1 is above one half (Var(y_t - y_(t-1)) = 2 (1 - r_1) Var(y)).
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mlspec.errors import ModelError
from mlspec.forecast import trees
from mlspec.forecast.candidates.short import LEAST, forecast_by_length
from mlspec.forecast.estimators import Array, TreeSettings, build_estimator
from mlspec.forecast.features import CategoryEncoder, FeatureMatrix, default_lags, feature_matrix, rolling_windows
from mlspec.forecast.frame import ID, MEAN, TARGET, TIME, Layout, Panel, describe_series
from mlspec.forecast.workers import TrainingPeer, Workers, split_panel
from mlspec.models.storage import pack_archive
from mlspec.spec.candidates import GradientBoosting

MODEL, ABOUT = "trees", "about.json"
# Fewest rows: with less, trees of 15 leaves cannot be estimated.
FEWEST_ROWS = 30
LONGEST_LAG = 100_000  # periods; a longer one in a model file was not written by mlspec


@dataclass(frozen=True)
class PreparedForecast:
    """What a training leaves for the forecast of the same panel: the state of its series, and the features of the horizon."""

    engine: Any
    ahead: pd.DataFrame

    def forecast(self, model: Any, horizon: int) -> pd.DataFrame:
        """Return unique_id, ds, mean; predictions of early periods are fed back as lags of later ones."""
        self.engine.models_ = {MEAN: model}
        ahead = self.ahead if len(self.ahead.columns) > len([ID, TIME]) else None
        with trees.refuse_other_columns():
            return self.engine.predict(horizon, X_df=ahead).astype({MEAN: "float64"})


@dataclass(frozen=True)
class TrainedTrees:
    """Trees, and their bytes if another process fitted them; `prepared` if this process is the one that forecasts next."""

    model: Any
    dumped: bytes | None = None
    prepared: PreparedForecast | None = None


@dataclass(frozen=True)
class BoostedModel:
    """A trained model, with its lags and the category codes of the training.

    `dumped`: the trees' bytes, if they were read. `prepared`: what makes the forecast of the panel `trained_on`.
    """

    candidate: GradientBoosting
    model: Any
    lags: tuple[int, ...]
    differenced: bool
    encoder: CategoryEncoder
    dumped: bytes | None = None
    trained_on: Panel | None = field(default=None, compare=False, repr=False)
    prepared: PreparedForecast | None = field(default=None, compare=False, repr=False)

    def wants_whole(self, panel: Panel) -> bool:
        """Return whether a panel is the one of the training: then its features are there, and no share makes its own."""
        return self.prepared is not None and panel is self.trained_on

    def forecast(self, panel: Panel) -> pd.DataFrame:
        """Return unique_id, ds, mean; predictions of early periods are fed back as lags of later ones."""
        if self.prepared is not None and panel is self.trained_on:
            prepared = self.prepared
            return forecast_by_length(panel, LEAST, lambda long: prepared.forecast(self.model, long.layout.horizon))
        return forecast_by_length(panel, LEAST, self._forecast_long_series)

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


def fit(candidate: GradientBoosting, panel: Panel, seed: int, workers: Workers) -> BoostedModel:
    """Fit to a panel: LightGBM on all workers, each with the features of its share of series; scikit-learn on one worker.

    Workers that are processes of this machine fit many trees by several threads.

    Raises ModelError if too few rows have all lags.
    """
    lags = tuple(candidate.lags or default_lags(panel.layout, int(panel.series_lengths.median())))
    _refuse_short(candidate, panel, lags)
    long = panel.select_series(panel.series_lengths.loc[lambda length: length >= LEAST].index)
    encoder, differenced = CategoryEncoder.from_panel(long), needs_differencing(long)
    shares = split_panel(long, workers.count if candidate.library == "lightgbm" else 1)
    train = partial(_train_share, candidate, seed, lags, differenced, encoder)
    trained = workers.train_together(train, shares)[0]
    return BoostedModel(
        candidate, trained.model, lags, differenced, encoder, trained.dumped, panel if trained.prepared else None, trained.prepared
    )  # fmt: skip


def _train_share(
    candidate: GradientBoosting,
    seed: int,
    lags: tuple[int, ...],
    differenced: bool,
    encoder: CategoryEncoder,
    panel: Panel,
    peer: TrainingPeer,
) -> TrainedTrees:
    """Train on a share of the series, together with the other workers. Return the trees on rank 0, None on the others."""
    settings = TreeSettings(
        candidate.library, candidate.iterations, candidate.learning_rate, candidate.max_leaves, seed
    )
    engine, frames = _build_engine(lags, differenced, panel.layout), feature_matrix(panel, encoder)
    prepared = PreparedForecast(engine, frames.ahead) if peer.is_here else None
    rows = _preprocess_frames(engine, frames)
    del frames
    features, target = _take_matrix(rows)
    started = peer.start_fit and peer.start_fit(settings, features, target)
    if started:
        del features, target  # the other process has them
        dumped = started()
        return TrainedTrees(trees.load_trees(dumped, candidate.library), dumped, prepared)
    model = build_estimator(settings, network=_network_options(peer))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the data contract reports a column without values
        model.fit(features, target)
    return TrainedTrees(model if peer.rank == 0 else None, None, prepared)


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


def needs_differencing(panel: Panel) -> bool:
    """Return whether differencing lowers the variance of most series."""
    groups = panel.frame.groupby(ID, sort=True)[TARGET]
    changes = (panel.frame[TARGET] - groups.shift(1)).groupby(panel.frame[ID], sort=True).var()
    levels = groups.var()
    return bool((changes < levels)[levels > 0].mean() > 0.5)


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


def _refuse_short(candidate: GradientBoosting, panel: Panel, lags: tuple[int, ...]) -> None:
    lengths, longest = panel.series_lengths, max(lags)
    rows = int((lengths - longest).clip(lower=0).sum())
    if rows < FEWEST_ROWS:
        raise ModelError(
            f"candidate '{candidate.label}': with its longest lag of {longest} periods only {rows} training rows are left "
            f"at {panel.layout.frequency.format_period(panel.cutoff)}, and {FEWEST_ROWS} are needed; "
            f"the longest series has {int(lengths.max())} periods ({describe_series([str(lengths.idxmax())])})",
            hint="give it shorter lags, leave it out, or use fewer or narrower backtest windows",
        )
