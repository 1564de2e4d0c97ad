"""Who was granted which role on which resource, and whether that allows a permission on another.

A grant on a project, a bucket, a dataset or any other resource holds for all below it
(cloud.google.com/iam/docs/resource-hierarchy-access-control). The account that made the project owns it, and may do everything.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.gcp.standin.iam.conditions import holds
from tests.gcp.standin.refused import Refused


@dataclass(frozen=True)
class Grant:
    """A member's role on a resource, under a condition in CEL or always."""

    resource: str
    role: str
    member: str
    condition: str = ""


@dataclass(frozen=True)
class Need:
    """A permission that a call asks for. `name` and `kind` are what conditions see as resource.name and resource.type.

    `places` are where a grant counts, the narrowest first; without them, the resource and all above it. `changed` are the roles
    that a change of a policy grants or takes away.
    """

    permission: str
    name: str
    kind: str = ""
    places: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass
class Policies:
    """All grants of one cloud, and which of them allowed what."""

    owner: str
    caller: str = ""
    """Who makes the call that is being answered."""
    grants: dict[tuple[str, str], list[Grant]] = field(default_factory=dict)
    custom: dict[str, frozenset[str]] = field(default_factory=dict)
    known: set[Grant] = field(default_factory=set)
    """Every grant that there ever was."""
    used: Counter[tuple[Grant, str]] = field(default_factory=Counter)
    denied: list[str] = field(default_factory=list)

    def add(self, grant: Grant) -> None:
        """Grant a role. Raises ValueError where the stand-in does not know it."""
        self._permissions(grant.role)
        self.known.add(grant)
        held = self.grants.setdefault((grant.resource, grant.member), [])
        if grant not in held:
            held.append(grant)

    def remove(self, grant: Grant) -> None:
        """Take a role away; nothing where it was not granted."""
        held = self.grants.get((grant.resource, grant.member), [])
        if grant in held:
            held.remove(grant)

    def all(self) -> Iterator[Grant]:
        """Yield every grant."""
        for held in self.grants.values():
            yield from held

    def _permissions(self, role: str) -> frozenset[str]:
        found = self.custom.get(role) or predefined().get(role)
        if found is None:
            raise ValueError(
                f"the stand-in does not know what {role} allows: add it to tests/gcp/standin/iam/roles.json"
            )
        return found

    def owns(self, email: str) -> bool:
        """Say whether this account may do everything."""
        return email == self.owner

    def allowing(self, email: str, need: Need) -> Grant | None:
        """Return the grant that allows what an account needs, the one on the narrowest resource first."""
        member = f"serviceAccount:{email}"
        for place in need.places or ancestors(need.name):
            for grant in self.grants.get((place, member), ()):
                if need.permission in self._permissions(grant.role) and holds(
                    grant.condition, need.name, need.kind, need.changed
                ):
                    return grant
        return None

    def may(self, email: str, need: Need) -> bool:
        """Say whether an account may, and note which grant allowed it."""
        if self.owns(email):
            return True
        grant = self.allowing(email, need)
        if grant is not None:
            self.used[grant, need.permission] += 1
        return grant is not None

    def require(self, email: str, needs: Iterator[Need] | list[Need]) -> None:
        """Raise Refused, in Google's words, where an account lacks one of the permissions."""
        if self.owns(email):
            return
        for need in needs:
            if not self.may(email, need):
                raise self.refusal(email, need)

    def refusal(self, email: str, need: Need) -> Refused:
        """Return the refusal; who runs the tests reads in the stand-in's log what was granted instead."""
        said = f"{email} lacks {need.permission} on {need.name}"
        roles = sorted(f"{each.role} on {each.resource}" for each in self.all() if each.member.endswith(f":{email}"))
        self.denied.append(said)
        print(f"denied: {said}; it has {', '.join(roles) or 'no role'}", file=sys.stderr, flush=True)
        return Refused("PERMISSION_DENIED", _words(email, need), reason=_reason(need))


def billed_to(headers: Mapping[str, str]) -> Iterator[Need]:
    """Yield what it takes to call under a project's quota, which the credentials of a person name in a header.

    Source: cloud.google.com/docs/quotas/set-quota-project.
    """
    project = headers.get("x-goog-user-project")
    if project:
        yield Need("serviceusage.services.use", f"projects/{project}")


def ancestors(name: str) -> Iterator[str]:
    """Yield a resource's name and the names of all above it, as in `projects/p/secrets/s`, `projects/p`."""
    parts = name.split("/")
    for end in range(len(parts), 1, -1):
        yield "/".join(parts[:end])


@cache
def predefined() -> dict[str, frozenset[str]]:
    """Return what each of Google's roles allows."""
    found = json.loads(Path(__file__).with_name("roles.json").read_text())
    return {role: frozenset(permissions) for role, permissions in found["roles"].items()}


def _words(email: str, need: Need) -> str:
    service = need.permission.partition(".")[0]
    if service == "storage":
        what = "object" if "/objects/" in need.name else "bucket"
        access = f"{email} does not have {need.permission} access to the Google Cloud Storage {what}."
        return f"{access} Permission '{need.permission}' denied on resource (or it may not exist)."
    if service == "bigquery":
        what = "Table" if "/tables/" in need.name else "Dataset" if "/datasets/" in need.name else "Project"
        parts = need.name.split("/")[1::2]
        named = ".".join([":".join(parts[:2]), *parts[2:]])
        said = f"Permission {need.permission} denied on {what.lower()} {named} (or it may not exist)."
        return f"Access Denied: {what} {named}: {said}"
    return f"Permission '{need.permission}' denied on resource '{need.name}' (or it may not exist)."


def _reason(need: Need) -> str:
    return {"storage": "forbidden", "bigquery": "accessDenied"}.get(need.permission.partition(".")[0], "forbidden")
