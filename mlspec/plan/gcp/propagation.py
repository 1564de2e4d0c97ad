"""Recognises Google's errors that pass by themselves: a change was made, and has not reached all of Google's systems yet.

On a first apply the APIs, the platform's metrics and its grants are minutes old. Each error has the longest time that Google's
pages name for it; after that time it is an error like any other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlspec.state.diagnostic import Diagnostic


@dataclass(frozen=True, slots=True)
class Propagation:
    """An error that passes: its text, what is awaited, and for how many seconds at most."""

    pattern: re.Pattern[str]
    awaited: str
    seconds: float


PROPAGATIONS = (
    # "wait a few minutes for the action to propagate" is the error's own text, and the provider's guide google_project_service says
    # the same. An API that is off gives the same error, so it is not awaited for long.
    Propagation(
        re.compile(r"has not been used in project|SERVICE_DISABLED|accessNotConfigured"), "an API to become available", 300.0
    ),
    # "it could take up to 10 minutes to become available" (github.com/hashicorp/terraform-provider-google/issues/11102)
    Propagation(re.compile(r"Cannot find metric"), "a metric to become available", 600.0),
    # A grant takes 7 minutes or more (cloud.google.com/iam/docs/access-change-propagation). Each service says in its own words that
    # its service agent may not use the key.
    Propagation(
        re.compile(r"Cloud KMS CryptoKey Encrypter/Decrypter|Permission denied on Cloud KMS key|cryptoKeyVersions\.useTo"),
        "a grant on the key to take effect",
        420.0,
    ),
    # The same holds for a build's right to act as the account of the job that it makes, in Cloud Run's and Vertex AI's words.
    Propagation(
        re.compile(r"iam\.service[aA]ccounts\.actAs"), "a grant to act as a service account to take effect", 420.0
    ),
    # A new account is visible everywhere after 60 seconds or more (cloud.google.com/iam/docs/service-accounts-create).
    Propagation(re.compile(r"Service account \S+ does not exist"), "a service account to become visible", 120.0),
)  # fmt: skip


def find_propagation(diagnostic: Diagnostic) -> Propagation | None:
    """Return what an error waits for; None if it does not pass by itself."""
    return next((entry for entry in PROPAGATIONS if entry.pattern.search(diagnostic.text)), None)


def shortest_propagation(diagnostics: Sequence[Diagnostic]) -> Propagation | None:
    """Return of all that these errors wait for what may take the shortest time; None if no error passes by itself."""
    found = [entry for diagnostic in diagnostics if (entry := find_propagation(diagnostic))]
    return min(found, key=lambda entry: entry.seconds, default=None)
