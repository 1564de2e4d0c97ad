"""The resources that must exist, from a spec and the present state of its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from weakref import ref

from mlspec.plan.fields import find_owner, flatten_keys
from mlspec.spec.digest import digest_values, resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.state.observed import SourceFacts
from mlspec.state.resource import KINDS, Json, Kind, Resource

METRIC_CODE = "metric.code"  # the fact of a model resource: the digest of a package's metric, by name
MODEL_CODE = "candidate.code"  # the fact of a model resource: the digest of a custom model's code, by candidate


@dataclass(frozen=True)
class DesiredForecast:
    """The desired state of one forecast: its spec, with the facts that the spec does not hold.

    `spec` is the resolved spec, `source` what the data files are now, `code` the version of the code that shapes a model.
    `model_code` has the digest of the code of each model of the project's own, by candidate; `metric_code` that of each metric
    of a package, by name.
    `waiting` holds facts of a kind of resource as they were when it was made, where newer ones are no reason yet: new data alone
    does not train.
    """

    name: str
    spec: Forecast
    spec_hash: str
    source: SourceFacts
    code: str
    model_code: Mapping[str, str] = field(default_factory=dict)
    metric_code: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[Kind, Mapping[str, Json]] = field(default_factory=dict)

    @property
    def judging_code(self) -> dict[str, str]:
        """The digests of the metrics of packages that choose the champion or that the gate judges; alerts may name others."""
        names = self.spec.model.package_metrics
        return {name: digest for name, digest in self.metric_code.items() if name in names}

    def spec_fields(self, kind: Kind) -> Mapping[str, Json]:
        """Return the keys of the spec that shape one kind of resource."""
        return _fields_by_kind(self.spec)[kind]

    def with_waiting(self, waiting: Mapping[Kind, Mapping[str, Json]]) -> DesiredForecast:
        """Return the same desired state, with `waiting` facts."""
        return replace(self, waiting=waiting)


# By the identity of a spec, which is frozen, until it is gone: a pass plans ten times, and the keys of a spec are hundreds.
_KNOWN: dict[int, tuple[ref[Forecast], Mapping[Kind, Mapping[str, Json]]]] = {}


def _fields_by_kind(spec: Forecast) -> Mapping[Kind, Mapping[str, Json]]:
    """Return the keys of a spec by the kinds of resource that they shape. Computed once for each spec."""
    key = id(spec)
    if key in _KNOWN:
        return _KNOWN[key][1]
    fields_by_kind: dict[Kind, dict[str, Json]] = {kind: {} for kind in KINDS}
    for name, value in flatten_keys(digest_values(resolved_json(spec))).items():
        for kind in find_owner(name)[0]:
            fields_by_kind[kind][name] = value
    _KNOWN[key] = ref(spec, lambda _spec: _KNOWN.pop(key, None)), fields_by_kind
    return fields_by_kind


def data_resource(wanted: DesiredForecast) -> Resource:
    """Return the data resource: the source, and the checks that it must pass."""
    facts = {"data.digest": wanted.source.digest, "code.version": wanted.code}
    return Resource("data", wanted.name, {**wanted.spec_fields("data"), **facts})


def model_resource(wanted: DesiredForecast) -> Resource:
    """Return the model resource: the keys that shape it, the data it learnt from, the code that trained it."""
    facts = {"data.digest": wanted.source.digest, "code.version": wanted.code, **wanted.waiting.get("model", {})}
    facts |= {f"{MODEL_CODE}.{name}": value for name, value in wanted.model_code.items()}
    facts |= {f"{METRIC_CODE}.{name}": value for name, value in wanted.judging_code.items()}
    return Resource("model", wanted.name, {**wanted.spec_fields("model"), **facts})


def deployment_resource(wanted: DesiredForecast, version: str) -> Resource:
    """Return the deployment resource: the version that serves, and everything that is kept with the release."""
    facts = {"version": version, "spec_hash": wanted.spec_hash}
    return Resource("deployment", wanted.name, {**wanted.spec_fields("deployment"), **facts})


def forecast_resource(wanted: DesiredForecast, version: str, traffic: Mapping[str, int] | None = None) -> Resource:
    """Return the forecast resource: its version (with `traffic`: each version's share of the series), its data, its stock keys."""
    facts: dict[str, Json] = {
        "version": version,
        "data.digest": wanted.source.digest,
        **wanted.waiting.get("forecast", {}),
    }
    if traffic and len(traffic) > 1:
        facts["traffic"] = dict(traffic)
    return Resource("forecast", wanted.name, {**wanted.spec_fields("forecast"), **facts})
