"""Grants that allow no call in the story, each with the reason why it stays. One that is neither used there nor listed goes."""

from __future__ import annotations

from typing import Any

# cloud.google.com/vertex-ai/docs/general/custom-service-account
_LOGS = "what a container of Vertex AI or a function writes becomes entries under its account, which no stand-in does"
_BUILD = "a build on main, which tests/gcp/test_cloudbuild.py carries out as that account"
_PLAN = "a build of a pull request, which tests/gcp/test_cloudbuild.py carries out as that account"
_FUNCTION = "Cloud Functions builds the source, which no stand-in does"
_SERVER = "the endpoint's container reads it; the story asks for no prediction, tests/gcp/test_serve.py does"
_COMPOSER = "Composer's own workers need it; the story runs Airflow by itself"
_PUBSUB = "Pub/Sub is Google's emulator, which asks nobody for a permission"
_FAILED = "the log of a step that failed; in the story none does, in tests/gcp/test_failure_log.py one does"
_COUNTS = (
    "request counts, for alerts on errors and latency; the story's spec has none, tests/gcp/test_request_metrics.py has"
)
_VALUES = "what an evaluation measured; in the story the loop and the DAG's steps evaluate before"
_SPREAD = "the loop starts itself with more tasks for many forecasts; the story has one"
_DEPLOYS = "the loop deploys a new version with new data; in the story a person's apply deploys each"
_IMAGE = "the image of the loop's job, where TF_VAR_image names none; in the story it does"
_DOCTOR = "mlspec doctor, which the story does not run; tests/gcp/test_doctor.py does, and uses each permission"
UNUSED = {
    "ana mlspecDoctor project": _DOCTOR,
    "ana roles/logging.viewer project": _FAILED,
    "ana roles/monitoring.metricWriter project": _VALUES,
    "ana roles/monitoring.viewer project": _COUNTS,
    "ana roles/run.viewer project": _IMAGE,
    "ana roles/storage.objectViewer buckets/source": _DOCTOR,
    "demand-serve roles/logging.logWriter project": _LOGS,
    "demand-serve roles/storage.objectViewer buckets/models/managedFolders/demand": _SERVER,
    "demand-serve roles/storage.objectViewer buckets/state/managedFolders/forecasts/demand": _SERVER,
    "demand-serve roles/storage.objectViewer buckets/vertex-ai-acme-story-europe-west1": _SERVER,  # Vertex AI grants it
    "demand-train roles/logging.logWriter project": _LOGS,
    "mlspec-build mlspecFileLister buckets/models": _BUILD,
    "mlspec-build mlspecForecastApplier project": _BUILD,
    "mlspec-build mlspecForecastGranter project": _BUILD,
    "mlspec-build roles/artifactregistry.writer locations/europe-west1/repositories/mlspec": _BUILD,
    "mlspec-build roles/iam.serviceAccountUser serviceAccounts/demand-train": _BUILD,
    "mlspec-build roles/iam.serviceAccountUser serviceAccounts/mlspec-reconcile": _BUILD,
    "mlspec-build roles/logging.logWriter project": _BUILD,
    "mlspec-build roles/run.jobsExecutorWithOverrides locations/europe-west1/jobs/mlspec-reconcile": _BUILD,
    "mlspec-build roles/storage.objectUser buckets/dags": _BUILD,
    "mlspec-build roles/storage.objectUser buckets/state": _BUILD,
    "mlspec-dag roles/composer.worker project": _COMPOSER,
    "mlspec-dag roles/pubsub.publisher topics/mlspec-alerts": _PUBSUB,
    "mlspec-fbuild roles/artifactregistry.writer locations/europe-west1/repositories/mlspec-functions": _FUNCTION,
    "mlspec-fbuild roles/logging.logWriter project": _FUNCTION,
    "mlspec-fbuild roles/storage.objectViewer buckets/source": _FUNCTION,
    "mlspec-fbuild roles/storage.objectViewer project": _FUNCTION,
    "mlspec-plan mlspecFileLister buckets/models": _PLAN,
    "mlspec-plan mlspecForecastReader project": _PLAN,
    "mlspec-plan roles/artifactregistry.reader locations/europe-west1/repositories/mlspec": _PLAN,
    "mlspec-plan roles/logging.logWriter project": _PLAN,
    "mlspec-plan roles/storage.objectViewer buckets/dags": _PLAN,
    "mlspec-plan roles/storage.objectViewer buckets/state": _PLAN,
    "mlspec-push roles/run.invoker locations/europe-west1/services/mlspec-redeploy": _PUBSUB,
    "mlspec-reconcile roles/iam.serviceAccountUser serviceAccounts/demand-serve": _DEPLOYS,
    "mlspec-reconcile roles/logging.logWriter project": _LOGS,
    "mlspec-reconcile roles/logging.viewer project": _FAILED,
    "mlspec-reconcile roles/monitoring.viewer project": _COUNTS,
    "mlspec-reconcile roles/pubsub.publisher topics/mlspec-alerts": _PUBSUB,
    "mlspec-reconcile roles/run.jobsExecutorWithOverrides locations/europe-west1/jobs/mlspec-reconcile": _SPREAD,
    "mlspec-redeploy roles/logging.logWriter project": _LOGS,
    "mlspec-redeploy roles/monitoring.metricWriter project": _VALUES,
    "mlspec-redeploy roles/monitoring.viewer project": _COUNTS,
}
# The same of tests/gcp/test_cloudbuild.py, of the accounts of builds.
_LATER = "what is there already is looked at; the test carries out the builds of a first commit"
_DOCKER = "docker's pull and push, in whose place tests/ci/docker runs"
UNUSED_BY_BUILDS = {
    "mlspec-build mlspecFileLister buckets/models": _LATER,
    "mlspec-build roles/artifactregistry.writer locations/europe-west1/repositories/mlspec": _DOCKER,
    "mlspec-build roles/logging.logWriter project": _LOGS,
    "mlspec-plan mlspecFileLister buckets/models": _LATER,
    "mlspec-plan roles/artifactregistry.reader locations/europe-west1/repositories/mlspec": _DOCKER,
    "mlspec-plan roles/logging.logWriter project": _LOGS,
    "mlspec-plan roles/storage.objectViewer buckets/dags": _LATER,
}


def unused(grants: list[dict[str, Any]], project: str) -> set[str]:
    """Return the grants to accounts of ours that allowed no call, as they are named above."""
    return {named(each, project) for each in grants if not each["allowed"] and f"@{project}." in each["member"]}


def named(grant: dict[str, Any], project: str) -> str:
    """Return the account, the role and where it holds, without the names of the project."""
    account = grant["member"].partition(":")[2].partition("@")[0]
    role = grant["role"].rpartition("/roles/")[2] if grant["role"].startswith("projects/") else grant["role"]
    place = grant["resource"].replace(f"{project}-mlspec-", "").removeprefix(f"projects/{project}").strip("/")
    return f"{account} {role} {place.partition('@')[0] or 'project'}"
