"""Policies 16 to 18: what may be granted, and to whom.

They are Python because a policy in YAML says nothing, neither passed nor failed, of a value that it cannot resolve: of
`role = var.role`, and of every `member = google_service_account.x.member`.
"""

import re
from abc import abstractmethod

from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.terraform.checks.resource.base_resource_check import BaseResourceCheck

GRANTS = ["google_*_iam_member"]
LITERAL = re.compile(r"(roles|projects/[^/$]+/roles|organizations/[0-9]+/roles)/[A-Za-z0-9_.]+")
CUSTOM = re.compile(r"google_project_iam_custom_role\.\w+(\[[^\]]*\])?\.(id|name)")
ADMINISTERS = re.compile(r"roles/.*(admin|(?<!data)editor|owner).*|roles/(viewer|reader|writer)", re.IGNORECASE)


class _Grant(BaseResourceCheck):
    """A check of one attribute of every kind of grant."""

    attribute = "role"

    def __init__(self, number: int, name: str) -> None:
        super().__init__(
            name=name,
            id=f"CKV2_MLSPEC_{number}",
            categories=[CheckCategories.IAM],
            supported_resources=GRANTS,
        )

    def scan_resource_conf(self, conf: dict) -> CheckResult:
        """Judge the attribute as it is written, without the dollar and braces of a reference."""
        value = (conf.get(self.attribute) or [""])[0]
        written = re.sub(r"^\$\{(.*)\}$", r"\1", value) if isinstance(value, str) else ""
        return CheckResult.PASSED if written and self.allows(written) else CheckResult.FAILED

    @abstractmethod
    def allows(self, written: str) -> bool:
        """Return whether what is written is up to date."""


class RolesAreLiteral(_Grant):
    """A role in a variable or behind each.value is one that no rule can judge, and checkov's own let it pass.

    A custom role of the same folder is as good as a literal: its permissions stand there.
    """

    def __init__(self) -> None:
        super().__init__(16, "A role is written out where it is granted")

    def allows(self, written: str) -> bool:
        return bool(LITERAL.fullmatch(written) or CUSTOM.fullmatch(written))


class RolesAreSmall(_Grant):
    """checkov looks for admin roles on the project only, and only where the member is a literal address.

    roles/bigquery.dataEditor passes: it writes rows and grants nothing.
    """

    def __init__(self) -> None:
        super().__init__(17, "No basic role, and none that administers")

    def allows(self, written: str) -> bool:
        return not ADMINISTERS.fullmatch(written)


class MembersAreNamed(_Grant):
    """checkov looks at some types of resources; a Cloud Run job that all may start is not among them."""

    attribute = "member"

    def __init__(self) -> None:
        super().__init__(18, "Nobody is granted anything by being anybody")

    def allows(self, written: str) -> bool:
        return written not in {"allUsers", "allAuthenticatedUsers"}


CHECKS = (RolesAreLiteral(), RolesAreSmall(), MembersAreNamed())
