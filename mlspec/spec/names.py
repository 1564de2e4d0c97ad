"""Every Google Cloud name that derives from a forecast's, with its limits: one table, read by checks, documents and templates.

A derived name that would be too long is cut and closed by six hex digits of the whole, so that two long names stay two. Limits
are those of the services' documentation; where hyphens are not allowed, `-` becomes `_`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Derived:
    """One kind of name: what it is made of, how long it may be, and what it must look like."""

    kind: str
    template: str
    longest: int
    pattern: str
    underscores: bool = False

    def of(self, forecast: str) -> str:
        """Return the name for one forecast: deterministic, and within the limits."""
        name = self.template.format(name=forecast)
        name = name.replace("-", "_") if self.underscores else name
        if len(name) <= self.longest:
            return name
        mark = "_" if self.underscores else "-"
        tail = hashlib.sha256(forecast.encode()).hexdigest()[:6]
        return f"{name[: self.longest - 7].rstrip('-_')}{mark}{tail}"


_HOST = r"[a-z]([a-z0-9-]*[a-z0-9])?"
NAMES: tuple[Derived, ...] = (
    Derived("service account of the training job", "{name}-train", 30, r"[a-z]([-a-z0-9]{4,28})[a-z0-9]"),
    Derived("service account of the server", "{name}-serve", 30, r"[a-z]([-a-z0-9]{4,28})[a-z0-9]"),
    Derived(
        "Cloud Storage bucket (before the project's own suffix)", "{name}-models", 40, r"[a-z0-9][a-z0-9-]*[a-z0-9]"
    ),
    Derived("Pub/Sub topic", "{name}-alerts", 255, r"[A-Za-z][A-Za-z0-9._~+%-]{2,254}"),
    Derived("Pub/Sub subscription", "{name}-alerts-push", 255, r"[A-Za-z][A-Za-z0-9._~+%-]{2,254}"),
    Derived("Cloud Run job", "{name}-step", 49, _HOST),
    Derived("Cloud Function", "{name}-redeploy", 63, _HOST),
    Derived("Cloud Scheduler job", "{name}-reconcile", 500, r"[A-Za-z0-9_-]+"),
    Derived("BigQuery dataset", "mlspec_{name}", 1024, r"[A-Za-z0-9_]+", underscores=True),
    Derived("Secret Manager secret", "{name}-webhook", 255, r"[A-Za-z0-9_-]+"),
    Derived("log-based metric", "mlspec/{name}/errors", 100, r"[A-Za-z0-9_.,+!*',()%/-]+"),
    Derived("Airflow DAG", "mlspec_{name}", 250, r"[A-Za-z0-9_.-]+", underscores=True),
    Derived("label value", "{name}", 63, r"[a-z0-9_-]+"),
)
ENDPOINT_DIGITS = 10


def endpoint_id(forecast: str) -> str:
    """Return the Vertex AI endpoint's id: at most ten digits, the first not 0. Terraform does not check it, the API does."""
    number = int(hashlib.sha256(forecast.encode()).hexdigest(), 16)
    return str(1 + number % (10**ENDPOINT_DIGITS - 1))


def derived_names(forecast: str) -> dict[str, str]:
    """Return every derived name by its kind."""
    return {**{row.kind: row.of(forecast) for row in NAMES}, "Vertex AI endpoint": endpoint_id(forecast)}


def name_problem(forecast: str) -> str | None:
    """Return why a forecast cannot have this name, or None."""
    if "goog" in forecast or forecast.replace("0", "o").startswith("goog"):
        return "Cloud Storage and Pub/Sub refuse names with goog in them"
    if "--" in forecast:
        return "two hyphens in a row are not allowed in every name that derives from it"
    for row in NAMES:
        name = row.of(forecast)
        if not re.fullmatch(row.pattern, name):
            return f"the {row.kind} would be '{name}', which Google Cloud refuses"
    return None
