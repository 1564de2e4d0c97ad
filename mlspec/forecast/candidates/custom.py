"""A model of the project's own: a class with `fit`, `predict`, `save` and `load` (`mlspec.models`), run in processes of its own.

A candidate of a spec names a class. `locate` adds the code of the class, so that two candidates are equal only if their code is.
What is trained is the folder that the model saved, together with that code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from mlspec.errors import ModelError
from mlspec.forecast import trees
from mlspec.forecast.arrow_stream import from_arrow, to_arrow
from mlspec.forecast.frame import (
    ID,
    MEAN,
    OBSERVED,
    PREFIX,
    TARGET,
    TIME,
    Layout,
    Panel,
    describe_series,
    horizon_frame,
)
from mlspec.forecast.quantiles import own_column, quantile_column
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import THIS_PROCESS, Workers
from mlspec.models import ModelContext
from mlspec.models.code import ModelCode, check_paths
from mlspec.models.process import ModelCall, broken_model, fit_and_save, is_state_name, load_and_predict
from mlspec.models.storage import pack_archive
from mlspec.spec.candidates import Candidate, Custom

ABOUT, CODE, STATE = "about.json", "code/", "state/"


class RecordedCustom(Custom):
    """A custom candidate as a backtest chose it: with the digest of its code."""

    digest: str = Field(pattern="^[0-9a-f]{64}$")


class LocatedCustom(RecordedCustom):
    """A custom candidate with its code, and what a model is told beside a panel."""

    code: Any = Field(exclude=True, repr=False)
    quantiles: tuple[float, ...] = Field(exclude=True)
    series_columns: tuple[str, ...] = Field(exclude=True)


def locate(
    candidate: Custom, code: ModelCode, quantiles: tuple[float, ...], series_columns: tuple[str, ...]
) -> LocatedCustom:
    """Return a candidate with its code."""
    more = {"digest": code.digest, "code": code, "quantiles": quantiles, "series_columns": series_columns}
    return LocatedCustom.model_validate({**candidate.model_dump(by_alias=True), **more})


@dataclass(frozen=True)
class CustomModel:
    """A fitted model: the files that it saved, and the code that reads them."""

    candidate: LocatedCustom
    state: Mapping[str, bytes]
    seed: int

    def wants_whole(self, panel: PartedPanel) -> bool:
        """Return True: what it makes of one series may depend on the others."""
        del panel
        return True

    def forecast(self, panel: PartedPanel, workers: Workers = THIS_PROCESS) -> pd.DataFrame:
        """Return unique_id, ds, mean and the model's own quantiles (`own_column`), sorted.

        It is one call in a process of its own, which no workers share. Raises BrokenModel if it returns anything else.
        """
        del workers
        whole = panel.whole()
        call = _make_call(self.candidate, "predict", whole, self.seed, self.state)
        return _checked_forecast(call, from_arrow(load_and_predict(call)), whole)

    def to_bytes(self) -> bytes:
        """Return a zip of the code, the saved files and `about.json`: the same model gives the same bytes."""
        candidate = self.candidate
        about = {
            "import": candidate.code.import_name, "package": candidate.code.package,
            "quantiles": candidate.quantiles, "series_columns": candidate.series_columns,
        }  # fmt: skip
        parts = {ABOUT: json.dumps(about, sort_keys=True).encode()}
        parts |= {f"{CODE}{path}": data for path, data in sorted(candidate.code.files.items())}
        return pack_archive(parts | {f"{STATE}{path}": data for path, data in sorted(self.state.items())})


def fit(candidate: Custom, panel: PartedPanel, seed: int, workers: Workers) -> CustomModel:
    """Fit to the whole panel, in a process on this machine. Raises BrokenModel."""
    del workers
    if not isinstance(candidate, LocatedCustom):
        raise ModelError(
            f"candidate '{candidate.label}': its code is not here",
            hint="run the step at the project's root: --root DIR",
        )
    return CustomModel(candidate, fit_and_save(_make_call(candidate, "fit", panel.whole(), seed, {})), seed)


def load_custom(candidate: Custom, data: bytes, seed: int) -> CustomModel:
    """Return the model from `CustomModel.to_bytes`. Raises ModelError if `data` is no such model."""
    stored = _read_stored(data)
    if isinstance(candidate, RecordedCustom) and candidate.digest != stored.code.digest:
        raise trees.damaged_model_error("its code is another than the one that was judged")
    return CustomModel(locate(candidate, stored.code, stored.quantiles, stored.series_columns), stored.state, seed)


def code_in(data: bytes) -> ModelCode:
    """Return the code in the bytes of a custom model. Raises ModelError if `data` is no such model."""
    return _read_stored(data).code


@dataclass(frozen=True)
class _StoredModel:
    code: ModelCode
    quantiles: tuple[float, ...]
    series_columns: tuple[str, ...]
    state: Mapping[str, bytes]


def _read_stored(data: bytes) -> _StoredModel:
    parts = trees.unpack_archive(data)
    try:
        about = json.loads(parts[ABOUT])
        code = ModelCode(str(about["import"]), _below(parts, CODE), str(about["package"]))
        quantiles, columns = tuple(map(float, about["quantiles"])), tuple(map(str, about["series_columns"]))
    except (KeyError, ValueError, TypeError) as error:
        raise trees.damaged_model_error("its description cannot be read") from error
    state = _below(parts, STATE)
    if check_paths(code.files) or not all(map(is_state_name, state)):
        raise trees.damaged_model_error("it has a file of another name than mlspec writes")
    return _StoredModel(code, quantiles, columns, state)


def read_candidate(value: Mapping[str, Any]) -> Candidate:
    """Return a custom candidate from its JSON, with the digest of its code if the JSON has one."""
    return (RecordedCustom if "digest" in value else Custom).model_validate(dict(value))


def _below(parts: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    return {name.removeprefix(folder): data for name, data in parts.items() if name.startswith(folder)}


def _make_call(candidate: LocatedCustom, action: Any, panel: Panel, seed: int, state: Mapping[str, bytes]) -> ModelCall:
    return ModelCall(
        label=candidate.label,
        code=candidate.code,
        action=action,
        params=candidate.params,
        context=_make_context(candidate, panel.layout, seed),
        seconds=candidate.timeout.total_seconds(),
        history=to_arrow(_history(panel)),
        future=to_arrow(_future(panel)),
        state=state,
    )


def _make_context(candidate: LocatedCustom, layout: Layout, seed: int) -> ModelContext:
    return ModelContext(
        horizon=layout.horizon,
        frequency=str(layout.frequency.alias),
        season=layout.season,
        seed=seed,
        quantiles=candidate.quantiles,
        series_columns=candidate.series_columns,
        known=_plain(layout.known),
        past=_plain(layout.past),
        static=_plain(layout.static),
    )


def _plain(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.removeprefix(PREFIX) for name in names)


def _history(panel: Panel) -> pd.DataFrame:
    layout = panel.layout
    frame = panel.frame[[ID, TIME, TARGET, OBSERVED, *layout.known, *layout.past]]
    return _with_static(frame, panel)


def _future(panel: Panel) -> pd.DataFrame:
    ahead = horizon_frame(panel)
    if panel.layout.known:
        ahead = ahead.merge(panel.future[[ID, TIME, *panel.layout.known]], on=[ID, TIME], how="left")
    return _with_static(ahead, panel)


def _with_static(frame: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    if panel.layout.static:
        frame = frame.merge(panel.series[[ID, *panel.layout.static]], on=ID, how="left")
    return frame.rename(columns=lambda name: str(name).removeprefix(PREFIX))


def _checked_forecast(call: ModelCall, answer: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Return the forecast of a model, sorted, if it is one for every period and series that was asked for."""
    columns = _checked_columns(call, answer)
    wanted = horizon_frame(panel)
    try:
        answer = answer.assign(**{ID: answer[ID].astype(str), TIME: answer[TIME].astype(wanted[TIME].dtype)})
    except (TypeError, ValueError) as error:
        raise broken_model(call, f"returned a column {TIME} that is no time: {error}") from error
    _refuse_other_rows(call, answer, wanted)
    forecast = wanted.merge(answer[[ID, TIME, *columns]], on=[ID, TIME], how="left")
    values = forecast[columns].astype("float64")
    broken = ~np.isfinite(values).all(axis=1)
    if broken.any():
        raise broken_model(call, f"returned NaN or an infinite value for series {_names(forecast[broken])}")
    own = values[columns[1:]].to_numpy()
    crossed = (np.diff(own, axis=1) < 0).any(axis=1)
    if crossed.any():
        raise broken_model(call, f"returned quantiles that cross for series {_names(forecast[crossed])}")
    own_names = dict(zip(columns[1:], map(own_column, call.context.quantiles), strict=False))
    return forecast[[ID, TIME]].assign(**{own_names.get(name, name): values[name] for name in columns})


def _checked_columns(call: ModelCall, answer: pd.DataFrame) -> list[str]:
    """Return the columns of values: the mean, and the quantiles in their order, of which there are all or none."""
    quantiles = [quantile_column(quantile) for quantile in call.context.quantiles]
    names = [str(name) for name in answer.columns]
    lacking = [name for name in (ID, TIME, MEAN) if name not in names]
    if lacking:
        raise broken_model(call, f"returned no column {', '.join(lacking)}; it has {', '.join(names[:10])}")
    other = [name for name in names if name not in (ID, TIME, MEAN, *quantiles)]
    if other or len(set(names)) < len(names):
        known = ", ".join((ID, TIME, MEAN, *quantiles))
        raise broken_model(call, f"returned a column {', '.join(other[:5]) or 'twice'}; expected {known}")
    given = [name for name in quantiles if name in names]
    if given and given != quantiles:
        absent = ", ".join(name for name in quantiles if name not in given)
        raise broken_model(call, f"returned some quantiles and no {absent}; return all of the spec's, or none")
    columns = [MEAN, *given]
    text = [name for name in columns if not pd.api.types.is_numeric_dtype(answer[name])]
    if text:
        raise broken_model(call, f"returned a column {text[0]} that holds no numbers")
    return columns


def _refuse_other_rows(call: ModelCall, answer: pd.DataFrame, wanted: pd.DataFrame) -> None:
    if answer.duplicated([ID, TIME]).any():
        raise broken_model(call, f"returned a period twice for series {_names(answer[answer.duplicated([ID, TIME])])}")
    rows = wanted.merge(answer[[ID, TIME]], on=[ID, TIME], how="outer", indicator="place")
    unknown, missing = rows[rows["place"] == "right_only"], rows[rows["place"] == "left_only"]
    if len(unknown):
        raise broken_model(call, f"returned a series or period that was not asked for: {_names(unknown)}")
    if len(missing):
        raise broken_model(
            call,
            f"returned {len(answer):,} of {len(wanted):,} rows; there is none for a period of series {_names(missing)}",
        )


def _names(rows: pd.DataFrame) -> str:
    return describe_series([str(name) for name in rows[ID].unique()])
