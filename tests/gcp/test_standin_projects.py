"""Composer, Cloud Functions, Resource Manager and Service Usage: what a check of a project asks for."""

from __future__ import annotations

from collections.abc import Iterator

import google.auth
import pytest
from google.api_core.exceptions import NotFound
from google.auth.transport.requests import AuthorizedSession
from google.cloud import functions_v2 as functions
from google.cloud.orchestration.airflow import service_v1 as composer

from tests.gcp.standin.harness import Running

PARENT = "projects/acme-test/locations/southamerica-east1"
PROJECT = "https://cloudresourcemanager.googleapis.com/v3/projects/acme-test"
SERVICES = "https://serviceusage.googleapis.com/v1/projects/acme-test/services"


@pytest.fixture
def session(standin: Running) -> Iterator[AuthorizedSession]:
    credentials, _ = google.auth.default(["https://www.googleapis.com/auth/cloud-platform"])
    with AuthorizedSession(credentials) as found:
        yield found


def test_an_environment_says_where_its_dags_lie(standin: Running) -> None:
    client = composer.EnvironmentsClient()
    name = f"{PARENT}/environments/airflow"
    given = {"name": name, "config": {"dag_gcs_prefix": "gs://acme-airflow/dags"}}
    client.create_environment(parent=PARENT, environment=given).result()
    assert client.get_environment(name=name).config.dag_gcs_prefix == "gs://acme-airflow/dags"
    assert [each.name for each in client.list_environments(parent=PARENT)] == [name]
    with pytest.raises(NotFound):
        client.get_environment(name=f"{PARENT}/environments/nobody")


def test_a_function_is_found(standin: Running) -> None:
    client = functions.FunctionServiceClient()
    client.create_function(parent=PARENT, function={"labels": {"by": "mlspec"}}, function_id="redeploy").result()
    assert client.get_function(name=f"{PARENT}/functions/redeploy").labels == {"by": "mlspec"}


def test_a_permission_may_be_missing(standin: Running, session: AuthorizedSession) -> None:
    standin.set(denied=["run.jobs.run"])
    asked = {"permissions": ["run.jobs.run", "storage.objects.get"]}
    assert session.post(f"{PROJECT}:testIamPermissions", json=asked).json() == {"permissions": ["storage.objects.get"]}
    assert session.get(PROJECT).json()["state"] == "ACTIVE"
    assert session.get(f"{PROJECT}-other").status_code == 403


def test_an_api_may_be_off(standin: Running, session: AuthorizedSession) -> None:
    standin.set(disabled_services=["run.googleapis.com"])
    found = session.get(SERVICES, params={"filter": "state:ENABLED", "pageSize": 200}).json()["services"]
    names = {each["config"]["name"] for each in found}
    assert "aiplatform.googleapis.com" in names
    assert "run.googleapis.com" not in names
    assert session.get(f"{SERVICES}/run.googleapis.com").json()["state"] == "DISABLED"


def test_what_the_stand_in_does_not_know_is_said(session: AuthorizedSession) -> None:
    answer = session.get("https://translate.googleapis.com/v3/anything")
    assert answer.status_code == 404
    assert "the stand-in does not know GET translate.googleapis.com/v3/anything" in answer.json()["error"]["message"]
