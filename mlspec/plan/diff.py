"""Compares desired with observed state: one change a resource, with the fields that differ and the effect of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mlspec.plan import desired
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.fields import find_owner
from mlspec.plan.serving import PromotionBlock, find_promotion_block, fits_spec, observed_traffic
from mlspec.state.observed import Observed
from mlspec.state.plan import Action, Change, FieldChange
from mlspec.state.resource import Json, Kind, Resource

AFTER_THE_GATE = "(known after the gate)"
NOT_THERE = "does not exist yet"
_RUN_KINDS: frozenset[Kind] = frozenset({"data", "forecast"})  # these are run again; the others are updated
_SHOWN = 3


def plan_changes(wanted: DesiredForecast, observed: Observed) -> tuple[Change, ...]:
    """Return the changes that one forecast needs, in order."""
    checked = compare_resource(desired.data_resource(wanted), observed)
    judged = compare_resource(desired.model_resource(wanted), observed)
    block = find_promotion_block(observed, wanted.spec_hash) if judged.action == "none" else None
    if block is not None:
        return (
            checked,
            judged,
            _blocked_deployment_change(wanted, observed, block),
            _forecast_change(wanted, observed, block.version, block.reason),
        )
    version = AFTER_THE_GATE if judged.action != "none" else str(observed.find_fact("model", "version"))
    deployed = compare_resource(desired.deployment_resource(wanted, version), observed)
    return (
        checked,
        judged,
        deployed,
        _forecast_change(wanted, observed, version, "", traffic_moves=deployed.action != "none"),
    )


def _forecast_change(
    wanted: DesiredForecast, observed: Observed, version: str | None, reason: str, *, traffic_moves: bool = False
) -> Change:
    """Return the change of the forecast, made by the desired version; action none if no version can make it."""
    before = observed.intact_fields("forecast")
    if version is None:
        return Change(wanted.name, f"forecast.{wanted.name}", "none", reason, before, before)
    if reason and not fits_spec(observed, wanted.spec):
        why = f"{reason}; {version}, which serves, was made for forecasts of another shape"
        return Change(wanted.name, f"forecast.{wanted.name}", "none", why, before, before)
    return compare_resource(
        desired.forecast_resource(wanted, version, {} if traffic_moves else observed_traffic(observed)), observed
    )


def compare_resource(wanted: Resource, observed: Observed) -> Change:
    """Return the change from the observed to the desired resource."""
    current = observed.resources.get(wanted.kind)
    action: Action = "run" if wanted.kind in _RUN_KINDS else "update" if current else "create"
    if current is None:
        return Change(wanted.forecast, wanted.address, action, NOT_THERE, None, wanted.fields)
    before = current.resource.fields
    fields = diff_fields(before, wanted.fields)
    failed = observed.failed.get(wanted.kind)
    if not fields and not current.damage and not current.outdated and not failed:
        return Change(wanted.forecast, wanted.address, "none", "is up to date", before, wanted.fields)
    reason = current.damage or (
        _change_reason(fields) if fields else current.outdated or f"the last attempt failed: {failed}"
    )
    return Change(wanted.forecast, wanted.address, action, reason, before, wanted.fields, fields)


def done_sentence(change: Change, after: Observed) -> str:
    """Return a sentence on a change that was carried out: the result, from what was observed afterwards, and the reason.

    The reason alone would read as the result: `model.demand: the data changed`.
    """
    kind = change.resource.partition(".")[0]
    reason = "it did not exist" if change.reason == NOT_THERE else change.reason
    return f"{change.resource} {_RESULTS[kind](after)}: {reason}"


def _served(after: Observed) -> str:
    shares = " and ".join(f"{version} {share} %" for version, share in observed_traffic(after).items())
    return f"is release {after.find_fact('deployment', 'release')}, served by {shares}"


_RESULTS: dict[str, Callable[[Observed], str]] = {
    "data": lambda after: f"checked, up to {after.find_fact('data', 'cutoff')}",
    "model": lambda after: f"passed the gate as {after.find_fact('model', 'version')}",
    "deployment": _served,
    "forecast": lambda after: f"made from the data up to {after.find_fact('forecast', 'cutoff')}",
}


def is_only_outdated(change: Change, observed: Observed) -> bool:
    """Return whether a change of the deployment does no more than bring the data of the newest forecast to its containers.

    It waits until the forecast is made: else they would be deployed twice.
    """
    deployment = observed.resources.get("deployment")
    if deployment is None or deployment.resource.address != change.resource:
        return False
    return bool(deployment.outdated and not deployment.damage and not change.fields)


def diff_fields(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[FieldChange, ...]:
    """Return the fields that differ, by name; a field that one side lacks is None there."""
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return tuple(FieldChange(key, before.get(key), after.get(key), find_owner(key)[1]) for key in keys)


def _change_reason(fields: tuple[FieldChange, ...]) -> str:
    # The hash of the whole spec differs whenever any key does: it is a reason only if it is the only change.
    shown_changes = [change for change in fields if change.field != "spec_hash"] or list(fields)
    effects = list(dict.fromkeys(change.effect for change in shown_changes))
    names = ", ".join(change.field for change in shown_changes[:_SHOWN])
    more = f" and {len(shown_changes) - _SHOWN} more" if len(shown_changes) > _SHOWN else ""
    return f"{names}{more} changed: {'; '.join(effects)}"


def _blocked_deployment_change(wanted: DesiredForecast, observed: Observed, block: PromotionBlock) -> Change:
    """Return the deployment's change while a newer version is blocked: what serves stays, and is repaired if damaged.

    Keys that no model depends on (alerts, receivers, …) change all the same.
    """
    current = observed.resources.get("deployment")
    if block.version is not None and current and (fits_spec(observed, wanted.spec) or not block.under_current_spec):
        resource = desired.deployment_resource(wanted, block.version)
        if not block.under_current_spec:
            # The digest of the whole spec differs by the keys of the version that was kept out.
            fields = {**resource.fields, "spec_hash": current.resource.fields.get("spec_hash")}
            resource = replace(resource, fields=fields)
        change = compare_resource(resource, observed)
        if change.action != "none":
            return change if block.under_current_spec else replace(change, reason=f"{change.reason}; {block.reason}")
    before = observed.intact_fields("deployment")
    return Change(wanted.name, f"deployment.{wanted.name}", "none", block.reason, before, before)
