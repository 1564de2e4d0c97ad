"""What `infra/` and a forecast's rendered Terraform make on Google Cloud, made on the stand-in: buckets, endpoint, table, job."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from mlspec.spec.gcp.resource_names import derived_names

REGION = "europe-west1"
ROLES = ("state", "models", "data")


def bucket(project: str, role: str) -> str:
    """The name of one of the platform's buckets."""
    return f"{project}-mlspec-{role}"


def buckets(project: str) -> None:
    """Make the platform's buckets."""
    for role in ROLES:
        storage(project).create_bucket(bucket(project, role))


def table(project: str, forecast: str) -> str:
    """The name of a forecast's table in BigQuery."""
    names = derived_names(forecast)
    return f"{project}.{names['BigQuery dataset']}.{names['BigQuery table']}"


def forecast(project: str, name: str, *, online: bool = False, image: str = "step") -> None:
    """Make what a forecast's own Terraform makes: its table, its job and, where it serves online, its endpoint's shell."""
    from google.cloud import bigquery as bq
    from google.cloud import run_v2

    # As the first mlspec made it: the column that came later is added by a load.
    fields = {
        "series": "STRING", "time": "TIMESTAMP", "cutoff": "DATE", "quantile": "FLOAT64", "value": "FLOAT64",
        "version": "STRING", "run": "STRING",
    }  # fmt: skip
    schema = [
        bq.SchemaField(key, kind, mode="NULLABLE" if key == "quantile" else "REQUIRED") for key, kind in fields.items()
    ]
    bigquery(project).create_dataset(table(project, name).rpartition(".")[0])
    made = bq.Table(table(project, name), schema=schema)
    made.time_partitioning = bq.TimePartitioning(field="cutoff")
    bigquery(project).create_table(made)
    account = f"{derived_names(name)['service account of training']}@{project}.iam.gserviceaccount.com"
    template = {"containers": [{"image": image}], "max_retries": 0, "service_account": account}
    job = {"template": {"template": template}}
    run_v2.JobsClient().create_job(parent=place(project), job=job, job_id=derived_names(name)["Cloud Run job"]).result()
    if online:
        shell(project, name)


def shell(project: str, name: str) -> None:
    """Make the shell of a forecast's endpoint, under an id of the service's own."""
    labels = {"managed-by": "mlspec", "mlspec-forecast": name}
    endpoint = {"display_name": f"mlspec-{name}", "labels": labels, "dedicated_endpoint_enabled": True}
    endpoints().create_endpoint(parent=place(project), endpoint=endpoint).result()


def endpoint(project: str, name: str) -> Any:
    """A forecast's endpoint as it is."""
    (found,) = endpoints().list_endpoints(
        request={"parent": place(project), "filter": f'labels.mlspec-forecast="{name}"'}
    )
    return found


def place(project: str) -> str:
    """The region of a project, as Google's names begin."""
    return f"projects/{project}/locations/{REGION}"


def storage(project: str) -> Any:
    """A client of Cloud Storage, under the account of the environment."""
    return _make_storage(project, *_caller())


def bigquery(project: str) -> Any:
    """A client of BigQuery, under the account of the environment."""
    return _make_bigquery(project, *_caller())


def _caller() -> tuple[int, str, str]:
    """Who calls: a client is kept for each process, account and way out. It has a token of its own, and connections."""
    return os.getpid(), os.environ["GOOGLE_APPLICATION_CREDENTIALS"], os.environ["HTTPS_PROXY"]


@cache
def _make_storage(project: str, *_who: int | str) -> Any:
    from google.cloud import storage as gcs

    return gcs.Client(project=project)


@cache
def _make_bigquery(project: str, *_who: int | str) -> Any:
    from google.cloud import bigquery as bq

    return bq.Client(project=project, location=REGION)


def endpoints() -> Any:
    """A client of Vertex AI's endpoints."""
    from google.cloud import aiplatform_v1

    return aiplatform_v1.EndpointServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})


def models() -> Any:
    """A client of Vertex AI's model registry."""
    from google.cloud import aiplatform_v1

    return aiplatform_v1.ModelServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})


def loop(project: str, image: str = "step", subnetwork: str = "") -> None:
    """Make the loop's own job, in a subnetwork if one is named."""
    from google.cloud import run_v2

    template = {
        "containers": [{"image": image, "env": [{"name": "MLSPEC_FOLLOW", "value": "25m"}]}], "max_retries": 0,
        "service_account": f"mlspec-reconcile@{project}.iam.gserviceaccount.com",
        **({"vpc_access": {"network_interfaces": [{"subnetwork": subnetwork}]}} if subnetwork else {}),
    }  # fmt: skip
    job = {"template": {"template": template}}
    run_v2.JobsClient().create_job(parent=place(project), job=job, job_id="mlspec-reconcile").result()


def executions(project: str, job: str) -> list[Any]:
    """What a job was started for."""
    from google.cloud import run_v2

    return list(run_v2.ExecutionsClient().list_executions(parent=f"{place(project)}/jobs/{job}"))


def models_of(project: str) -> list[Any]:
    """The models in the registry."""
    return list(models().list_models(parent=place(project)))


def points(project: str) -> list[Any]:
    """What mlspec wrote to Cloud Monitoring in the last hour."""
    from google.cloud import monitoring_v3

    from mlspec.clock import utc_now as clock

    now = int(clock().timestamp())
    asked = {
        "name": f"projects/{project}",
        "filter": 'metric.type = starts_with("custom.googleapis.com/mlspec/")',
        "interval": {"start_time": {"seconds": now - 3600}, "end_time": {"seconds": now + 60}},
    }
    return list(monitoring_v3.MetricServiceClient().list_time_series(request=asked))
