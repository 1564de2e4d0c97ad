"""Every Google Cloud name that derives from a forecast's name, with its limits: one table for checks, documents and templates.

If a derived name would be too long, the forecast's name in it is cut and gets six hex digits of its hash, so that two long
names stay different; the ending is kept. Where hyphens are not allowed, `-` becomes `_`. Each row names the page of the
service's documentation with the limit. Some limits are enforced by the API only, so a property-based test checks every name
against them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_HASH_DIGITS = 6


@dataclass(frozen=True, slots=True)
class DerivedName:
    """One kind of name: template, greatest length, pattern, and source of the limits (below https://cloud.google.com)."""

    kind: str
    template: str
    longest: int
    pattern: re.Pattern[str]
    source: str
    underscores: bool = False

    def name_for(self, forecast: str) -> str:
        """Return the name for one forecast. It is deterministic and within the limits."""
        room = self.longest - len(self.template) + len("{name}")
        name = self.template.format(name=forecast if len(forecast) <= room else _shorten_name(forecast, room))
        return name.replace("-", "_") if self.underscores else name


def _shorten_name(forecast: str, room: int) -> str:
    tail = hashlib.sha256(forecast.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{forecast[: room - _HASH_DIGITS - 1].rstrip('-')}-{tail}"


_ACCOUNT = re.compile(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])")
_HOST = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
_PUBSUB = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
_WORD = re.compile(r"[A-Za-z0-9_-]+")
_TABLE = re.compile(r"[A-Za-z0-9_]+")

NAMES: tuple[DerivedName, ...] = (
    DerivedName("service account of training", "{name}-train", 30, _ACCOUNT, "iam/docs/service-accounts-create"),
    DerivedName("service account of serving", "{name}-serve", 30, _ACCOUNT, "iam/docs/service-accounts-create"),
    # The managed folder `{name}/` in the platform's buckets has no limit that a name could reach.
    DerivedName("Pub/Sub topic", "mlspec-{name}-alerts", 255, _PUBSUB, "pubsub/docs/pubsub-basics"),
    DerivedName("dead letter topic", "mlspec-{name}-alerts-dead", 255, _PUBSUB, "pubsub/docs/pubsub-basics"),
    DerivedName("Pub/Sub subscription", "mlspec-{name}-alerts-reconcile", 255, _PUBSUB, "pubsub/docs/pubsub-basics"),
    DerivedName(
        "dead letter subscription", "mlspec-{name}-alerts-dead-hold", 255, _PUBSUB, "pubsub/docs/pubsub-basics"
    ),
    DerivedName("Cloud Run job", "{name}-step", 63, _HOST, "run/docs/create-jobs"),
    DerivedName("BigQuery dataset", "mlspec_{name}", 1024, _TABLE, "bigquery/docs/datasets", underscores=True),
    DerivedName("BigQuery table", "{name}_forecast", 1024, _TABLE, "bigquery/docs/tables", underscores=True),
    DerivedName("BigQuery table of actuals", "{name}_actual", 1024, _TABLE, "bigquery/docs/tables", underscores=True),
    DerivedName("view of the newest forecast", "{name}_latest", 1024, _TABLE, "bigquery/docs/views", underscores=True),
    DerivedName("view of each cutoff", "{name}_as_of", 1024, _TABLE, "bigquery/docs/views", underscores=True),
    DerivedName("view of realised values", "{name}_realised", 1024, _TABLE, "bigquery/docs/views", underscores=True),
    DerivedName(
        "log-based metric", "mlspec/{name}/failures", 100, re.compile(r"[A-Za-z0-9_.,+!*',()%/-]+"), "logging/quotas"
    ),
    # Airflow: dag_id is a key of 250 characters, of letters, digits, dashes, dots and underscores.
    DerivedName(
        "Airflow DAG", "mlspec_{name}", 250, re.compile(r"[A-Za-z0-9_.-]+"), "airflow/dag_id", underscores=True
    ),
    DerivedName("label value", "{name}", 63, re.compile(r"[a-z0-9_-]+"), "resource-manager/docs/labels-overview"),
)


def derived_names(forecast: str) -> dict[str, str]:
    """Return every derived name by its kind."""
    return {row.kind: row.name_for(forecast) for row in NAMES}
