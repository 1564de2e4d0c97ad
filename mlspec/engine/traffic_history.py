"""Says which versions once served everything, also for a record that an older mlspec wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlspec.plan.served_in_part import next_served_in_part, served_in_part_by_events
from mlspec.state.ledger import Ledger
from mlspec.targets.base import OpenedTarget


def complete_ledger(target: OpenedTarget, name: str, ledger: Ledger) -> Ledger:
    """Return the ledger with the versions that never served everything: as recorded, or else as the events tell it."""
    if ledger.served_in_part is not None:
        return ledger
    return replace(
        ledger, served_in_part=served_in_part_by_events(target.load_releases(name), target.load_events(name))
    )


def ledger_after_move(target: OpenedTarget, name: str, ledger: Ledger, traffic: Mapping[str, int]) -> Ledger:
    """Return the ledger to record with this split of traffic. Its rollout is the one that is under way then."""
    known = complete_ledger(target, name, ledger).served_in_part or ()
    releases = target.load_releases(name)
    return replace(ledger, served_in_part=next_served_in_part(known, releases, ledger.rollout, traffic))
