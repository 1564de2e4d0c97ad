"""Says which versions never served everything: a canary that another version replaced before its rollout was over.

Such a version passed the gate, but was not tried on all traffic, so a rollback does not go to it unless a person names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlspec.plan.rollout import ALL
from mlspec.state.ledger import RolloutProgress
from mlspec.state.record import Event, Release


def next_served_in_part(
    known: Iterable[str], releases: Sequence[Release], rollout: RolloutProgress | None, traffic: Mapping[str, int]
) -> tuple[str, ...]:
    """Return the versions that never served everything, once traffic is split like this.

    `known` are those before it. A version that begins its first rollout is one of them until it has all traffic. One that had an
    earlier release and is not in `known` has served everything before.
    """
    begins = rollout and not any(
        release.version == rollout.version and release.release < rollout.release for release in releases
    )
    begun = {rollout.version} if rollout and begins else set()
    return tuple(sorted({*known, *begun} - {version for version, share in traffic.items() if share == ALL}))


def served_in_part_by_events(releases: Iterable[Release], events: Sequence[Event]) -> tuple[str, ...]:
    """Return the versions that never served everything as the events tell it, for a ledger that does not say.

    Without the event of its first release nothing is known of a version. It then counts as one that served everything, as it did
    before the ledger had this.
    """
    first: dict[str, int] = {}
    for release in sorted(releases, key=lambda release: release.release):
        first.setdefault(release.version, release.release)
    deployed = [event for event in events if event.reason == "Deployed"]
    full = {event.version for event in events if event.reason == "RolledOut"}
    full |= {event.version for event in deployed if _serves_everything(event)}
    return tuple(
        sorted(
            version
            for version, number in first.items()
            if version not in full and any(event.message.startswith(f"release {number}: ") for event in deployed)
        )
    )


def _serves_everything(event: Event) -> bool:
    """Return whether a release gave its version all traffic. Its event names the older version first if there are two."""
    _number, _, shares = event.message.partition(": ")
    return shares.startswith(f"{event.version} (") and shares.endswith(f" serves {ALL} % of series")
