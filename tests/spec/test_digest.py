"""What changes the digest of a spec: what the user says, and nothing that an upgrade brings."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.desired import DesiredForecast
from mlspec.plan.fields import flatten_keys
from mlspec.plan.serving import recorded_shape, spec_shape
from mlspec.spec import digest
from mlspec.spec.digest import digest_values, language_keys, spec_digest
from mlspec.spec.document import open_document
from mlspec.spec.first_keys import FIRST_KEYS
from mlspec.spec.forecast import Forecast
from mlspec.spec.stored import read_stored_spec
from mlspec.state.observed import SourceFacts
from mlspec.state.resource import KINDS, Kind
from tests.spec.later import LaterForecast, resolved, speak

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FILES = (HERE / "full.yaml", *sorted((ROOT / "specs").glob("*.yaml")))
DOCUMENTS = {path.name: open_document(path, path.name).value for path in FILES}
SPEC: dict[str, Any] = {
    "apiVersion": "mlspec/v1",
    "kind": "Forecast",
    "metadata": {"name": "demand"},
    "dataset": {
        "source": {"uri": "data/sales.csv"}, "time": "day", "target": "units", "frequency": "D",
        "checks": {"range": {"units": {"min": 0.0}}},
    },
    "model": {
        "horizon": 2, "candidates": [{"kind": "seasonal-naive"}, {"kind": "theta"}, {"kind": "gradient-boosting"}],
        "gate": [{"metric": "wape", "below": 0.9}],
    },
    "alerts": [{"name": "accuracy", "metric": "wape", "above": 0.2}],
    "inventory": {"service_level": 0.95, "lead_time": 1},
}  # fmt: skip


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Specs are digested by a mlspec that has more keys."""
    speak(monkeypatch)


def fields(spec: dict[str, Any], kind: Kind) -> Any:
    """What makes one kind of resource what it is."""
    wanted = DesiredForecast("demand", read_stored_spec(spec), spec_digest(spec), SourceFacts("d", (), 0), "0.1.0")
    return wanted.spec_fields(kind)


# --- a new key --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_key_with_a_default_that_is_new_in_the_language_changes_no_digest(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, then = resolved(document, LaterForecast), resolved(document, Forecast)
    assert now != then  # the later language says more
    digested = spec_digest(now), spec_shape(read_stored_spec(now)), [fields(now, kind) for kind in KINDS]
    speak(monkeypatch, Forecast)
    assert digested == (spec_digest(then), spec_shape(read_stored_spec(then)), [fields(then, kind) for kind in KINDS])


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_spec_that_an_older_mlspec_recorded_has_the_digest_of_the_spec_that_it_came_from(
    document: dict[str, Any],
) -> None:
    recorded = json.loads(json.dumps(resolved(document, Forecast)))
    for spec in (resolved(document, LaterForecast), resolved(recorded, LaterForecast)):  # from its file, and read back
        assert spec_digest(recorded) == spec_digest(spec)
        assert recorded_shape(recorded) == recorded_shape(spec) == spec_shape(read_stored_spec(recorded))


# Where a later key stands in SPEC, its default, and other values that a user may give it.
LATER: dict[tuple[str | int, ...], tuple[Any, list[Any]]] = {
    ("model", "restarts"): (3, [0, 4]),
    ("model", "floors"): (["seasonal-naive"], [[], ["theta"], ["seasonal-naive", "theta"]]),
    ("model", "candidates", 0, "drift"): (False, [True]),
    ("model", "candidates", 1, "damping"): (1.0, [0.9, 2]),
    ("model", "gate", 0, "weight"): (1.0, [0.0, 0.5]),
    ("dataset", "workdays"): ("weekdays", [None, "", "null", "[]"]),
    ("dataset", "covariates"): ({"leading": []}, [{"leading": ["price"]}]),
    ("dataset", "checks", "range", "units", "tolerance"): (0.0, [0.1]),
    ("alerts", 0, "patience"): ("2h", ["120m", "3h", "0s"]),
    ("schedule",): ({"backfill": "last"}, [{"backfill": None}, {"backfill": "all"}]),
    ("deployment",): ({"rollout": {"asks": []}}, [{"rollout": {"asks": ["accuracy"]}}]),
    ("quality",): ({"floor": 0.5, "words": {}}, [{"floor": 0.4}, {"words": {"a": "b"}}, {"floor": 0.4, "words": {"a": "b"}}]),
    ("explanation",): (None, [{}, {"features": True}, {"features": False}]),
    ("pages",): ([], [[{}], [{}, {}], [{"wide": True}], [{}, {"wide": True}], [{"title": "t"}]]),
}  # fmt: skip
SAID = st.fixed_dictionaries(
    {}, optional={place: st.sampled_from([default, *others]) for place, (default, others) in LATER.items()}
)


def with_words(said: dict[tuple[str | int, ...], Any]) -> dict[str, Any]:
    """SPEC with more words in it, resolved by the later language."""
    document: Any = copy.deepcopy(SPEC)
    for place, value in said.items():
        part = document
        for step in place[:-1]:
            part = part[step]
        part[place[-1]] = value
    return resolved(document, LaterForecast)


def meant(said: dict[tuple[str | int, ...], Any]) -> dict[str, Any]:
    """What was said, without what says no more than a default, in one spelling."""
    spec = with_words(said)
    return {str(place): _at(spec, place) for place in LATER if _at(spec, place) != _at(with_words({}), place)}


def _at(value: Any, place: tuple[str | int, ...]) -> Any:
    for step in place:
        value = value[step]
    return value


@pytest.mark.usefixtures("later")
@given(SAID, SAID)
def test_a_digest_follows_from_what_is_said_and_a_default_that_is_written_out_says_nothing(
    one: dict[tuple[str | int, ...], Any], other: dict[tuple[str | int, ...], Any]
) -> None:
    same = meant(one) == meant(other)
    left, right = with_words(one), with_words(other)
    assert (spec_digest(left) == spec_digest(right)) is same
    # What a resource is compared by, and a version named by, tells the same differences.
    assert (flatten_keys(digest_values(left)) == flatten_keys(digest_values(right))) is same


@pytest.mark.usefixtures("later")
def test_a_new_kind_of_candidate_is_digested_with_what_is_said_of_it() -> None:
    def spec(**words: Any) -> dict[str, Any]:
        document = copy.deepcopy(SPEC)
        document["model"]["candidates"].append({"kind": "prophet", **words})
        return resolved(document, LaterForecast)

    plain = spec()
    assert digest_values(plain)["model"]["candidates"][-1] == {"kind": "prophet"}
    assert spec_digest(plain) == spec_digest(spec(changepoints=25, name=None))
    assert spec_digest(plain) not in (spec_digest(spec(changepoints=5)), spec_digest(with_words({})))


# --- the keys of now --------------------------------------------------------------------------------------------------

WRITTEN_OUT: dict[tuple[str | int, ...], Any] = {
    ("metadata", "description"): "",
    ("metadata", "labels"): {},
    ("dataset", "series"): [],
    ("dataset", "actuals"): {"available_after": "0d", "min_coverage": 0.95},
    ("dataset", "checks", "range", "units", "max"): None,
    ("model", "quantiles"): [0.1, 0.5, 0.9],
    ("model", "seed"): 0,
    ("model", "backtest"): {"windows": 4},
    ("model", "candidates", 0, "season"): None,
    ("model", "candidates", 2, "iterations"): 200,
    ("model", "gate", 0, "within"): None,
    ("alerts", 0, "severity"): "warning",
    ("alerts", 0, "for"): None,
    ("rollback",): {"cooldown": "24h"},
    ("schedule",): {"timezone": "UTC"},
    ("deployment",): {"rollout": {"interval": "60m"}, "machine": {}},
    ("inventory", "review_period"): 1,
    ("training",): {},
}


@given(st.sets(st.sampled_from(sorted(WRITTEN_OUT, key=str))), st.randoms(use_true_random=False))
def test_a_default_that_is_written_out_and_the_order_of_keys_change_nothing(
    places: set[tuple[str | int, ...]], order: Any
) -> None:
    document: Any = copy.deepcopy(SPEC)
    for place in places:
        part = document
        for step in place[:-1]:
            part = part[step]
        part[place[-1]] = WRITTEN_OUT[place]
    entries = list(document.items())
    order.shuffle(entries)
    assert spec_digest(resolved(dict(entries), Forecast)) == spec_digest(resolved(SPEC, Forecast))


def test_a_number_is_the_same_number_with_and_without_a_point() -> None:
    whole, broken = copy.deepcopy(SPEC), copy.deepcopy(SPEC)
    whole["dataset"]["checks"]["range"]["units"]["min"] = 1
    broken["dataset"]["checks"]["range"]["units"]["min"] = 1.0
    assert spec_digest(resolved(whole, Forecast)) == spec_digest(resolved(broken, Forecast))


def test_digests_are_those_that_release_0_1_0_recorded() -> None:
    assert {name: spec_digest(resolved(document, Forecast))[:16] for name, document in DOCUMENTS.items()} == RECORDED


RECORDED = {
    "full.yaml": "9c9f2a553edaf486",
    "bikes.yaml": "d7f396d8b4ab86a5",
    "demand.yaml": "b12314e2065d0fda",
}


def test_the_keys_that_the_first_release_digested_are_a_list_that_nobody_changes() -> None:
    text = " ".join(sorted(FIRST_KEYS))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "30a9605933319001", (
        "what was recorded under this list would no longer be the digest of its own spec: leave it, "
        "a new key needs no place in it"
    )
    assert language_keys(Forecast).keys() >= FIRST_KEYS


def test_a_default_changes_deliberately() -> None:
    """A user who left a key out gets another forecast from another default, so this table is the place to stop and think."""
    table = "".join(f"{key}: {json.dumps(value)}\n" for key, value in sorted(language_keys(Forecast).items()))
    assert table == (HERE / "defaults.txt").read_text(), (
        "a default has changed, or a key with a default came or went. New keys: copy the lines. A default that changed, or a "
        "key that went: first do what docs/decisions/0018 says of it, then copy the lines"
    )


def test_every_word_of_the_language_has_a_name_of_its_own() -> None:
    keys = language_keys(LaterForecast)
    assert keys["model.candidates[theta].damping"] == 1.0
    assert keys["alerts[].patience"] == "2h"
    assert keys["dataset.checks.range{}.tolerance"] == 0.0
    assert (keys["quality"], keys["quality.floor"]) == ({"floor": 0.5, "words": {}}, 0.5)
    assert digest.default_value(LaterForecast.model_fields["explanation"]) is None
