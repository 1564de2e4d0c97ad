"""What a release of the version that serves takes from a spec while the gate keeps that spec's own version out."""

from __future__ import annotations

from mlspec.plan.fields import KEPT_WITH_RELEASE, find_owner, flatten_keys
from mlspec.plan.releases import served_spec
from mlspec.spec.digest import resolved_json, spec_digest
from mlspec.spec.example import FORECAST
from mlspec.spec.forecast import Forecast
from mlspec.spec.reader import read_yaml
from mlspec.state.record import Release
from tests.examples import spec_json

RELEASE = Release("demand", 1, "v1", "2024-03-01T00:00:00Z", spec_digest(spec_json()), spec_json())


def test_what_serves_gets_every_key_that_no_model_depends_on_and_no_other() -> None:
    present = Forecast.model_validate(read_yaml(FORECAST).value)  # it has an example of every key
    merged = flatten_keys(resolved_json(served_spec(RELEASE, present)))
    before, wanted = flatten_keys(RELEASE.spec), flatten_keys(resolved_json(present))
    kept = {key for key in wanted if find_owner(key)[0] == ("deployment",)}
    assert {
        name for name in KEPT_WITH_RELEASE if not any(f"{key}.".startswith((f"{name}.", f"{name}[")) for key in kept)
    } == set()
    assert merged == {
        **{key: value for key, value in before.items() if find_owner(key)[0] != ("deployment",)},
        **{key: wanted[key] for key in kept},
    }
