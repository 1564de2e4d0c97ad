"""The language as a whole: the contract's own example, layers, names, schema, explanations."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.frequency import SEASONS
from mlspec.spec import read_specs
from mlspec.spec.calendar import FREQUENCIES
from mlspec.spec.explain import all_paths, explain_field, nearest_path
from mlspec.spec.gcp.resource_names import NAMES, derived_names
from mlspec.spec.metrics import METRICS
from mlspec.spec.reader import read_yaml
from mlspec.spec.schema import json_schema
from mlspec.spec.secrecy import looks_secret
from tests.examples import project, spec_text

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def test_the_contracts_own_example_is_accepted_whole(tmp_path: Path) -> None:
    root = project(tmp_path, demand=(HERE / "full.yaml").read_text())
    (root / "mlspec.yaml").write_text((HERE / "full-project.yaml").read_text())
    loaded = read_specs([root / "specs"], root, "local")
    assert loaded.faults == ()
    (spec,) = loaded.specs
    assert spec.json["deployment"]["serve"] == "batch"
    line = next(
        i for i, text in enumerate((HERE / "full.yaml").read_text().split("\n"), 1) if text.startswith("  horizon:")
    )
    assert spec.origins["model.horizon"].endswith(f"demand.yaml:{line}")
    (prod,) = read_specs([root / "specs"], root, "prod").specs
    assert prod.json["deployment"]["serve"] == "both"
    assert prod.spec_hash != spec.spec_hash


def test_defaults_of_the_project_lie_under_the_spec_and_say_where_they_come_from(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "mlspec.yaml").write_text(
        "apiVersion: mlspec/v1\nkind: Project\nname: p\ndefaults:\n  metadata: {owner: a@b.c}\n  model: {horizon: 9, seed: 3}\n"
    )
    (spec,) = read_specs([root / "specs"], root, "local").specs
    assert (spec.json["metadata"]["owner"], spec.json["model"]["horizon"], spec.json["model"]["seed"]) == (
        "a@b.c",
        2,
        3,
    )
    assert spec.origins["model.seed"].endswith("mlspec.yaml:6")
    assert spec.origins["deployment.serve"] == "default"


def test_a_fault_in_the_defaults_is_told_where_it_stands(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "mlspec.yaml").write_text("apiVersion: mlspec/v1\nkind: Project\nname: p\ndefaults:\n  model: {seed: x}\n")
    (fault,) = read_specs([root / "specs"], root, "local").faults
    assert (Path(fault.file).name, fault.line, fault.path) == ("mlspec.yaml", 5, "defaults.model.seed")


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ("prdo: {model: {seed: 1}}", "no target 'prdo'"),
        ("local: {model: {sede: 1}}", "unknown key 'sede'"),
        ("local: {metadata: {name: other}}", "same in every target"),
        ("local: {kind: Project}", "same in every target"),
    ],
)
def test_an_overlay_is_checked_as_strictly_as_the_spec(tmp_path: Path, overlay: str, said: str) -> None:
    root = project(tmp_path, demand=spec_text() + f"targets:\n  {overlay}\n")
    faults = read_specs([root / "specs"], root, "local").faults
    assert any(said in fault.message for fault in faults)
    assert all(fault.line == spec_text().count("\n") + 2 for fault in faults)


def test_how_a_spec_is_spelt_does_not_change_its_hash(tmp_path: Path) -> None:
    value = yaml.safe_load(spec_text())
    root = project(tmp_path, demand=spec_text())
    (first,) = read_specs([root / "specs"], root, "local").specs
    (root / "specs/demand.yaml").write_text(json.dumps(dict(reversed(value.items()))))
    (second,) = read_specs([root / "specs"], root, "local").specs
    assert first.spec_hash == second.spec_hash


def test_two_specs_that_would_make_the_same_thing_are_refused(tmp_path: Path) -> None:
    root = project(tmp_path, a=spec_text("demand"), b=spec_text("demand"))
    (fault,) = read_specs([root / "specs"], root, "local").faults
    assert (fault.code, "a.yaml" in fault.message) == ("collision", True)


@pytest.mark.parametrize("path", ["nothing.yaml", "empty"])
def test_a_path_that_leads_nowhere_is_a_fault(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    (fault,) = read_specs([tmp_path / path], tmp_path, "local").faults
    assert fault.code in ("no-such-file", "no-specs")


def test_a_project_file_or_a_folder_is_no_spec(tmp_path: Path) -> None:
    root = project(tmp_path)
    assert read_specs([root / "mlspec.yaml"], root, "local").faults[0].code == "wrong-kind"
    (root / "specs" / "x.yaml").mkdir()
    assert read_specs([root / "specs"], root, "local").faults == ()


names = st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)


@given(names)
def test_every_derived_name_is_within_its_limits(name: str) -> None:
    for row in NAMES:
        assert re.fullmatch(row.pattern, row.name_for(name))
        assert len(row.name_for(name)) <= row.longest


@given(st.sets(names, min_size=2, max_size=6))
def test_different_forecasts_have_different_names_everywhere(found: set[str]) -> None:
    made = [derived_names(name) for name in found]
    for kind in made[0]:
        assert len({each[kind] for each in made}) == len(made)


@pytest.mark.parametrize("secret", [
    "AIza" + "b" * 35, "-----BEGIN RSA PRIVATE KEY-----", "ghp_" + "a1B2" * 9, "xoxb-123456789012-abc", "postgres://u:p4ss@host/db",
    "mY7" + "Zq9Kd0Lw3Xv8Rt5Nb2Hc6Jf1PgUeSaTi4Oy",
])  # fmt: skip
def test_what_looks_like_a_secret_is_one(secret: str) -> None:
    assert looks_secret(secret)


@pytest.mark.parametrize("text", [
    "data/walmart_sales_weekly.csv", "Weekly sales per store and department, corrected for returns", "bq://acme-prod.sales.weekly_by_store_and_department",
    "supply-chain-planning-south-america@example.com", "gs://acme-forecasting-data-prod/exports/2024/sales.parquet",
])  # fmt: skip
def test_plain_words_and_paths_are_no_secret(text: str) -> None:
    assert not looks_secret(text)


def test_a_secret_is_refused_and_not_repeated(tmp_path: Path) -> None:
    canary = "ghp_" + "a1B2c3D4e" * 4
    root = project(tmp_path, demand=spec_text().replace("name: demand", f"name: demand\n  description: {canary}"))
    (fault,) = read_specs([root / "specs"], root, "local").faults
    assert canary not in fault.message + str(fault.hint)
    assert fault.code == "secret"


@pytest.mark.parametrize("kind", ["forecast", "project", "any"])
def test_the_schema_is_a_schema(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(kind))


@pytest.mark.parametrize(
    "file", [*sorted((ROOT / "specs").glob("*.yaml")), HERE / "full.yaml"], ids=lambda file: file.stem
)
def test_the_schema_takes_what_validate_takes(file: Path) -> None:
    value = read_yaml(file.read_text()).value  # PyYAML would read `on:` as True
    jsonschema.validate(value, json_schema("forecast"))
    jsonschema.validate(value, json_schema("any"))
    assert file.read_text().startswith("# yaml-language-server: $schema=")


@pytest.mark.parametrize(
    "change", [{"horzion": 1}, {"horizon": 0}, {"horizon": "8"}, {"candidates": [{"kind": "magic"}]}]
)
def test_the_schema_refuses_what_validate_refuses(change: dict[str, object]) -> None:
    value = yaml.safe_load(spec_text())
    value["model"] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, json_schema("forecast"))


def test_an_overlay_may_be_any_part_in_the_schema_too() -> None:
    value = yaml.safe_load(spec_text())
    jsonschema.validate(
        value | {"targets": {"prod": {"model": {"seed": 1}, "deployment": {"serve": "both"}}}}, json_schema("forecast")
    )
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value | {"targets": {"prod": {"model": {"sede": 1}}}}, json_schema("forecast"))


def test_every_field_is_explained() -> None:
    paths = all_paths()
    assert len(paths) > 80
    for path in paths:
        found = explain_field(path)
        assert found is not None, path
        assert found.description, f"{path} has no description"
        assert found.type, path


def test_an_explanation_says_type_default_and_limits() -> None:
    cooldown = explain_field("rollback.cooldown")
    assert cooldown is not None
    assert (cooldown.type, cooldown.default, cooldown.required) == (
        "a duration (90s, 15m, 24h, 3d, 2w, 1y)",
        "24h",
        False,
    )
    horizon = explain_field("model.horizon")
    assert horizon is not None
    assert (horizon.type, horizon.required) == ("a whole number, at least 1, at most 1000", True)
    lags = explain_field("model.candidates.gradient-boosting.lags")
    assert lags is not None
    assert explain_field("model.nothing") is None
    assert nearest_path("rollback.cooldwn") == "rollback.cooldown"
    top = explain_field("")
    assert top is not None
    assert "metadata" in top.below


def test_the_tables_of_two_rooms_agree() -> None:
    assert set(SEASONS) == set(FREQUENCIES)
    metric = explain_field("alerts.metric")
    assert metric is not None
    assert set(METRICS) == set(metric.type.removeprefix("one of ").split(", "))
