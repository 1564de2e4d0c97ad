"""Specs that were written down before are read back whole, or refused in words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mlspec.errors import StateError
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.spec.reader import read_yaml
from mlspec.spec.stored import READERS, read_stored_spec
from tests.examples import forecast_spec, spec_json

FULL = Path(__file__).parent / "full.yaml"
STATES = sorted((Path(__file__).parent.parent / "targets" / "states").glob("*.sql"))
# A spec in a release's row, as SQL has it.
_SPEC = re.compile(r"'(\{\"alerts\":.*?\"kind\":\"Forecast\".*?\})'\)", re.DOTALL)


def recorded(state: Path) -> list[dict[str, Any]]:
    """The specs of the releases in a state that an older mlspec wrote."""
    return [json.loads(text.replace("''", "'")) for text in _SPEC.findall(state.read_text(encoding="utf-8"))]


def test_a_spec_that_uses_every_key_comes_back_as_it_was() -> None:
    spec = Forecast.model_validate(read_yaml(FULL.read_text(encoding="utf-8")).value)
    document = resolved_json(spec)
    read = read_stored_spec(json.loads(json.dumps(document)))
    assert read == spec.model_copy(update={"targets": {}})
    assert resolved_json(read) == document


@given(
    st.integers(1, 1000),
    st.none() | st.floats(0.001, 1e6),
    st.sampled_from(["0d", "90s", "36h", "2w"]),
    st.sampled_from(["auto", [{"kind": "theta"}], [{"kind": "croston"}, {"kind": "ensemble", "of": "all"}]]),
)
def test_what_is_written_is_what_is_read_and_writing_it_again_changes_nothing(
    horizon: int, above: float | None, delay: str, candidates: Any
) -> None:
    spec = forecast_spec(
        model={"horizon": horizon, "candidates": candidates},
        dataset={"actuals": {"available_after": delay}},
        alerts=[
            {"name": "age", "metric": "data_age", "above": delay},
            {"name": "psi", "metric": "psi", "above": above},
        ],
    )
    document = json.loads(json.dumps(resolved_json(spec)))
    assert read_stored_spec(document) == spec
    assert resolved_json(read_stored_spec(document)) == document


@pytest.mark.parametrize("state", STATES, ids=lambda path: path.stem)
def test_a_release_of_an_older_mlspec_is_read_with_defaults_for_what_came_since(state: Path) -> None:
    documents = recorded(state)
    assert documents
    for document in documents:
        spec = read_stored_spec(document)
        assert "training" not in document
        assert (spec.training.machine, spec.deployment.batch_machine) == (None, None)
        assert spec.model.horizon == document["model"]["horizon"]


@pytest.mark.parametrize(("change", "said"), [
    ({"apiVersion": "mlspec/v2"}, "has the version 'mlspec/v2', and this mlspec reads mlspec/v1"),
    ({"apiVersion": None}, "has the version None"),
    ({"apiVersion": ["mlspec/v1"]}, "has the version"),
    ({"explanations": True}, "cannot be read at explanations"),
    ({"model": {"horizon": 2, "backtest": {"folds": 3}}}, "cannot be read at model.backtest.folds"),
    ({"metadata": {"owner": "somebody"}}, "cannot be read at metadata.name"),
    ({"schedule": {"timezone": "Mars/Phobos"}}, "cannot be read at schedule.timezone: 'Mars/Phobos' is not an IANA time zone"),
    ({"schedule": {"retrain": "0 6 31 2 *"}}, "cannot be read at schedule.retrain: '0 6 31 2 *' never fires"),
])  # fmt: skip
def test_a_spec_that_cannot_be_read_whole_is_refused_and_nothing_of_it_is_dropped(
    change: dict[str, Any], said: str
) -> None:
    with pytest.raises(StateError, match=re.escape(said)) as caught:
        read_stored_spec({**spec_json(), **change})
    assert "the mlspec that wrote it, or a newer one" in str(caught.value.hint)


def test_every_version_of_the_language_has_a_reader() -> None:
    versions = Forecast.model_fields["apiVersion"].annotation.__args__  # type: ignore[union-attr]
    assert set(versions) <= set(READERS)


def test_nobody_changes_a_spec_that_was_read() -> None:
    spec = read_stored_spec(spec_json())
    with pytest.raises(ValidationError, match="frozen"):
        spec.model.horizon = 9  # type: ignore[misc]
    assert isinstance(spec.dataset.series, tuple)


@pytest.mark.parametrize(("words", "agreement", "bounds"), [
    ({"above": 0.2}, (1, 1), (None, 0.2)),
    ({"above": "36h", "metric": "data_age"}, (1, 1), (None, 129_600.0)),
    ({"below": 0.7, "for": "2 of 3"}, (2, 3), (0.7, None)),
    ({"outside": [-0.1, 0.1], "metric": "bias", "for": "99 of 99"}, (99, 99), (-0.1, 0.1)),
])  # fmt: skip
def test_an_alert_says_in_numbers_what_its_words_say(
    words: dict[str, Any], agreement: tuple[int, int], bounds: tuple[float | None, float | None]
) -> None:
    (alert,) = forecast_spec(alerts=[{"name": "it", "metric": "wape", **words}]).alerts
    assert (alert.agreement, alert.bounds) == (agreement, bounds)
