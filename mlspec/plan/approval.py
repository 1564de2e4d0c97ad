"""What a person has to approve before it is done. A rule: it takes facts and returns reasons; who asks is up to the caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlspec.state.plan import Change

# Called with the reasons. Returns where the answer is yes. Raises Refused where it is no, or where nobody can be asked.
Approval = Callable[[Sequence[str]], None]


def destroyed_resources(changes: Sequence[Change]) -> tuple[str, ...]:
    """Return the resources that a plan would destroy, or destroy and make anew."""
    return tuple(change.resource for change in changes if change.action in ("delete", "replace"))


def approval_reasons(target: str, destroyed: Sequence[str], *, protect: bool) -> tuple[str, ...]:
    """Return why a change of a target needs approval, if it does: something is destroyed, or the target is protected."""
    reasons = (f"{', '.join(destroyed)} would be destroyed",) if destroyed else ()
    return (*reasons, f"target '{target}' is protected") if protect else reasons
