"""Desired against observed: one change a resource, with the fields that differ and what follows from each."""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.plan import desired
from mlspec.plan.desired import Wanted
from mlspec.plan.fields import owner
from mlspec.plan.serving import Kept, fits, kept, traffic
from mlspec.state.observed import Observed
from mlspec.state.plan import Action, Change, FieldChange
from mlspec.state.resource import Json, Kind, Resource

AFTER_THE_GATE = "(known after the gate)"
_RUNS: frozenset[Kind] = frozenset({"data", "forecast"})  # they are done anew; the others are kept and changed
_SHOWN = 3


def changes(wanted: Wanted, observed: Observed) -> tuple[Change, ...]:
    """Return what would have to be done for one forecast, in order."""
    checked = compare(desired.data(wanted), observed)
    judged = compare(desired.model(wanted), observed)
    held = kept(observed, wanted.spec_hash) if judged.action == "none" else None
    if held is not None:
        return checked, judged, _kept_out(wanted, observed, held), _made_by(wanted, observed, held.version, held.reason)
    version = AFTER_THE_GATE if judged.action != "none" else str(observed.fact("model", "version"))
    deployed = compare(desired.deployment(wanted, version), observed)
    return checked, judged, deployed, _made_by(wanted, observed, version, "", moved=deployed.action != "none")


def _made_by(wanted: Wanted, observed: Observed, version: str | None, reason: str, *, moved: bool = False) -> Change:
    """Return what there is to do for the forecast, by the version that shall serve; nothing where none can make it."""
    before = observed.fields("forecast")
    if version is None:
        return Change(wanted.name, f"forecast.{wanted.name}", "none", reason, before, before)
    if reason and not fits(observed, wanted.spec):
        said = f"{reason}; {version}, which serves, was made for forecasts of another shape"
        return Change(wanted.name, f"forecast.{wanted.name}", "none", said, before, before)
    return compare(desired.forecast(wanted, version, {} if moved else traffic(observed)), observed)


def compare(wanted: Resource, observed: Observed) -> Change:
    """Return the one step that makes a resource what it shall be."""
    seen = observed.seen.get(wanted.kind)
    action: Action = "run" if wanted.kind in _RUNS else "update" if seen else "create"
    if seen is None:
        return Change(wanted.forecast, wanted.address, action, "does not exist yet", None, wanted.fields)
    before = seen.resource.fields
    fields = differences(before, wanted.fields)
    failed = observed.failed.get(wanted.kind)
    if not fields and not seen.damage and not failed:
        return Change(wanted.forecast, wanted.address, "none", "is as it shall be", before, wanted.fields)
    reason = seen.damage or (_reason(fields) if fields else f"the last attempt failed: {failed}")
    return Change(wanted.forecast, wanted.address, action, reason, before, wanted.fields, fields)


def differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[FieldChange, ...]:
    """Return the fields that differ, by name; what is absent on one side is None there."""
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return tuple(FieldChange(key, before.get(key), after.get(key), owner(key)[1]) for key in keys)


def _reason(fields: tuple[FieldChange, ...]) -> str:
    # The hash of the whole spec differs whenever anything does: it is a reason only where it stands alone.
    telling = [change for change in fields if change.field != "spec_hash"] or list(fields)
    effects = list(dict.fromkeys(change.effect for change in telling))
    names = ", ".join(change.field for change in telling[:_SHOWN])
    more = f" and {len(telling) - _SHOWN} more" if len(telling) > _SHOWN else ""
    return f"{names}{more} changed: {'; '.join(effects)}"


def _kept_out(wanted: Wanted, observed: Observed, held: Kept) -> Change:
    """Return the deployment's change while a newer version is kept out: what serves goes on, and is mended."""
    seen = observed.seen.get("deployment")
    if held.version is not None and seen and fits(observed, wanted.spec):
        resource = desired.deployment(wanted, held.version) if held.under else seen.resource
        change = compare(resource, observed)
        if change.action != "none":
            return change
    before = observed.fields("deployment")
    return Change(wanted.name, f"deployment.{wanted.name}", "none", held.reason, before, before)
