"""Which version shall serve: the newest that the gate let in, unless it is in quarantine or an earlier one is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlspec.spec.digest import digest_values
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
class Kept:
    """Why the judged version does not take over, and which one serves instead (None: nothing does).

    `under` says that what serves does so under the spec of now; a version that the gate kept out leaves the older spec in force.
    """

    version: str | None
    reason: str
    under: bool


def kept(observed: Observed, spec_hash: str) -> Kept | None:
    """Return why the newest judged version shall not serve; None where it shall."""
    serves = observed.fact("deployment", "version")
    judged = observed.fact("model", "version")
    hold = standing(observed.ledger, spec_hash)
    if hold is not None:
        return Kept(hold.version, f"release {hold.release} is held by {hold.by}: {hold.reason}", under=True)
    if observed.fact("model", "state") == "rejected":
        said = f"the gate kept {judged} out; it is not tried again until spec, data or code change"
        return Kept(serves, said, under=False)
    if judged in observed.ledger.bad:
        said = f"{judged} was rolled back; it is not promoted again until spec, data or code change"
        return Kept(serves, said, under=True)
    return None


def standing(ledger: Ledger, spec_hash: str) -> Hold | None:
    """Return the hold that binds now: a changed spec lifts it, for what was held was held under another one."""
    return ledger.hold if ledger.hold and ledger.hold.spec_hash == spec_hash else None


def stable(observed: Observed) -> str | None:
    """Return the version that carries the forecast: during a rollout the one before it, else the one that serves."""
    rollout = observed.ledger.rollout
    found: str | None = rollout.stable_version if rollout else observed.fact("deployment", "version")
    return found


def traffic(observed: Observed) -> Mapping[str, int]:
    """Return each version's share in percent; empty where nothing serves."""
    return observed.fact("deployment", "traffic") or {}


def shape(spec: Mapping[str, Json]) -> str:
    """Return the digest of what a model is made for. Versions of one shape can take over from one another."""
    values = digest_values(spec)
    return digest([_at(values, key) for key in SHAPE], 16)


def fits(observed: Observed, spec: Mapping[str, Json]) -> bool:
    """Return whether what serves can make the forecasts that the spec asks for now."""
    return observed.fact("deployment", "shape") in (None, shape(spec))


def _at(spec: Mapping[str, Json], key: str) -> Json:
    value: Json = spec
    for part in key.split("."):
        value = value[part]
    return value


def good_releases(
    releases: Sequence[Release],
    versions: Sequence[Version],
    serves: str | None,
    ledger: Ledger,
    spec: Mapping[str, Json],
) -> tuple[Release, ...]:
    """Return the releases that can take over from `serves`, newest first, one a version.

    Each is of another version that the gate let in, that never turned out bad, and that was made for forecasts of this shape.
    """
    passed = {version.version for version in versions if version.state == "passed"}
    first = next((each.release for each in releases if each.version == serves), 0)
    found: dict[str, Release] = {}
    for each in sorted(releases, key=lambda release: release.release, reverse=True):
        fit = each.version in passed and each.version not in ledger.bad and shape(each.spec) == shape(spec)
        if fit and each.version != serves and each.release < first:
            found.setdefault(each.version, each)
    return tuple(found.values())
