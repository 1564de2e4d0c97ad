"""The rule for what a person has to approve: it takes facts and returns reasons. The caller asks the person."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlspec.state.plan import Change

# Called with the reasons. Returns if the answer is yes. Raises Refused if it is no, or if there is nobody to ask.
Approval = Callable[[Sequence[str]], None]


def destroyed_resources(changes: Sequence[Change]) -> tuple[str, ...]:
    """Return the resources that a plan would destroy or replace."""
    return tuple(change.resource for change in changes if change.action in ("delete", "replace"))


def approval_reasons(target: str, destroyed: Sequence[str], *, protect: bool) -> tuple[str, ...]:
    """Return why a change needs approval: something is destroyed, or the target is protected; empty if it needs none."""
    reasons = (f"{', '.join(destroyed)} would be destroyed",) if destroyed else ()
    return (*reasons, f"target '{target}' is protected") if protect else reasons


def missing_approvals(
    reasons: Sequence[str], target: str, *, protect: bool, destroy: bool, protected: bool
) -> tuple[str, ...]:
    """Return the reasons that nobody has approved. `destroy` approves what is destroyed, `protected` a protected target."""
    of_target = approval_reasons(target, (), protect=protect)
    return tuple(reason for reason in reasons if not (protected if reason in of_target else destroy))
