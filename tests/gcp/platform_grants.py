"""What applying `infra/` grants, and what a forecast's rendered files grant, for tests that make both without Terraform.

`tests/terraform/test_platform.py` compares the stored grants with those of a real apply. `ACCEPT=1` writes them anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlspec.render.gcp.terraform import GcpTerraform, forecast_files
from mlspec.render.rendering import RenderSource
from mlspec.spec.document import open_document
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.resolve import ResolvedSpec, resolve_spec
from tests.gcp import terraform_rights
from tests.gcp.standin.harness import Running
from tests.gcp.standin.iam.policies import Grant

STORED = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).parents[2] / "infra" / "README.md"
_RESOURCE = re.compile(r'^resource "(\w+)" "([\w-]+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r"^  (\w+) += (.+)$", re.MULTILINE)


def as_stored(resources: Iterator[tuple[str, dict[str, Any]]], project: str, region: str) -> dict[str, Any]:
    """Return the grants and roles among resources of Terraform, with the names of project and region left open."""
    grants, roles = [], {}
    for kind, values in resources:
        grant = terraform_rights.grant_of(kind, values)
        if grant and grant.member.startswith(
            "serviceAccount:mlspec-"
        ):  # all others are Google's agents, and workflows elsewhere
            grants.append(asdict(grant))
        if kind == "google_project_iam_custom_role":
            roles[f"projects/{values['project']}/roles/{values['role_id']}"] = sorted(values["permissions"])
    found = {"roles": roles, "grants": sorted(grants, key=lambda each: sorted(each.items()))}
    text = json.dumps(found, indent=1, sort_keys=True).replace(project, "PROJECT").replace(region, "REGION")
    return dict(json.loads(text))


def apply(standin: Running, project: str, region: str) -> None:
    """Grant what applying `infra/` grants."""
    found = json.loads(STORED.read_text().replace("PROJECT", project).replace("REGION", region))
    standin.allow(found["roles"], [Grant(**each) for each in found["grants"]])


def of_person(project: str, email: str) -> Iterator[Grant]:
    """Yield what the page tells to grant to a person who applies forecasts from a laptop."""
    section = PAGE.read_text().split("## Roles of a person\n")[1].split("\n## ")[0]
    for role, places in re.findall(r"^\| `([\w./]+)` \| ([^|]+) \|", section, re.MULTILINE):
        for place in re.findall(r"`(\w+)`", places) or [""]:
            resource = f"buckets/{project}-mlspec-{place}" if place else f"projects/{project}"
            yield Grant(resource, role.replace("PROJECT", project), f"serviceAccount:{email}")


def of_specs(project: str, region: str, texts: Sequence[str], folder: Path) -> Iterator[Grant]:
    """Yield what the Terraform of specs grants; nothing for one that is not valid, which nobody applies."""
    place, found = GcpLocation("dev", project, region), []
    for text in texts:
        (folder / "granted.yaml").write_text(text)
        document = open_document(folder / "granted.yaml", "granted.yaml")
        spec = None if document.faults else resolve_spec(document, None, "dev")
        if isinstance(spec, ResolvedSpec):
            found.append(RenderSource(spec.name, spec.forecast, spec.spec_hash, "granted.yaml"))
            yield from rendered("\n".join(forecast_files(spec.forecast, place).values()), project)
    (folder / "granted.yaml").unlink()
    shared = GcpTerraform(place).shared_files([each.spec for each in found])
    yield from rendered("\n".join(shared.values()), project)


def rendered(text: str, project: str) -> Iterator[Grant]:
    """Yield what rendered files grant. They refer to nothing but resources beside them and to a few locals."""
    resources = {f"{kind}.{name}": dict(_ATTRIBUTE.findall(body)) for kind, name, body in _RESOURCE.findall(text)}
    own_names = "".join(re.findall(r"^locals \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL))
    local = {**dict(_ATTRIBUTE.findall(own_names)), "number": '"123456789012"'}

    def value(words: str) -> str:
        if words.startswith('"'):
            return re.sub(r"\$\{([^}]+)\}", lambda found: value(found[1]), str(json.loads(words)))
        first, *rest = words.split(".")
        if first == "local":
            return value(local[rest[0]])
        own = resources[f"{first}.{rest[0]}"]
        if first == "google_service_account":
            email = f"{value(own['account_id'])}@{project}.iam.gserviceaccount.com"
            return f"serviceAccount:{email}" if rest[1] == "member" else f"projects/{project}/serviceAccounts/{email}"
        return value(own[rest[1]])

    for address, attributes in resources.items():
        kind = address.partition(".")[0]
        if kind.endswith("_iam_member"):
            grant = terraform_rights.grant_of(kind, {key: value(words) for key, words in attributes.items()})
            assert grant is not None, address
            yield grant
