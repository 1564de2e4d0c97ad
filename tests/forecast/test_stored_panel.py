"""A panel in parts that are read when they are needed: any number of parts makes the same models and forecasts, to the last bit."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.backtest import forecast_means, window_actuals
from mlspec.forecast.candidates import fit_candidate
from mlspec.forecast.candidates.boosting import _find_runs, needs_differencing
from mlspec.forecast.cold_start import forecast_cold_starts
from mlspec.forecast.facts import history_facts, panel_size
from mlspec.forecast.features import CategoryEncoder, count_features, feature_matrix
from mlspec.forecast.frame import AVAILABLE, ID, MEAN, OBSERVED, TARGET, TIME, Layout, Panel, cross_periods
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.scales import series_scales
from mlspec.forecast.series_parts import place_series
from mlspec.forecast.stored_panel import StoredPanel
from mlspec.forecast.training_sample import draw_sample, row_bytes
from mlspec.forecast.workers import THIS_PROCESS, collect_parts, deal_series, join_pieces, split_panel
from mlspec.jobs.process_workers import ProcessWorkers
from mlspec.jobs.runtime import single_threaded
from mlspec.spec.candidates import GradientBoosting, Theta

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
DAYS = pd.date_range("2024-01-01", periods=70)
STARTS = (
    0,
    0,
    3,
    0,
    20,
    66,
    0,
    0,
    41,
    0,
    55,
    0,
)  # of 12 series; the one from day 66 on is new, and too short for a model
LAYOUT = Layout(parse_frequency("D"), 3, 7, known=("x_promo",), past=("x_price", "x_offer"), static=("x_shop",))


def make_panel(starts: tuple[int, ...] = STARTS) -> Panel:
    """Daily series from their own starts, with a week in them, covariates of all kinds and a column that is none."""
    names = pd.Series([f"s{(7 * place) % 100:02}" for place in range(len(starts))])
    ahead = LAYOUT.frequency.periods_after(DAYS[-1], 3)
    rows = cross_periods(names.sort_values(), DAYS.append(ahead))
    number = rows[ID].str[1:].astype("int64")
    rows["x_promo"] = np.where((rows[TIME].dt.day + number) % 9 == 0, "half price", "none")
    first = dict(zip(names, starts, strict=True))
    begun = (rows[TIME] - DAYS[0]).dt.days >= rows[ID].map(first)
    future = rows[rows[TIME] > DAYS[-1]].reset_index(drop=True)
    frame = rows[begun & (rows[TIME] <= DAYS[-1])].reset_index(drop=True)
    number = frame[ID].str[1:].astype("int64")
    values = (number + 3 * frame[TIME].dt.dayofweek + frame[TIME].dt.day % 5 + 4 * (frame["x_promo"] == "none")) % 23
    frame = frame.assign(
        **{TARGET: values.astype("float64"), OBSERVED: True, AVAILABLE: True, "x_price": 1.0 + number % 3}
    )
    frame["x_offer"] = np.where(values % 2 == 0, "bundle", "none")
    ids = frame[ID].unique()
    series = pd.DataFrame({ID: ids, "x_shop": [f"shop {int(name[1:]) % 2}" for name in ids]})
    columns = [ID, TIME, TARGET, OBSERVED, AVAILABLE, "x_promo", "x_price", "x_offer"]
    return Panel(frame[columns], series, future, LAYOUT)


def deal(panel: Panel, parts: int) -> StoredPanel:
    """Return the panel in so many parts, or fewer that have a series."""
    places = place_series(panel.series[ID], parts)
    dealt = [panel.select_series(panel.series[ID][places == place]).frame for place in np.unique(places)]
    return StoredPanel(
        tuple(partial(pd.DataFrame, frame) for frame in dealt), tuple(frame.groupby(ID)[TIME].min() for frame in dealt),
        panel.times, panel.series, panel.future, panel.layout, panel.text_columns,
    )  # fmt: skip


WHOLE = make_panel()
PARTED = deal(WHOLE, 4)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    """As in a step."""
    with single_threaded():
        yield


@given(
    starts=st.lists(st.integers(0, 69), min_size=1, max_size=6),
    parts=st.sampled_from([1, 2, 8]),
    day=st.integers(0, 69),
)
def test_it_knows_of_its_series_what_the_whole_panel_does(starts: list[int], parts: int, day: int) -> None:
    whole = make_panel((0, *starts))
    parted, cutoff = deal(whole, parts).known_at(DAYS[day]), DAYS[day]
    known = whole.known_at(cutoff)
    assert parted.cutoff == known.cutoff
    assert parted.times.equals(known.times)
    pd.testing.assert_series_equal(parted.series_lengths, known.series_lengths)
    pd.testing.assert_frame_equal(parted.whole().frame, known.frame)
    pd.testing.assert_frame_equal(parted.whole().future, known.future)
    read = [read() for read in parted.part_readers()]
    assert all(len(part.frame) for part in read)
    pd.testing.assert_frame_equal(
        pd.concat([part.frame for part in read]).sort_values([ID, TIME], ignore_index=True), known.frame
    )


@given(parts=st.sampled_from([1, 2, 8]), count=st.integers(1, 15), day=st.integers(3, 69))
def test_the_pieces_of_a_share_make_the_share_of_the_whole_panel(parts: int, count: int, day: int) -> None:
    whole, parted = WHOLE.known_at(DAYS[day]), deal(WHOLE, parts).known_at(DAYS[day])
    learned = whole.series_lengths.index[::2]
    shares = list(split_panel(whole.select_series(learned), count))
    pieces: list[list[Panel]] = [[] for _ in shares]
    for number, piece in deal_series(parted, learned, len(shares)):
        pieces[number].append(piece)
    for share, own in zip(shares, pieces, strict=True):
        joined = join_pieces(own)
        for name in ("frame", "series", "future"):
            pd.testing.assert_frame_equal(getattr(joined, name), getattr(share, name))


@pytest.mark.parametrize("workers", [THIS_PROCESS, ProcessWorkers(2, 2**30)], ids=["this-process", "two"])
def test_what_is_measured_of_series_is_that_of_the_whole_panel(workers: Any) -> None:
    cutoff = DAYS[60]
    rows = [
        collect_parts(panel, partial(window_actuals, cutoff=cutoff), workers, begun_by=cutoff)
        for panel in (WHOLE, PARTED)
    ]
    pd.testing.assert_frame_equal(rows[1], rows[0], check_exact=True)
    pd.testing.assert_frame_equal(series_scales(PARTED), series_scales(WHOLE), check_exact=True)
    parted, whole = panel_size(PARTED, 3), panel_size(WHOLE, 3)
    assert history_facts(PARTED.known_at(cutoff), parted) == history_facts(WHOLE.known_at(cutoff), whole)
    assert needs_differencing(PARTED, workers) == needs_differencing(WHOLE, workers)


@pytest.mark.parametrize("candidate", [
    Theta(kind="theta"),
    GradientBoosting(kind="gradient-boosting", lags=(1, 7), iterations=12),
    GradientBoosting(kind="gradient-boosting", library="lightgbm", lags=(1, 7), iterations=12),
], ids=lambda candidate: f"{candidate.kind}-{getattr(candidate, 'library', '')}")  # fmt: skip
def test_any_number_of_parts_makes_the_same_model_and_the_same_forecast(candidate: Any) -> None:
    """Trees are fitted from a file here, and alone from memory."""
    alone = fit_candidate(candidate, WHOLE, 0, THIS_PROCESS)
    expected = forecast_means(alone, WHOLE, candidate.label)
    workers = ProcessWorkers(2, 2**30, fewest_rounds=0)
    fitted = fit_candidate(candidate, PARTED, 0, workers)
    assert fitted.to_bytes() == alone.to_bytes()
    pd.testing.assert_frame_equal(forecast_means(fitted, PARTED, "x", workers), expected, check_exact=True)
    pd.testing.assert_frame_equal(forecast_means(alone, PARTED, "x", workers), expected, check_exact=True)
    assert fit_candidate(candidate, PARTED, 0, THIS_PROCESS).to_bytes() == alone.to_bytes()


def test_new_series_are_forecast_from_their_siblings_in_other_parts() -> None:
    means = WHOLE.future[[ID, TIME]].assign(**{MEAN: np.arange(len(WHOLE.future), dtype="float64")})
    cold = forecast_cold_starts(means, WHOLE)
    pd.testing.assert_frame_equal(forecast_cold_starts(means, PARTED), cold, check_exact=True)
    assert not cold.equals(means)


def test_the_features_of_trees_are_counted_before_they_are_made() -> None:
    """The sample of series depends on their number."""
    frames = feature_matrix(WHOLE, CategoryEncoder.from_panel(WHOLE))
    assert {str(kind) for kind in frames.history.drop(columns=[ID, TIME]).dtypes} == {"float64"}
    without_lags = [name for name in frames.history if name not in (ID, TIME, TARGET)]
    assert count_features(LAYOUT, (1, 7, 14)) == len(without_lags) + 3 + 2


LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=30).map(
    lambda rows: pd.Series(rows, index=[f"s{place}" for place in range(len(rows))])
)


TREES = GradientBoosting(kind="gradient-boosting", library="lightgbm", lags=(1, 7), iterations=5)


@given(LENGTHS, st.integers(1, 40), st.integers(0, 10**6))
def test_a_sample_fits_into_the_memory_and_grows_with_it(lengths: pd.Series, columns: int, memory: int) -> None:
    sample = draw_sample(TREES, lengths, columns, memory)
    assert len(sample.series) == 1 or lengths[sample.series].sum() * row_bytes(columns) <= memory
    assert set(sample.series) <= set(draw_sample(TREES, lengths, columns, 2 * memory).series)
    assert draw_sample(TREES, lengths, columns, None).series.equals(lengths.index)
    assert ("do not fit into" in sample.note) == (len(sample.series) < len(lengths))


@given(st.integers(900, 3_000), st.integers(1, 1_000), st.integers(1, 3))
def test_a_sample_has_enough_rows_for_each_leaf_and_a_thousand_series(series: int, rows: int, rounds: int) -> None:
    lengths = pd.Series(rows, index=[f"s{place}" for place in range(series)])
    candidate = TREES.model_copy(update={"iterations": rounds, "max_leaves": 15})
    sample = draw_sample(candidate, lengths, 5, None)
    left_out = series - len(sample.series)
    assert left_out == max(series - max(75_000 * rounds // rows, 1_000), 0)
    assert ("`learn_from: all`" in sample.note) == (left_out > 0)
    everything = candidate.model_copy(update={"learn_from": "all"})
    assert draw_sample(everything, lengths, 5, None).series.equals(lengths.index)


def test_trees_that_learn_from_a_sample_forecast_all_series_and_say_it() -> None:
    memory = 300 * row_bytes(count_features(LAYOUT, (1, 7)))
    workers = ProcessWorkers(1, 2**30, training_memory=memory)
    whole, parted = (fit_candidate(TREES, panel, 0, workers) for panel in (WHOLE, PARTED))
    assert whole.to_bytes() == parted.to_bytes() != fit_candidate(TREES, WHOLE, 0, THIS_PROCESS).to_bytes()
    assert "learns from 4 of 11 series" in whole.note  # type: ignore[attr-defined]
    assert set(forecast_means(parted, PARTED, "x")[ID]) == set(WHOLE.series[ID])


@given(LENGTHS, st.integers(1, 4), st.data())
def test_runs_put_every_row_at_its_place(lengths: pd.Series, parts: int, data: st.DataObject) -> None:
    lengths = lengths.sort_index() % 5 + 1
    wanted = lengths[[data.draw(st.booleans()) for _ in lengths]]
    places, rows = wanted.cumsum() - wanted, np.full(int(wanted.sum()), "", dtype=object)
    dealt = place_series(lengths.index, 4) % parts
    for part in range(parts):
        ids = pd.Series(lengths.index[dealt == part].repeat(lengths[dealt == part]), dtype=object)
        for start, stop, place in _find_runs(ids, places):
            rows[place : place + stop - start] = ids[start:stop]
    assert rows.tolist() == wanted.index.repeat(wanted).tolist()
