"""Conditions of grants, in the Common Expression Language (cloud.google.com/iam/docs/conditions-attribute-reference)."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

# The one function of IAM's that the language itself has not: the roles that a change of a policy grants or takes away.
_CHANGED = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', [])"
_HAS_ONLY = re.compile(re.escape(_CHANGED) + r"\.hasOnly\((\[[^\]]*\])\)")


def holds(condition: str, name: str, kind: str, changed: tuple[str, ...]) -> bool:
    """Say whether a condition is true of a resource and of the roles that are changed; one that is empty always is."""
    if not condition:
        return True
    found = _program(condition).execute({"resource": {"name": name, "type": kind}, "changed": list(changed)})
    assert isinstance(found, bool), condition
    return found


@cache
def _program(condition: str) -> Any:
    import cel

    return cel.compile(_HAS_ONLY.sub(r"changed.all(role, role in \1)", condition))
