"""Renders the Terraform of a resolved spec: one file for each topic, from the templates under `terraform/`.

The text has the form of `terraform fmt`, with one literal resource for each grant, so that readers and scanners see the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlspec.render.dag import dag_name
from mlspec.render.environment import jinja_environment
from mlspec.render.gcp.alert_policies import ENDPOINT_ID, VALUE, AlertPolicy, alert_policies
from mlspec.spec.escaping import log_filter
from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.forecast_table import ACTUAL_TABLE, FORECAST_TABLE
from mlspec.spec.gcp.forecast_views import key_columns, quantile_columns
from mlspec.spec.gcp.labels import FORECAST_LABEL, MANAGED_BY
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.spec.object_address import is_object_address, parse_object_address

# Template below terraform/forecast: whether a batch-only forecast needs it too.
_FILES = {
    "versions.tf": True,
    "backend.tf": True,
    "main.tf": True,
    "identity.tf": True,
    "storage.tf": True,
    "warehouse.tf": True,
    "views.tf": True,
    "job.tf": True,
    "dag.tf": True,
    "endpoint.tf": False,
    "alerts.tf": True,
    "logs.tf": True,
    "outputs.tf": True,
}
_SHARED_FILES = ("versions.tf", "backend.tf", "main.tf", "topics.tf", "secrets.tf")
# The name's variable in templates, and its row in the table of names.
_NAMES = {
    "train": "service account of training",
    "serve": "service account of serving",
    "topic": "Pub/Sub topic",
    "dead_topic": "dead letter topic",
    "subscription": "Pub/Sub subscription",
    "dead_subscription": "dead letter subscription",
    "job": "Cloud Run job",
    "dataset": "BigQuery dataset",
    "table": "BigQuery table",
    "actual_table": "BigQuery table of actuals",
    "latest_view": "view of the newest forecast",
    "as_of_view": "view of each cutoff",
    "realised_view": "view of realised values",
    "failures": "log-based metric",
}
SHARED_BY_ALL = {**MANAGED_BY, "mlspec-shared": "notify"}
_TILE_HEIGHT = 16
_TILE_WIDTH = 24


def forecast_files(spec: Forecast, place: GcpLocation, own: Path | None = None) -> dict[str, str]:
    """Return the Terraform of one resolved spec, by file name. `own` is the project's own folder of templates."""
    facts = _template_facts(spec, place)
    templates = jinja_environment(own)
    return {
        file: templates.get_template(f"terraform/forecast/{file}.j2").render(facts)
        for file, always in _FILES.items()
        if always or facts["online"]
    }


def shared_files(specs: Sequence[Forecast], place: GcpLocation, own: Path | None = None) -> dict[str, str]:
    """Return the Terraform of the resources that specs share: topics and secrets under `notify`, each once."""
    receivers = [receiver for spec in specs for receiver in spec.notify]
    facts = {
        "place": place,
        "labels": SHARED_BY_ALL,
        "topics": sorted({receiver.pubsub for receiver in receivers if receiver.pubsub}),
        "secrets": sorted({receiver.secret_name for receiver in receivers if receiver.secret_name}),
    }
    templates = jinja_environment(own)
    return {file: templates.get_template(f"terraform/project/{file}.j2").render(facts) for file in _SHARED_FILES}


@dataclass(frozen=True, slots=True)
class GcpTerraform:
    """The renderer of one target on Google Cloud (`render.rendering.InfrastructureRenderer`)."""

    place: GcpLocation

    def forecast_files(self, spec: Forecast, own: Path | None = None) -> dict[str, str]:
        """Return the Terraform of one resolved spec, by file name."""
        return forecast_files(spec, self.place, own)

    def shared_files(self, specs: Sequence[Forecast], own: Path | None = None) -> dict[str, str]:
        """Return the Terraform of what all specs of a project share, by file name."""
        return shared_files(specs, self.place, own)


def _template_facts(spec: Forecast, place: GcpLocation) -> dict[str, Any]:
    name, names = spec.metadata.name, derived_names(spec.metadata.name)
    online = spec.deployment.serve != "batch"
    forecast_policies = alert_policies(spec)
    return {
        "name": name,
        "place": place,
        "names": {short: names[kind] for short, kind in _NAMES.items()},
        "labels": dict(sorted({**spec.metadata.labels, **MANAGED_BY, FORECAST_LABEL: name}.items())),
        "description": spec.metadata.description,
        "dag": dag_name(spec),
        "columns": FORECAST_TABLE,
        "actual_columns": ACTUAL_TABLE,
        "key_columns": key_columns(spec),
        "quantile_columns": quantile_columns(spec),
        "online": online,
        "endpoint_access": spec.deployment.endpoint.access,
        "allowed_projects": sorted({place.project, *spec.deployment.endpoint.allowed_projects}),
        "endpoint_id": ENDPOINT_ID,
        "acts_as_train": bool(spec.training.machine or spec.deployment.batch_machine),
        "policies": forecast_policies,
        "rolls_back": any(policy.rolls_back for policy in forecast_policies),
        "receivers": sorted({topic for policy in forecast_policies for topic in policy.channels}),
        "tiles": _dashboard_tiles(name, forecast_policies),
        "failures_filter": f"jsonPayload.mlspec.forecast={log_filter(name)} AND severity>=ERROR",
        **_source_facts(spec, place),
    }


def _source_facts(spec: Forecast, place: GcpLocation) -> dict[str, Any]:
    """Return the buckets and BigQuery tables that the spec reads and that its accounts cannot read yet.

    The forecast's own folder in the platform's bucket of data is granted anyway. Another folder there takes a grant on the bucket,
    to the forecast's account alone: the loop reads all of it. What lies in another project, Terraform cannot grant: `mlspec doctor`
    says how.
    """
    data_bucket = place.bucket("data")
    uris, project = spec.dataset.addresses, place.project
    addresses = [parse_object_address(uri) for uri in uris if is_object_address(uri)]
    buckets = {
        address.bucket
        for address in addresses
        if address.bucket != data_bucket or not address.name.startswith(f"{spec.metadata.name}/")
    }
    tables = {uri.removeprefix("bq://") for uri in uris if uri.startswith("bq://")}
    return {
        "source_buckets": sorted(buckets),
        "data_bucket": data_bucket,
        "source_tables": [
            {"dataset": dataset, "table": table}
            for owner, dataset, table in (name.split(".") for name in sorted(tables))
            if owner == project
        ],
        "source_datasets": [
            dataset
            for owner, dataset in (name.split(".") for name in sorted(set(spec.dataset.source.datasets)))
            if owner == project
        ],
    }


def _dashboard_tiles(name: str, forecast_policies: Sequence[AlertPolicy]) -> list[dict[str, Any]]:
    """Return the dashboard: one chart for each alert that mlspec measures, two in a row."""
    series = f'metric.type={log_filter(VALUE)} AND resource.type="generic_task" AND metric.labels.forecast={log_filter(name)}'
    measured = [policy for policy in forecast_policies if not policy.conditions[0].query]
    return [
        {
            "x": index % 2 * _TILE_WIDTH,
            "y": index // 2 * _TILE_HEIGHT,
            "title": policy.name,
            "filter": f"{series} AND metric.labels.alert={log_filter(policy.name)}",
            "aligner": policy.conditions[0].aligner,
        }
        for index, policy in enumerate(measured)
    ]
