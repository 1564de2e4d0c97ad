"""Decides which version serves: the newest that passed the gate, unless it is in quarantine or an earlier release is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlspec.plan.fields import flatten_keys
from mlspec.spec.digest import digest_values, resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.state.ledger import Hold, Ledger
from mlspec.state.observed import Observed
from mlspec.state.record import Release, Version
from mlspec.state.resource import Json, digest

# The keys that define what a model forecasts. An earlier version can only take over if these are unchanged.
SHAPE = (
    "dataset.time", "dataset.series", "dataset.target", "dataset.frequency", "dataset.covariates",
    "model.horizon", "model.quantiles",
)  # fmt: skip

# Keys of `dataset` that came later: they count where they are not their default, so that recorded shapes stay as they are.
LATER_SHAPE = ("aggregate", "calendar", "missing", "timezone")

# Keys of `dataset` that say of what a forecast is. One that was made under others has other columns, or numbers of another kind.
MEASURED = ("time", "series", "target", "frequency", "aggregate")


@dataclass(frozen=True, slots=True)
class PromotionBlock:
    """Why the judged version does not take over, and which version serves instead (None: no version serves).

    `under_current_spec` is True if that version serves under the present spec. If the gate rejected the newest version, the
    older spec stays in force, held or not, but for the keys that are only kept with a release (`releases.served_spec`).
    """

    version: str | None
    reason: str
    under_current_spec: bool


def find_promotion_block(observed: Observed, spec_hash: str) -> PromotionBlock | None:
    """Return why the newest judged version must not serve; None if it may."""
    serves = observed.find_fact("deployment", "version")
    judged = observed.find_fact("model", "version")
    hold = active_hold(observed.ledger, spec_hash)
    is_rejected = observed.find_fact("model", "state") == "rejected"
    if hold is not None:
        reason = f"release {hold.release} is held by {hold.by}: {hold.reason}"
        return PromotionBlock(hold.version, reason, under_current_spec=not is_rejected)
    if is_rejected:
        reason = f"the gate kept {judged} out; it is not tried again until spec, data or code change"
        return PromotionBlock(serves, reason, under_current_spec=False)
    if judged in observed.ledger.quarantined_versions:
        reason = f"{judged} was rolled back; it is not promoted again until spec, data or code change"
        return PromotionBlock(serves, reason, under_current_spec=True)
    return None


def active_hold(ledger: Ledger, spec_hash: str) -> Hold | None:
    """Return the hold, if it is in force: a hold ends when the spec changes."""
    return ledger.hold if ledger.hold and ledger.hold.spec_hash == spec_hash else None


def stable_version(observed: Observed) -> str | None:
    """Return the stable version: during a rollout the version before it, else the version that serves."""
    rollout = observed.ledger.rollout
    version: str | None = rollout.stable_version if rollout else observed.find_fact("deployment", "version")
    return version


def observed_traffic(observed: Observed) -> Mapping[str, int]:
    """Return each version's share in percent; empty if nothing serves."""
    return observed.find_fact("deployment", "traffic") or {}


def spec_shape(spec: Forecast) -> str:
    """Return the digest of the keys in SHAPE and LATER_SHAPE. Versions of the same shape can replace each other."""
    return recorded_shape(resolved_json(spec))


def recorded_shape(document: Mapping[str, Json]) -> str:
    """Return the digest of a resolved spec's shape, from the JSON that a release keeps: its keys are as old as releases are."""
    values = digest_values(document)
    dataset = values["dataset"]
    later = [{key: dataset[key] for key in LATER_SHAPE if key in dataset}]
    return digest([_value_at(values, key) for key in SHAPE] + [part for part in later if part], 16)


def fits_spec(observed: Observed, spec: Forecast) -> bool:
    """Return whether the version that serves can make the forecasts that the present spec asks for."""
    return observed.find_fact("deployment", "shape") in (None, spec_shape(spec))


def keys_checked_otherwise(observed: Observed, served: Mapping[str, Json]) -> list[str]:
    """Return the keys of the dataset that define a forecast, and by which the newest data was checked otherwise.

    `served` is the spec of the release that serves, as JSON. The data is of another one while the gate keeps a new version out.
    Covariates are left out: data may have more of them than a version uses, and a step says which it lacks.
    """
    checked, wanted = observed.resources["data"].resource.fields, flatten_keys(digest_values(served))
    defining = tuple(key for key in SHAPE if key.startswith("dataset.") and key != "dataset.covariates")
    defining += tuple(f"dataset.{key}" for key in LATER_SHAPE)
    keys = {key for key in (*checked, *wanted) if key.startswith(defining)}
    return sorted(key for key in keys if checked.get(key) != wanted.get(key))


def forecasts_the_same(spec: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    """Return whether forecasts under two specs, as JSON, are of the same series, periods and values, and can be compared."""
    values, others = (digest_values(document)["dataset"] for document in (spec, other))
    return all(values.get(key) == others.get(key) for key in MEASURED)


def _value_at(document: Mapping[str, Json], key: str) -> Json:
    value: Json = document
    for part in key.split("."):
        value = value[part]
    return value


def good_releases(
    releases: Sequence[Release],
    versions: Sequence[Version],
    serves: str | None,
    ledger: Ledger,
    spec: Forecast,
) -> tuple[Release, ...]:
    """Return the releases that can take over from `serves`, newest first, one for each version.

    Each is of another version that passed the gate, is not in quarantine, and has the shape of `spec`. Some may never have served
    everything (`served_in_full`).
    """
    shape = spec_shape(spec)
    passed = {version.version for version in versions if version.state == "passed"}
    first = next((past_release.release for past_release in releases if past_release.version == serves), 0)
    good_by_version: dict[str, Release] = {}
    for past_release in sorted(releases, key=lambda release: release.release, reverse=True):
        fit = (
            past_release.version in passed
            and past_release.version not in ledger.quarantined_versions
            and recorded_shape(past_release.spec) == shape
        )
        if fit and past_release.version != serves and past_release.release < first:
            good_by_version.setdefault(past_release.version, past_release)
    return tuple(good_by_version.values())


def served_in_full(good: Sequence[Release], ledger: Ledger) -> tuple[Release, ...]:
    """Return the releases of versions that once served everything, by a complete ledger (`engine.traffic_history`).

    The others were replaced in their own rollout. A rollback goes to one of those only if a person names it.
    """
    return tuple(release for release in good if release.version not in (ledger.served_in_part or ()))


def usual_rollback_release(good: Sequence[Release], stable: str | None) -> Release:
    """Return the release of `good` that a rollback goes to if nobody names one: the newest, or in a rollout the stable version's.

    A release between these two was replaced in its own rollout.
    """
    return next((release for release in good if release.version == stable), good[0])
