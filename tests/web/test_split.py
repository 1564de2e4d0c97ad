"""Batch and server go by one split: whatever the series, their keys and the shares."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.frame import ID, MEAN, TIME
from mlspec.forecast.load import join_ids
from mlspec.jobs.forecast_rows import ForecastRows, split_by_traffic
from mlspec.state.predicted import Predictions
from mlspec.state.record import Release
from mlspec.web.answer import PredictionHandler
from mlspec.web.counts import RequestCounter
from mlspec.web.prediction_cache import CachedForecast, PredictionCache, VersionPredictions
from tests.examples import forecast_spec

values = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["a/b", "a\\", "\\/", "1", "01"]
)
keys = st.lists(st.tuples(values, values), min_size=1, max_size=30, unique=True)


@dataclass(frozen=True)
class NamingMaker:
    """Makes rows that say which version they are of, and nothing else."""

    version: str

    def make_rows(self, predicted: pd.DataFrame) -> pd.DataFrame:
        return predicted.assign(version=self.version)


def by_batch(series: list[tuple[str, str]], traffic: Mapping[str, int]) -> dict[tuple[str, str], str]:
    """Each series' version in the file that a batch forecast writes."""
    names = pd.DataFrame(series, columns=["store", "dept"], dtype=object)
    names.index = pd.Index(join_ids([names["store"], names["dept"]], names.index), name=ID)
    predicted = pd.DataFrame({ID: names.index, TIME: pd.Timestamp("2024-01-01"), MEAN: 1.0}).sort_values(ID)
    forecasts = {version: ForecastRows.of(predicted, NamingMaker(version)) for version in traffic}  # type: ignore[arg-type]
    rows = split_by_traffic(forecasts, names, traffic).whole()
    assert sorted(rows[ID]) == sorted(names.index)  # each once
    return {tuple(names.loc[row.unique_id]): row.version for row in rows.itertuples()}


def by_server(series: list[tuple[str, str]], traffic: Mapping[str, int]) -> dict[tuple[str, str], str]:
    """Each series' version in what the server answers."""
    frame = pd.DataFrame(series, columns=["store", "dept"], dtype=object)
    ids = join_ids([frame["store"], frame["dept"]], frame.index)
    places = {str(key): place for place, key in enumerate(ids)}
    found = Predictions("d", "2024-01-01T00:00:00Z", "day", ("d1",), places, {"mean": array("d", [1.0] * len(places))})
    spec = forecast_spec(dataset={"series": ["store", "dept"]}, model={"horizon": 1})
    release = Release("demand", 1, "v1", "t", "h", {})
    answers = CachedForecast(
        release, spec, dict(traffic), {version: VersionPredictions((), found) for version in traffic}
    )
    clock = lambda: "2024-01-01T00:00:00Z"  # noqa: E731
    shelf = PredictionCache(None, ["demand"], lambda _request: found, print)  # type: ignore[arg-type]
    answering = PredictionHandler(RequestCounter(shelf, clock), lambda: 0.0, print)
    body = json.dumps({"instances": [{"dept": dept, "store": store} for store, dept in series]}).encode()
    answer = answering("demand", answers, body)
    assert answer.code == 200, answer.body
    return {(each["store"], each["dept"]): each["version"] for each in json.loads(answer.body)["predictions"]}


@given(keys, st.integers(0, 100), st.permutations(["v1", "v2"]))
def test_a_series_is_answered_by_the_version_that_forecasts_it_in_batch(
    series: list[tuple[str, str]], share: int, order: list[str]
) -> None:
    traffic = dict(zip(order, (share, 100 - share), strict=True))
    served = {version: part for version, part in traffic.items() if part}
    assert by_server(series, served) == by_batch(series, traffic)
