"""Which version shall serve: the newest that the gate let in, unless it is in quarantine or an earlier one is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlspec.spec.digest import digest_values, resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.state.ledger import Hold, Ledger
from mlspec.state.observed import Observed
from mlspec.state.record import Release, Version
from mlspec.state.resource import Json, digest

# What a model was made for: an earlier version can only take over where these are as they were.
SHAPE = (
    "dataset.time", "dataset.series", "dataset.target", "dataset.frequency", "dataset.covariates",
    "model.horizon", "model.quantiles",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PromotionBlock:
    """Why the judged version does not take over, and which one serves instead (None: nothing does).

    `under` says that what serves does so under the spec of now; a version that the gate kept out leaves the older spec in force.
    """

    version: str | None
    reason: str
    under_current_spec: bool


def find_promotion_block(observed: Observed, spec_hash: str) -> PromotionBlock | None:
    """Return why the newest judged version shall not serve; None where it shall."""
    serves = observed.find_fact("deployment", "version")
    judged = observed.find_fact("model", "version")
    hold = active_hold(observed.ledger, spec_hash)
    if hold is not None:
        return PromotionBlock(
            hold.version, f"release {hold.release} is held by {hold.by}: {hold.reason}", under_current_spec=True
        )
    if observed.find_fact("model", "state") == "rejected":
        reason = f"the gate kept {judged} out; it is not tried again until spec, data or code change"
        return PromotionBlock(serves, reason, under_current_spec=False)
    if judged in observed.ledger.quarantined_versions:
        reason = f"{judged} was rolled back; it is not promoted again until spec, data or code change"
        return PromotionBlock(serves, reason, under_current_spec=True)
    return None


def active_hold(ledger: Ledger, spec_hash: str) -> Hold | None:
    """Return the hold that binds now: a changed spec lifts it, for what was held was held under another one."""
    return ledger.hold if ledger.hold and ledger.hold.spec_hash == spec_hash else None


def stable_version(observed: Observed) -> str | None:
    """Return the version that carries the forecast: during a rollout the one before it, else the one that serves."""
    rollout = observed.ledger.rollout
    version: str | None = rollout.stable_version if rollout else observed.find_fact("deployment", "version")
    return version


def observed_traffic(observed: Observed) -> Mapping[str, int]:
    """Return each version's share in percent; empty where nothing serves."""
    return observed.find_fact("deployment", "traffic") or {}


def spec_shape(spec: Forecast) -> str:
    """Return the digest of what a model is made for. Versions of one shape can take over from one another."""
    return recorded_shape(resolved_json(spec))


def recorded_shape(document: Mapping[str, Json]) -> str:
    """Return the digest of a resolved spec's shape, from the JSON that a release keeps: its keys are as old as releases are."""
    values = digest_values(document)
    return digest([_value_at(values, key) for key in SHAPE], 16)


def fits_spec(observed: Observed, spec: Forecast) -> bool:
    """Return whether what serves can make the forecasts that the spec asks for now."""
    return observed.find_fact("deployment", "shape") in (None, spec_shape(spec))


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
    """Return the releases that can take over from `serves`, newest first, one a version.

    Each is of another version that the gate let in, that never turned out bad, and that was made for forecasts of this shape.
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
