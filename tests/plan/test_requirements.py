"""What forecasts need, as data: it follows the specs, and asks for nothing that `infra/` and the templates do not give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mlspec.plan.extras import needed_extras
from mlspec.plan.gcp.requirements import cloud_requirements
from mlspec.render.gcp.terraform import forecast_files
from mlspec.spec.gcp.location import GcpLocation
from tests.examples import forecast_spec

ROOT = Path(__file__).resolve().parents[2]
PLACE = GcpLocation("dev", "acme-test", "europe-west1")


WEBHOOK = {"pubsub": None, "webhook": {"secret": "oncall"}, "severity": "warning"}
TOPIC = {"pubsub": "demand-alerts", "webhook": None, "severity": "warning"}


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ({}, ("forecast",)),
        ({"notify": [WEBHOOK]}, ("forecast", "notify")),
        ({"notify": [TOPIC]}, ("forecast", "gcp")),
        ({"deployment": {"serve": "both"}}, ("forecast", "serve")),
        ({"model": {"candidates": [{"kind": "gradient-boosting", "library": "lightgbm"}]}}, ("forecast", "lightgbm")),
        ({"model": {"candidates": "auto"}}, ("forecast",)),
        ({"training": {"engine": "ray"}}, ("forecast", "ray")),
        ({"training": {"engine": "ray", "address": "ray://head:10001"}}, ("forecast", "ray")),
        ({"training": {"engine": "ray", "address": "vertex_ray://projects/1"}}, ("forecast", "vertex-ray")),
    ],
)
def test_a_part_of_mlspec_is_needed_where_a_spec_asks_for_it(parts: dict[str, Any], wanted: tuple[str, ...]) -> None:
    assert needed_extras([forecast_spec(**parts)], ()) == wanted


def test_a_target_brings_its_own_part() -> None:
    assert needed_extras([], ("gcp",)) == ("forecast", "gcp")
    assert needed_extras([], ("postgres",)) == ("forecast", "postgres")


def test_secrets_and_topics_are_those_of_the_specs_each_once() -> None:
    found = cloud_requirements([forecast_spec(notify=[WEBHOOK, TOPIC]), forecast_spec(notify=[TOPIC])], PLACE)
    assert (found.secrets, found.topics) == (("oncall",), ("mlspec-alerts", "demand-alerts"))


def test_a_bucket_that_a_spec_reads_has_to_be_readable() -> None:
    read = forecast_spec(dataset={"source": {"uri": "gs://acme-sales/demand/*.csv", "query": None}})
    assert "acme-sales" in {grant.bucket for grant in cloud_requirements([read], PLACE).grants}
    assert "acme-sales" not in cloud_requirements([read], PLACE).platform_buckets


@pytest.mark.parametrize(
    ("source", "granted"),
    [
        ({"uri": "bq://acme-test.sales.daily"}, []),
        ({"query": "SELECT 1", "datasets": ["acme-test.sales"]}, []),
        ({"uri": "bq://other-co.sales.daily"}, ["ON TABLE `other-co.sales.daily`"]),
        ({"query": "SELECT 1", "datasets": ["acme-test.sales", "other-co.sales"]}, ["ON SCHEMA `other-co.sales`"]),
    ],
)
def test_what_lies_in_another_project_is_granted_by_its_owner(source: dict[str, Any], granted: list[str]) -> None:
    read = forecast_spec(dataset={"source": {"uri": None, "query": None, **source}})
    found = cloud_requirements([read], PLACE).foreign_sources
    assert [each.name.removeprefix("bq://") for each in found] == [words.split("`")[1] for words in granted]
    for each, words in zip(found, granted, strict=True):
        own, loop = each.commands
        assert own.startswith(
            "bq query --project_id=other-co --use_legacy_sql=false 'GRANT `roles/bigquery.dataViewer` "
        )
        assert words in own
        assert own.endswith('TO "serviceAccount:demand-train@acme-test.iam.gserviceaccount.com"\'')
        assert "serviceAccount:mlspec-reconcile@acme-test" in loop


def test_only_who_serves_online_has_to_deploy() -> None:
    def asked(serve: str) -> set[str]:
        grants = cloud_requirements([forecast_spec(deployment={"serve": serve})], PLACE).grants
        return {permission for grant in grants for permission in grant.permissions}

    assert asked("online") - asked("batch") == {
        "aiplatform.endpoints.deploy", "aiplatform.endpoints.get", "aiplatform.endpoints.list", "aiplatform.endpoints.update",
        "monitoring.timeSeries.list",
    }  # fmt: skip


def test_the_apis_are_those_that_the_platform_turns_on() -> None:
    text = (ROOT / "infra/services.tf").read_text().partition("google_project_service_identity")[0]
    enabled = re.findall(r'^    "([a-z]+\.googleapis\.com)",$', text, re.MULTILINE)
    assert list(cloud_requirements([], PLACE).apis) == enabled


def test_the_accounts_and_roles_are_those_that_the_platform_makes() -> None:
    found = cloud_requirements([], PLACE).identities
    accounts = re.findall(r'account_id   = "mlspec-(\w+)"', (ROOT / "infra/identity.tf").read_text())
    assert set(found.accounts) == {PLACE.account(name) for name in accounts}
    text = (ROOT / "infra/iam.tf").read_text()
    own = {f"projects/acme-test/roles/{name}" for name in re.findall(r'role_id     = "(\w+)"', text)}
    assert set(found.custom_roles) == own
    assert set(found.agent_roles) == set(re.findall(r'role    = "(roles/\w+\.serviceAgent)"', text))


def test_a_forecast_s_job_and_dag_are_those_that_its_files_make() -> None:
    spec = forecast_spec(metadata={"name": "north-east"})
    (parts,) = cloud_requirements([spec], PLACE).forecasts
    files = forecast_files(spec, PLACE)
    assert f'"{parts.job}"' in files["job.tf"]
    assert f'"{parts.dag}"' in files["dag.tf"]


def test_the_data_of_a_spec_in_buckets_is_looked_for() -> None:
    read = forecast_spec(dataset={"source": {"uri": "gs://acme-sales/demand/*.csv", "query": None}})
    assert cloud_requirements([read, read, forecast_spec()], PLACE).sources == ("gs://acme-sales/demand/*.csv",)


def test_files_of_events_in_buckets_and_tables_have_to_be_readable() -> None:
    events = {"fair": {"uri": "gs://acme-events/fair.csv"}, "school": {"uri": "bq://other-co.calendar.school"}}
    read = forecast_spec(dataset={"covariates": {"events": events}})
    found = cloud_requirements([read], PLACE)
    assert found.sources == ("gs://acme-events/fair.csv",)
    assert "acme-events" in {grant.bucket for grant in found.grants}
    assert [source.name for source in found.foreign_sources] == ["bq://other-co.calendar.school"]


def test_what_a_custom_role_is_asked_for_it_holds() -> None:
    text = (ROOT / "infra/iam.tf").read_text()
    own = [
        grant
        for grant in cloud_requirements(
            [
                forecast_spec(
                    deployment={"serve": "both", "batch_machine": "n2-highmem-8"}, training={"machine": "n2-highmem-8"}
                )
            ],
            PLACE,
        ).grants
        if "/roles/" in grant.role
    ]
    assert len(own) == 4
    for grant in own:
        role = re.search(rf'role_id     = "{grant.role.rpartition("/")[2]}".*?permissions = \[(.*?)\]', text, re.DOTALL)
        assert role is not None
        assert set(grant.permissions) <= set(re.findall(r'"([\w.]+)"', role[1]))


def test_a_step_s_quota_is_what_its_job_asks_for() -> None:
    text = (ROOT / "templates/terraform/forecast/job.tf.j2").read_text()
    cpu, memory = re.search(r'cpu    = "(\d+)"\s+memory = "(\d+)Gi"', text).groups()  # type: ignore[union-attr]
    assert [quota.needed for quota in cloud_requirements([], PLACE).quotas] == [int(cpu) * 1000, int(memory) * 1024**3]
