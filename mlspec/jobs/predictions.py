"""Input and output of a Vertex AI batch prediction job: one line of JSON per instance, and one per answer.

An instance names one series, as in a request to the server; its answer is the server's answer (`web.answer`). JSON's shortest form
of a float is exact, so the values are those of the server, bit by bit. Only the series' names and the cutoff come from this step's
inputs; the server reads the panel. Source: cloud.google.com/vertex-ai/docs/predictions/get-batch-predictions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.errors import TargetError
from mlspec.forecast.cold_start import BY_MODEL
from mlspec.forecast.frame import ID, TIME, Layout, describe_series
from mlspec.jobs.files import write_bytes
from mlspec.spec.output_columns import METHOD
from mlspec.state.split import series_key, series_partition, version_for

VERSION = "version"
_SHOWN = 60  # most characters of a line in a message
_AGAIN = "run the same command again: it starts another job"


def write_instances(names: pd.DataFrame, path: Path) -> Path:
    """Write one instance per series: its series columns as in the data. `names` holds them by unique_id."""
    rows = (dict(zip(names.columns, row[1:], strict=True)) for row in names.itertuples(name=None))
    return write_bytes("".join(f"{json.dumps(row)}\n" for row in rows).encode(), path)


@dataclass(frozen=True)
class ExpectedForecast:
    """The forecast that a job must return: its series, versions, cutoff and columns.

    `names` holds the series columns by unique_id, `traffic` each version's share; `time` is the user's name of the time column, and
    `zone` the dataset's time zone, whose offset the times of an answer carry.
    """

    names: pd.DataFrame
    layout: Layout
    cutoff: pd.Timestamp
    time: str
    columns: tuple[str, ...]
    traffic: Mapping[str, int]
    zone: str | None = None

    def read_answers(self, files: Iterable[Path]) -> pd.DataFrame:
        """Return unique_id, ds, version, method, mean and quantiles, sorted, from a job's files.

        Raises TargetError if a series has no forecast, or one by another version or from another cutoff.
        """
        ids = self.names.index.sort_values()
        times = self.layout.frequency.periods_after(self.cutoff, self.layout.horizon)
        versions = {key: version_for(series_partition(key), self.traffic) for key in ids}
        places = {key: position for position, key in enumerate(ids)}
        values, methods = self._read_predictions(files, places, versions, times)
        _refuse_missing([str(key) for key in ids[~np.isfinite(values).all(axis=(1, 2))]], len(ids))
        predicted = pd.DataFrame({ID: ids.repeat(len(times)), TIME: list(times) * len(ids)})
        predicted[list(self.columns)] = values.reshape(-1, len(self.columns))
        made_by = {VERSION: versions, METHOD: methods}
        return predicted.assign(**{name: [made[key] for key in predicted[ID]] for name, made in made_by.items()})

    def _read_predictions(
        self, files: Iterable[Path], places: Mapping[str, int], versions: Mapping[str, str], times: pd.DatetimeIndex
    ) -> tuple[npt.NDArray[np.float64], dict[str, str]]:
        """Return the predictions by series, period and column, NaN if missing, and the method of each series."""
        texts = [self.layout.frequency.format_period(time, self.zone) for time in times]
        values = np.full((len(places), len(times), len(self.columns)), np.nan)
        methods = dict.fromkeys(places, BY_MODEL)
        for line in _read_lines(files):
            try:
                answer = json.loads(line)
                key = series_key({name: answer["instance"][name] for name in self.names})
                periods = {row[self.time]: row for row in answer["prediction"]["forecast"]}
                origin = answer["prediction"]["version"], answer["prediction"]["cutoff"]
                values[places[key]] = [[periods[text][name] for name in self.columns] for text in texts]
                methods[key] = answer["prediction"].get("method", BY_MODEL)
            except (ValueError, KeyError, TypeError) as error:
                message = (
                    f"the batch prediction job wrote an invalid forecast ({type(error).__name__}): {line[:_SHOWN]!r}"
                )
                raise TargetError(message, hint=_AGAIN) from error
            self._refuse_mismatch(key, origin, versions[key])
        return values, methods

    def _refuse_mismatch(self, key: str, origin: tuple[Any, Any], version: str) -> None:
        expected = version, self.layout.frequency.format_period(self.cutoff, self.zone)
        if origin != expected:
            origin_text = " from ".join(map(str, origin))
            raise TargetError(
                f"the batch prediction job forecast '{key}' by {origin_text}, not by {' from '.join(expected)}",
                hint=_AGAIN,
            )


def _read_lines(files: Iterable[Path]) -> Iterator[str]:
    for path in files:
        with path.open(encoding="utf-8") as stream:
            yield from stream


def _refuse_missing(missing: list[str], count: int) -> None:
    if missing:
        raise TargetError(
            f"the batch prediction job forecast {count - len(missing):,} of {count:,} series, "
            f"and left out {describe_series(missing)}",
            hint=_AGAIN,
        )
