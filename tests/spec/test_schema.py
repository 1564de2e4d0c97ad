"""The JSON Schema takes what validation takes and refuses what it refuses, wherever a schema can tell."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from mlspec.spec.example import FORECAST, PROJECT
from mlspec.spec.explain import field_places
from mlspec.spec.forecast import Forecast
from mlspec.spec.project import Project
from mlspec.spec.reader import read_yaml
from mlspec.spec.schema import DIALECT, json_schema
from tests.examples import spec_json

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
KINDS = ("forecast", "project", "any")


@cache
def validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema(kind))


def changed(path: str, value: Any, base: str = FORECAST) -> Any:
    """Return an example with another value at a path; list indices are numbers."""
    found = copy.deepcopy(read_yaml(base).value)
    place: Any = found
    *above, last = path.split(".")
    for word in above:
        place = place[int(word) if isinstance(place, list) else word]
    place[int(last) if isinstance(place, list) else last] = value
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one_of_its_dialect_and_every_reference_leads_somewhere(kind: str) -> None:
    schema = json_schema(kind)
    assert schema["$schema"] == DIALECT
    jsonschema.Draft202012Validator.check_schema(schema)
    assert _references(schema) == {f"#/$defs/{name}" for name in schema["$defs"]}


@pytest.mark.parametrize(
    "file", [*sorted((ROOT / "specs").glob("*.yaml")), HERE / "full.yaml"], ids=lambda file: file.stem
)
def test_the_shipped_specs_and_the_contracts_own_are_taken(file: Path) -> None:
    for kind in ("forecast", "any"):
        validator(kind).validate(read_yaml(file.read_text()).value)


@pytest.mark.parametrize("file", [ROOT / "mlspec.yaml", HERE / "full-project.yaml"], ids=lambda file: file.stem)
def test_project_files_are_taken(file: Path) -> None:
    for kind in ("project", "any"):
        validator(kind).validate(read_yaml(file.read_text()).value)


def test_a_resolved_spec_is_taken() -> None:
    validator("forecast").validate(spec_json())


@pytest.mark.parametrize("kind", ["forecast", "project"])
def test_every_field_has_a_description_and_an_example_that_its_own_schema_takes(kind: str) -> None:
    schema = json_schema(kind)
    seen = 0
    for path, part, key in field_places(kind):
        owner = schema if "." not in path else schema["$defs"].get(part.__name__, {"properties": {}})
        field = owner["properties"].get(key)
        if field is None or path in ("targets", "defaults"):  # only its partial form stands in this schema
            continue
        part_of_it = schema["$defs"].get(str(field.get("$ref")).rpartition("/")[2], {})
        assert field.get("description") or part_of_it["description"], path  # pydantic says the same sentence once
        for each in field["examples"]:
            validator(kind).evolve(schema={**field, "$defs": schema["$defs"]}).validate(each)
        seen += 1
    assert seen >= {"forecast": 90, "project": 10}[kind]


REFUSED = [
    ("modle", {}), ("apiVersion", "mlspec/v2"), ("kind", "Forcast"), ("metadata.name", "Demand"),
    ("metadata.labels", {"Team": "a"}),
    ("metadata.nmae", "x"), ("dataset.series", "store"), ("dataset.time", 1),
    ("dataset.checks.freshness.max_age", "10 days"),
    ("dataset.actuals.min_coverage", 1.5), ("dataset.checks.range", {"units": {"mni": 0}}),
    ("model.horizon", 0), ("model.horizon", "8"),
    ("model.horizon", None), ("model.horizon", True), ("model.quantiles", [0.5, 1.5]),
    ("model.quantiles", []), ("model.candidates", "some"),
    ("model.candidates", [{"kind": "prophet"}]), ("model.candidates", [{"kind": "theta", "lags": [1]}]),
    ("model.candidates", [{"season": 52}]),
    ("model.candidates.0.season", 1), ("model.gate.0.metric", "mape"), ("model.backtest.windows", 0),
    ("deployment.serve", "stream"),
    ("alerts.0.for", "twice"), ("alerts.0.severity", "loud"), ("alerts.1.outside", [0.1]),
    ("rollback.cooldown", 24), ("rollback.to", "best"),
    ("notify.1.webhook.secret", "https://example.com/hook"), ("reconcile.resources", {"modle": "observe"}),
    ("budget.monthly", "400"),
    ("inventory.service_level", 0.5), ("schedule.timezone", "../../etc/passwd"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), REFUSED)
def test_what_validation_refuses_in_a_field_the_schema_refuses_too(path: str, value: Any) -> None:
    spec = changed(path, value)
    with pytest.raises(ValidationError):
        Forecast.model_validate(spec)
    assert not validator("forecast").is_valid(spec)
    assert not validator("any").is_valid(spec)


@pytest.mark.parametrize(("path", "value"), [
    ("targets.prod.type", "aws"), ("targets.prod.region", "us-central1-a"), ("targets.prod.project", "12345"),
    ("targets.Prod", {"type": "local"}),
    ("name", ""), ("defaults.model", {"horzion": 8}), ("defaults.apiVersion", "mlspec/v1"),
])  # fmt: skip
def test_a_broken_project_file_is_refused(path: str, value: Any) -> None:
    assert not validator("project").is_valid(changed(path, value, PROJECT))


def test_the_project_example_is_what_validation_takes() -> None:
    Project.model_validate(read_yaml(PROJECT).value)
    validator("project").validate(read_yaml(PROJECT).value)


@pytest.mark.parametrize("overlay", [
    {"model": {"horizon": 4}}, {"dataset": {"source": {"uri": "gs://acme-sales/x.csv"}}}, {"inventory": {"lead_time": 4}},
    {"alerts": [{"name": "a", "metric": "wape", "above": 0.3}]}, {"model": {"candidates": [{"kind": "theta"}]}}, {},
])  # fmt: skip
def test_an_overlay_says_any_part(overlay: dict[str, Any]) -> None:
    validator("forecast").validate(changed("targets", {"prod": overlay}))
    validator("project").validate(changed("defaults", overlay, PROJECT))


@pytest.mark.parametrize("overlay", [
    {"model": {"horzion": 4}}, {"model": {"horizon": 0}}, {"kind": "Forecast"}, {"targets": {}}, {"alerts": [{"name": "a"}]},
    {"model": {"candidates": [{"season": 52}]}}, {"model": {"gate": [{"below": 0.1}]}}, [],
])  # fmt: skip
def test_an_overlay_is_as_strict_and_the_entries_of_its_lists_are_whole(overlay: Any) -> None:
    assert not validator("forecast").is_valid(changed("targets", {"prod": overlay}))
    assert not validator("project").is_valid(changed("defaults", overlay, PROJECT))


def _references(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_references, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(_references, value.values()))
