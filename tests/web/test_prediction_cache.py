"""The shelf follows the state, computes only what changed, and keeps what it had where a version fails on what is new."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from mlspec.errors import LostProcess, ModelError, StateError
from mlspec.plan.ready import DESTROYED
from mlspec.state.notice import PendingNotice
from mlspec.state.observed import Observed, Settlement
from mlspec.state.predicted import Predictions
from mlspec.state.request_counts import LATENCIES, RequestCount
from mlspec.state.step import StepRequest
from mlspec.targets.local.target import LocalTarget
from mlspec.web.counts import RequestCounter
from mlspec.web.prediction_cache import CachedForecast, PredictionCache
from tests.engine.steps import spec
from tests.engine.world import World
from tests.notify.test_deliver import T, notice


class Oracle:
    """Predicts the same for every series; `fails` says whether it can, `losses` how often its process ends before. Counts calls."""

    def __init__(self) -> None:
        self.asked, self.fails, self.losses = 0, False, 0

    def __call__(self, request: StepRequest) -> Predictions:
        self.asked += 1
        if self.losses:
            self.losses -= 1
            raise LostProcess("the process that computed the predictions ended with -9")
        if self.fails:
            raise ModelError("the panel makes no sense")
        mean = {"mean": array("d", [float(self.asked)] * 2)}
        return Predictions("2024-02-11", "2024-02-12T00:00:00Z", "day", ("2024-02-12", "2024-02-13"), {"001": 0}, mean)


class Shop:
    """A world with a shelf that looks at it."""

    def __init__(self, folder: Path) -> None:
        self.world, self.oracle = World(folder), Oracle()
        self.said: list[str] = []
        self.shelf = PredictionCache(self.world.target, [], self.oracle, self.said.append)

    def look(self) -> CachedForecast:
        """Refresh, and return what is answered from."""
        self.shelf.refresh()
        found = self.shelf.find_forecast("demand")
        assert isinstance(found, CachedForecast), found
        return found

    def next_day(self) -> None:
        """Let another day's data come in, and be checked."""
        self.world.pass_time(days=1)
        self.world.new_data()
        self.world.look()

    def mean(self) -> float:
        """What is predicted, which is the how-manieth prediction it was."""
        found = self.look().any_predictions
        assert found
        mean: float = found.for_series("001", 1)[0]["mean"]
        return mean


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_forecasts_come_and_go_without_a_restart(shop: Shop) -> None:
    shop.shelf.refresh()
    assert shop.shelf.names == ()
    shop.world.look()
    assert shop.look().traffic == {shop.world.serves: 100}
    shop.world.target.remove_forecast(
        "demand", ("data", "model", "deployment", "forecast"), purge=True, at="2024-03-01T00:00:00Z"
    )
    shop.shelf.refresh()
    assert shop.shelf.find_forecast("demand") is None


def test_what_does_not_matter_computes_nothing(shop: Shop) -> None:
    shop.world.look()
    assert shop.mean() == 1
    assert shop.mean() == 1
    took = (1, *([0] * len(LATENCIES)))
    shop.world.target.add_request_counts(
        [RequestCount("demand", shop.world.serves, "2024-03-01T00:00:00Z", 1, 0, took)]
    )
    assert (shop.mean(), shop.oracle.asked) == (1, 1)


def test_notices_that_nobody_got_are_counted(shop: Shop) -> None:
    shop.world.look()
    shop.shelf.refresh()
    assert shop.shelf.given_up_notices == {"demand": 0}
    notices = [PendingNotice(notice(name), "webhook:x", 1, None, "it answered 404") for name in ("n1", "n2")]
    waits = PendingNotice(notice("n3"), "webhook:x", 1, T, "it answered 500")
    shop.world.target.record_settlement(Settlement("demand", notices=(*notices, waits)), T)
    shop.shelf.refresh()
    assert shop.shelf.given_up_notices == {"demand": 2}
    page = RequestCounter(shop.shelf, lambda: T).render_metrics().decode()
    assert 'mlspec_notices_given_up{forecast="demand"} 2.0' in page
    shop.world.target.record_settlement(Settlement("demand", discarded=tuple(notices)), T)
    shop.shelf.refresh()
    assert shop.shelf.given_up_notices == {"demand": 0}


def test_new_data_is_predicted_from(shop: Shop) -> None:
    shop.world.look()
    assert shop.mean() == 1
    shop.next_day()
    assert shop.mean() == 2


def test_a_version_that_fails_on_new_data_keeps_what_it_had_until_it_can(shop: Shop) -> None:
    shop.world.look()
    assert shop.mean() == 1
    shop.oracle.fails = True
    shop.next_day()
    assert shop.mean() == 1
    assert "keeps its predictions from the earlier data" in shop.said[-1]
    shop.oracle.fails = False
    shop.next_day()
    assert shop.mean() == 3


def test_a_forecast_that_nothing_serves_takes_no_other_one_from_who_asks(shop: Shop) -> None:
    named = PredictionCache(shop.world.target, ["demand", "other"], shop.oracle, shop.said.append)
    for cache in (shop.shelf, named):
        cache.refresh()
        assert not cache.is_ready  # there is nothing to answer with
    shop.world.look()
    shop.shelf.refresh()
    assert shop.shelf.is_ready
    other = spec("other", model={"candidates": "auto"}, alerts=[], rollback={"on": []})
    shop.world.steps.fails = "backtest"  # its first version cannot be made
    shop.world.look(other)
    for cache in (shop.shelf, named):
        cache.refresh()
        assert "no version serves yet" in cache.why_not_ready["other"]
    assert (shop.shelf.is_ready, named.is_ready) == (True, False)


def test_a_destroyed_forecast_is_said_to_be_one_and_takes_no_other_one_from_who_asks(shop: Shop) -> None:
    shop.world.look()
    shop.world.look(spec("other"))
    parts = ("data", "model", "deployment", "forecast")
    shop.world.target.remove_forecast("other", parts, purge=False, at="2024-03-01T00:00:00Z")
    shop.shelf.refresh()
    assert shop.shelf.why_not_ready == {"other": DESTROYED}
    assert shop.shelf.is_ready


def test_a_version_that_never_could_predict_is_not_ready_and_says_why(shop: Shop) -> None:
    shop.oracle.fails = True
    shop.world.look()
    assert shop.look().any_predictions is None
    assert "the panel makes no sense" in shop.shelf.why_not_ready["demand"]
    assert not shop.shelf.is_ready


def test_a_prediction_whose_process_was_lost_once_is_computed_again_at_once(shop: Shop) -> None:
    shop.world.look()
    shop.oracle.losses = 1
    assert (shop.mean(), shop.said) == (2, [])


def test_a_prediction_whose_process_is_lost_again_and_again_is_tried_at_growing_pauses_until_it_succeeds(
    shop: Shop,
) -> None:
    shop.world.look()
    shop.oracle.losses = 7
    calls = []
    for call in range(20):
        before = shop.oracle.asked
        shop.shelf.refresh()
        if shop.oracle.asked > before:
            calls.append(call)
    assert calls == [0, 1, 3, 7]  # two processes at each but the last, which the second one of succeeds
    assert shop.mean() == 8
    shop.oracle.losses = 2
    shop.next_day()
    assert shop.mean() == 8
    assert "keeps its predictions from the earlier data" in shop.said[-1]
    assert shop.mean() == 11


def test_a_version_that_cannot_predict_is_not_tried_again_before_something_changes(shop: Shop) -> None:
    shop.oracle.fails = True
    shop.world.look()
    for _ in range(5):
        shop.shelf.refresh()
    assert shop.oracle.asked == 1


def test_a_rollout_computes_the_new_version_alone(shop: Shop) -> None:
    shop.world.write(deployment={"rollout": {"strategy": "canary", "steps": [40, 100], "interval": "1h"}})
    shop.world.look()
    first = shop.world.serves
    shop.look()
    shop.world.write(model={"seed": 1}, deployment=shop.world.spec.json["deployment"])
    shop.world.look()
    assert sorted(shop.look().traffic.values()) == [40, 60]
    assert set(shop.look().versions) > {first}
    assert shop.oracle.asked == 2


def test_a_record_that_cannot_be_read_takes_no_other_forecast_away_and_keeps_what_was_served(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = spec("other")
    shop.world.look(other)
    shop.shelf.refresh()
    observe = LocalTarget.observe_forecast

    def fail(target: LocalTarget, forecast: str) -> Observed:
        if forecast == "demand":
            raise StateError("the state holds a record that mlspec did not write", hint="restore it")
        return observe(target, forecast)

    shop.world.new_data()
    shop.world.look(other)
    monkeypatch.setattr(LocalTarget, "observe_forecast", fail)
    shop.shelf.refresh()
    assert shop.said == ["demand: the state holds a record that mlspec did not write"]
    assert shop.shelf.is_loaded
    for name in ("demand", "other"):
        assert isinstance(shop.shelf.find_forecast(name), CachedForecast)
    cold = PredictionCache(shop.world.target, [], shop.oracle, shop.said.append)
    cold.refresh()
    assert cold.find_forecast("demand") == "the state holds a record that mlspec did not write"
    assert isinstance(cold.find_forecast("other"), CachedForecast)
