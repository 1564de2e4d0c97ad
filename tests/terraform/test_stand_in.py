"""The stand-in behaves as Google's provider does, shown with real Terraform."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.terraform import resource_rules, schema
from tests.terraform.harness import ProviderProcess, Terraform
from tests.terraform.plugin import Start
from tests.terraform.provider.cloud import Cloud, Fault
from tests.terraform.resource_rules.data_sources import DATA
from tests.terraform.rules import Rules

PROVIDER = """
provider "google" {
  project        = "acme-prod"
  region         = "europe-west1"
  default_labels = { managed-by = "mlspec" }
}
"""

# One of each kind of dependency: an account, what it may do, something with a schema, something with blocks in blocks.
FORECAST = (
    PROVIDER
    + """
data "google_project" "this" {}

resource "google_service_account" "train" {
  account_id = "bakery-train"
}

resource "google_storage_bucket_iam_member" "runs" {
  bucket = "acme-prod-mlspec-models"
  role   = "roles/storage.objectUser"
  member = google_service_account.train.member
  condition {
    title      = "only-bakery"
    expression = "resource.name.startsWith(\\"projects/_/buckets/acme-prod-mlspec-models/objects/bakery/\\")"
  }
}

resource "google_bigquery_dataset" "forecasts" {
  dataset_id = "bakery"
  location   = "europe-west1"
}

resource "google_bigquery_table" "forecasts" {
  dataset_id          = google_bigquery_dataset.forecasts.dataset_id
  table_id            = "forecasts"
  deletion_protection = false
  clustering          = ["series_id"]
  schema              = jsonencode([{ name = "series_id", type = "STRING", mode = "REQUIRED" }])
}

resource "google_pubsub_topic" "alerts" {
  name   = "bakery-alerts"
  labels = { spec = "bakery" }
}

resource "google_pubsub_subscription" "alerts" {
  name  = "bakery-alerts"
  topic = google_pubsub_topic.alerts.id
  expiration_policy { ttl = "" }
}

resource "google_monitoring_notification_channel" "alerts" {
  display_name = "bakery"
  type         = "pubsub"
  labels       = { topic = google_pubsub_topic.alerts.id }
}

resource "google_cloud_run_v2_job" "step" {
  name                = "bakery-step"
  location            = "europe-west1"
  deletion_protection = false
  template {
    template {
      service_account = google_service_account.train.email
      containers {
        image = "europe-west1-docker.pkg.dev/acme-prod/mlspec/step@sha256:${sha256("step")}"
        env {
          name  = "MLSPEC_PROJECT"
          value = data.google_project.this.number
        }
      }
    }
  }
}

resource "google_cloud_run_v2_job_iam_member" "composer" {
  location = google_cloud_run_v2_job.step.location
  name     = google_cloud_run_v2_job.step.name
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = "serviceAccount:mlspec-dag@acme-prod.iam.gserviceaccount.com"
}
"""
)


def block(text: str) -> str:
    return f"{PROVIDER}\n{text}\n"


TOPIC = block('resource "google_pubsub_topic" "this" { name = "orders" }')


def test_what_was_applied_has_nothing_left_to_do_and_destroy_leaves_nothing(terraform: Start, cloud: Cloud) -> None:
    tf = terraform(FORECAST)
    tf.validate().expect(0)
    tf.apply().expect(0)
    assert len(cloud.resources()) == 9
    tf.plan().expect(0)
    tf.destroy().expect(0)
    assert cloud.resources() == []


def test_the_platforms_types_settle_too(terraform: Start, cloud: Cloud) -> None:
    """Those that the test above does not hold: networks, DNS, policies on images, functions, Composer, data sources."""
    tf = terraform(Path(__file__).parent / "sample")
    tf.apply().expect(0)
    tf.plan().expect(0)
    tf.fmt().expect(0)
    assert tf.run("output", "-raw", "dags").stdout.startswith("gs://europe-west1-mlspec-")
    tf.destroy().expect(0)
    assert [resource.type for resource in cloud.resources()] == ["google_project_service_identity"]


def test_what_an_apply_makes_refers_to_each_other_as_at_google(terraform: Start, cloud: Cloud) -> None:
    tf = terraform(FORECAST)
    tf.apply().expect(0)
    account = cloud.get("google_service_account").values
    assert account["name"] == "projects/acme-prod/serviceAccounts/bakery-train@acme-prod.iam.gserviceaccount.com"
    grant = cloud.get("google_storage_bucket_iam_member")
    assert grant.values["member"] == "serviceAccount:bakery-train@acme-prod.iam.gserviceaccount.com"
    assert grant.id.startswith("b/acme-prod-mlspec-models/roles/storage.objectUser/serviceAccount:")
    assert grant.id.endswith("/only-bakery")
    job = cloud.get("google_cloud_run_v2_job", "bakery-step").values["template"][0]["template"][0]
    assert job["max_retries"] == 3
    assert re.fullmatch(r"\d{12}", job["containers"][0]["env"][0]["value"])
    topic = cloud.get("google_pubsub_topic").values
    assert topic["effective_labels"] == {"managed-by": "mlspec", "spec": "bakery", "goog-terraform-provisioned": "true"}
    assert (
        cloud.get("google_pubsub_subscription").values["topic"]
        == topic["id"]
        == "projects/acme-prod/topics/bakery-alerts"
    )
    assert [entry[0] for entry in cloud.log()] == ["create"] * 9


def test_a_change_from_outside_is_seen_and_put_right(terraform: Start, cloud: Cloud) -> None:
    tf = terraform(FORECAST)
    tf.apply().expect(0)
    job = cloud.get("google_cloud_run_v2_job")
    cloud.edit(job, labels={"who": "somebody"})
    cloud.remove(cloud.get("google_pubsub_topic"))
    tf.plan().expect(2)
    assert tf.changes()["google_cloud_run_v2_job.step"] == ["update"]
    assert tf.changes()["google_pubsub_topic.alerts"] == ["create"]
    tf.apply().expect(0)
    tf.plan().expect(0)
    assert not cloud.get("google_cloud_run_v2_job").values["labels"]


def test_a_label_that_another_tool_set_is_left_alone(terraform: Start, cloud: Cloud) -> None:
    tf = terraform(TOPIC)
    tf.apply().expect(0)
    topic = cloud.get("google_pubsub_topic")
    cloud.edit(topic, effective_labels={**topic.values["effective_labels"], "cost-centre": "7"})
    tf.plan().expect(0)


def test_what_cannot_change_in_place_is_replaced(terraform: Start) -> None:
    tf = terraform(
        {"main.tf": TOPIC.replace('"orders"', "var.name"), "variables.tf": 'variable "name" { default = "orders" }'}
    )
    tf.apply().expect(0)
    assert tf.changes("-var=name=others") == {"google_pubsub_topic.this": ["delete", "create"]}


def test_a_table_takes_a_new_column_and_is_replaced_for_a_lost_one(terraform: Start, cloud: Cloud) -> None:
    def code(*names: str) -> str:
        columns = ",".join(f'{{ name = "{name}", type = "STRING" }}' for name in names)
        table = f'dataset_id = "d"\n table_id = "t"\n schema = jsonencode([{columns}])'
        return block(f'resource "google_bigquery_table" "this" {{\n {table}\n}}')

    tf = terraform(code("a", "b"))
    tf.apply().expect(0)
    main = tf.folder / "main.tf"
    main.write_text(code("a", "b", "c"))
    assert tf.changes() == {"google_bigquery_table.this": ["update"]}
    main.write_text(code("a"))
    assert tf.changes() == {"google_bigquery_table.this": ["delete", "create"]}
    # A table is protected unless its code says otherwise.
    assert "deletion_protection=false" in tf.apply().expect(1).text
    assert cloud.get("google_bigquery_table").values["schema"].count("name") == 2


REFUSED_BY_VALIDATE = {
    "a misspelt attribute": (
        'resource "google_pubsub_topic" "x" {\n name = "orders"\n kms_key = "k"\n}',
        "Unsupported argument",
    ),
    "a wrong type": (
        'resource "google_pubsub_subscription" "x" {\n name = "o"\n topic = "t"\n ack_deadline_seconds = "soon"\n}',
        "a number is required",
    ),
    "a missing attribute": ('resource "google_pubsub_topic" "x" {}', "Missing required argument"),
    "a missing block": ('resource "google_secret_manager_secret" "x" { secret_id = "s" }', "replication"),
    "a block too many": (
        (
            'resource "google_pubsub_subscription" "x" {\n name = "o"\n topic = "t"\n'
            ' expiration_policy { ttl = "" }\n expiration_policy { ttl = "" }\n}'
        ),
        "Too many expiration_policy blocks",
    ),
    "a type that does not exist": ('resource "google_vertex_ai_model" "x" {}', "does not support resource type"),
    "a name": ('resource "google_service_account" "x" { account_id = "Train" }', "invalid value for account_id"),
    "a word that is none of the list": (
        'resource "google_storage_bucket" "x" {\n name = "b-1"\n location = "EU"\n public_access_prevention = "yes"\n}',
        "expected public_access_prevention to be one of",
    ),
    "two of which one is meant": (
        (
            'resource "google_cloud_scheduler_job" "x" {\n name = "j"\n schedule = "* * * * *"\n'
            ' http_target { uri = "https://a.b/" }\n pubsub_target { topic_name = "t" }\n}'
        ),
        "exactly one of",
    ),
    "half of a pair": (
        'resource "google_secret_manager_secret_version" "x" {\n secret = "s"\n secret_data_wo = "v"\n}',
        "secret_data_wo_version",
    ),
    "a rotation that tells nobody": (
        (
            'resource "google_secret_manager_secret" "x" {\n secret_id = "s"\n replication {\n auto {}\n }\n'
            ' rotation {\n rotation_period = "7776000s"\n next_rotation_time = "2030-01-01T00:00:00Z"\n }\n}'
        ),
        "all of `rotation,topics` must be specified",
    ),
    "a dashboard that is not JSON": (
        'resource "google_monitoring_dashboard" "x" { dashboard_json = "{" }',
        "invalid JSON",
    ),
}


@pytest.mark.parametrize("case", REFUSED_BY_VALIDATE)
def test_validate_refuses(case: str, terraform: Start, cloud: Cloud) -> None:
    code, sentence = REFUSED_BY_VALIDATE[case]
    assert sentence in terraform(block(code)).validate().expect(1).text


COMPOSER = """
resource "google_composer_environment" "this" {{
  name = "mlspec"
  config {{
    {line}
    software_config {{ image_version = "{image}" }}
  }}
}}
"""


@pytest.mark.parametrize(
    ("image", "line", "returncode"),
    [
        ("composer-3-airflow-3.1.0-build.2", "enable_private_environment = true", 2),
        ("composer-3-airflow-3.1.0-build.2", "private_environment_config { enable_private_endpoint = true }", 1),
        ("composer-2.9.1-airflow-2.9.3", "enable_private_environment = true", 1),
    ],
)
def test_plan_refuses_what_a_version_of_composer_does_not_know(
    image: str, line: str, returncode: int, terraform: Start
) -> None:
    terraform(block(COMPOSER.format(image=image, line=line))).plan().expect(returncode)


POLICY = """
resource "google_monitoring_alert_policy" "x" {{
  display_name = "p"
  combiner     = "OR"
  conditions {{
    display_name = "c"
    {}
  }}
}}
"""
THRESHOLD = 'condition_threshold {{\n filter = "{}"\n comparison = "{}"\n duration = "{}"\n }}'
METRIC = r"metric.type=\"custom.googleapis.com/mlspec/value\" AND resource.type=\"generic_task\""

REFUSED_BY_GOOGLE = {
    "an endpoint that is not a number": (
        'resource "google_vertex_ai_endpoint" "x" {\n name = "bakery"\n display_name = "b"\n location = "europe-west1"\n}',
        "Invalid endpoint id 'bakery'",
    ),
    "a label in capitals": (
        'resource "google_pubsub_topic" "x" {\n name = "orders"\n labels = { Spec = "bakery" }\n}',
        "Invalid label key 'Spec'",
    ),
    "an underscore in a label of Composer": (
        'resource "google_composer_environment" "x" {\n name = "c"\n labels = { managed_by = "m" }\n}',
        "managed_by",
    ),
    "a member without a type": (
        'resource "google_project_iam_member" "x" {\n project = "p-1"\n role = "roles/viewer"\n member = "a@b.c"\n}',
        "Invalid member",
    ),
    "a filter without a resource": (
        POLICY.format(THRESHOLD.format(r"metric.type=\"a\"", "COMPARISON_GT", "60s")),
        "metric.type and resource.type",
    ),
    "a comparison that only the schema knows": (
        POLICY.format(THRESHOLD.format(METRIC, "COMPARISON_GE", "60s")),
        "COMPARISON_GT or COMPARISON_LT",
    ),
    "a duration between two minutes": (
        POLICY.format(THRESHOLD.format(METRIC, "COMPARISON_GT", "90s")),
        "multiple of 60s",
    ),
    "what to do without data, without a time to wait for it": (
        POLICY.format(
            THRESHOLD.format(METRIC, "COMPARISON_GT", "0s").replace(
                "\n }", '\n evaluation_missing_data = "EVALUATION_MISSING_DATA_NO_OP"\n }'
            )
        ),
        "evaluation_missing_data must have a non-zero duration",
    ),
    "an alert on logs without a rate": (
        POLICY.format('condition_matched_log { filter = "a" }'),
        "notification_rate_limit",
    ),
    "a metric's label without an extractor": (
        (
            'resource "google_logging_metric" "x" {\n name = "m"\n filter = "f"\n'
            ' metric_descriptor {\n metric_kind = "DELTA"\n value_type = "INT64"\n labels { key = "series" }\n }\n}'
        ),
        "['series']",
    ),
}


@pytest.mark.parametrize("case", REFUSED_BY_GOOGLE)
def test_apply_refuses_what_only_google_checks(case: str, terraform: Start, cloud: Cloud) -> None:
    code, sentence = REFUSED_BY_GOOGLE[case]
    tf = terraform(block(code))
    tf.plan().expect(2)
    assert sentence in tf.apply().expect(1).text
    assert cloud.resources() == []


def test_a_name_that_is_taken_is_a_conflict_and_a_second_policy_of_one_name_is_none(
    terraform: Start, cloud: Cloud
) -> None:
    policy = block(POLICY.format(THRESHOLD.format(METRIC, "COMPARISON_GT", "60s")))
    terraform(TOPIC).apply().expect(0)
    terraform(policy).apply().expect(0)
    assert "Error 409" in terraform(TOPIC).apply().expect(1).text
    terraform(policy).apply().expect(0)
    assert len(cloud.resources("google_monitoring_alert_policy")) == 2


PROTECTED = {
    "deletion_protection": 'resource "google_secret_manager_secret" "x" {\n secret_id = "s"\n deletion_protection = true\n'
    " replication {\n auto {}\n }\n}",
    "deletion_policy": 'resource "google_pubsub_topic" "x" {\n name = "orders"\n deletion_policy = "PREVENT"\n}',
    "by default": 'resource "google_bigquery_table" "x" {\n dataset_id = "d"\n table_id = "t"\n}',
}


@pytest.mark.parametrize("case", PROTECTED)
def test_what_is_protected_is_not_destroyed(case: str, terraform: Start, cloud: Cloud) -> None:
    tf = terraform(block(PROTECTED[case]))
    tf.apply().expect(0)
    assert "cannot destroy" in tf.destroy().expect(1).text
    assert len(cloud.resources()) == 1


def test_what_holds_something_is_not_destroyed_unless_it_says_so(terraform: Start, cloud: Cloud) -> None:
    bucket = 'resource "google_storage_bucket" "x" {\n name = "models-1"\n location = "EU"\n force_destroy = %s\n}'
    tf = terraform(block(bucket % "false"))
    tf.apply().expect(0)
    cloud.fill(cloud.get("google_storage_bucket"), 3)
    assert "containing objects" in tf.destroy().expect(1).text
    (tf.folder / "main.tf").write_text(block(bucket % "true"))
    tf.apply().expect(0)
    tf.destroy().expect(0)
    assert cloud.resources() == []


def test_a_key_ring_outlives_its_destroy(terraform: Start, cloud: Cloud) -> None:
    tf = terraform(block('resource "google_kms_key_ring" "x" {\n name = "mlspec"\n location = "europe-west1"\n}'))
    tf.apply().expect(0)
    tf.destroy().expect(0)
    assert cloud.get("google_kms_key_ring").id == "projects/acme-prod/locations/europe-west1/keyRings/mlspec"
    assert "Error 409" in tf.apply().expect(1).text


def test_a_secret_is_not_shown_and_a_write_only_one_is_not_kept(terraform: Start, cloud: Cloud) -> None:
    tf = terraform(
        block(
            """
            resource "google_secret_manager_secret_version" "shown" {
              secret      = "projects/acme-prod/secrets/a"
              secret_data = "hunter2"
            }
            resource "google_secret_manager_secret_version" "written" {
              secret                 = "projects/acme-prod/secrets/b"
              secret_data_wo         = "hunter3"
              secret_data_wo_version = 1
            }
            """
        )
    )
    applied = tf.apply().expect(0).text
    assert "(sensitive value)" in applied
    assert "hunter" not in applied
    state = (tf.folder / "terraform.tfstate").read_text()
    assert "hunter2" in state
    assert "hunter3" not in state
    assert cloud.get("google_secret_manager_secret_version", "projects/acme-prod/secrets/b/versions/1").values[
        "secret_data_wo"
    ] == ("hunter3")
    tf.plan().expect(0)


def test_an_error_passes_and_the_next_apply_goes_on(terraform: Start, cloud: Cloud) -> None:
    tf = terraform(FORECAST)
    cloud.fail(Fault("google_pubsub_topic", "create", "googleapi: Error 503: try again"))
    assert "Error 503" in tf.apply().expect(1).text
    assert not cloud.resources("google_pubsub_subscription")
    tf.apply().expect(0)
    tf.plan().expect(0)


def test_a_lost_answer_leaves_an_orphan_and_a_late_error_a_tainted_resource(terraform: Start, cloud: Cloud) -> None:
    tf = terraform(TOPIC)
    cloud.fail(Fault("google_pubsub_topic", "create", "connection reset", leaves="orphan"))
    tf.apply().expect(1)
    assert "Error 409" in tf.apply().expect(1).text
    cloud.remove(cloud.get("google_pubsub_topic"))
    cloud.fail(Fault("google_pubsub_topic", "create", "it did not become ready", leaves="tainted"))
    tf.apply().expect(1)
    assert tf.changes() == {"google_pubsub_topic.this": ["delete", "create"]}


def test_what_exists_is_imported(terraform: Start, cloud: Cloud) -> None:
    terraform(TOPIC).apply().expect(0)
    tf = terraform(TOPIC)
    tf.run("import", "-input=false", "google_pubsub_topic.this", "projects/acme-prod/topics/orders").expect(0)
    tf.plan().expect(0)


def test_data_sources_tell_what_is_there_and_refuse_what_is_not(terraform: Start, cloud: Cloud) -> None:
    tf = terraform(
        block(
            """
            data "google_project" "this" {}
            data "google_storage_project_service_account" "gcs" {}
            data "google_bigquery_default_service_account" "bq" {}
            data "google_logging_project_cmek_settings" "logging" { project = "acme-prod" }
            data "google_kms_crypto_key" "this" {
              name     = "mlspec"
              key_ring = "projects/acme-prod/locations/europe-west1/keyRings/mlspec"
            }
            output "all" {
              value = {
                number  = data.google_project.this.number
                gcs     = data.google_storage_project_service_account.gcs.member
                bq      = data.google_bigquery_default_service_account.bq.email
                logging = data.google_logging_project_cmek_settings.logging.service_account_id
                key     = data.google_kms_crypto_key.this.id
              }
            }
            """
        )
    )
    assert "not found" in tf.apply().expect(1).text
    key = "projects/acme-prod/locations/europe-west1/keyRings/mlspec/cryptoKeys/mlspec"
    cloud.put("google_kms_crypto_key", key, purpose="ENCRYPT_DECRYPT")
    tf.apply().expect(0)
    found = json.loads(tf.run("output", "-json", "all").stdout)
    number = found["number"]
    assert found == {
        "number": number,
        "gcs": f"serviceAccount:service-{number}@gs-project-accounts.iam.gserviceaccount.com",
        "bq": f"bq-{number}@bigquery-encryption.iam.gserviceaccount.com",
        "logging": f"cmek-p{number}@gcp-sa-logging.iam.gserviceaccount.com",
        "key": key,
    }


def test_service_agents_come_from_google_beta_alone(terraform: Start, cloud: Cloud) -> None:
    code = """
    terraform {
      required_version = ">= 1.11"
      backend "gcs" { bucket = "nowhere" }
      required_providers {
        google-beta = { source = "hashicorp/google-beta", version = ">= 7.33, < 9" }
      }
    }
    resource "google_project_service_identity" "run" {
      %s
      project = "acme-prod"
      service = "run.googleapis.com"
    }
    """
    tf = terraform(code % "provider = google-beta")
    tf.apply().expect(0)
    assert (
        cloud.get("google_project_service_identity")
        .values["member"]
        .endswith("@serverless-robot-prod.iam.gserviceaccount.com")
    )
    tf.plan().expect(0)
    assert "does not support resource type" in terraform(code % "").validate().expect(1).text


def test_two_clouds_of_one_process_do_not_meet(
    terraform: Start, google_provider: ProviderProcess, cloud: Cloud, tmp_path: Path
) -> None:
    tf = terraform(TOPIC)
    tf.apply().expect(0)
    other = {**tf.env, "TF_REATTACH_PROVIDERS": google_provider.open(tmp_path / "other")}
    Terraform(tf.folder, other, tf.program).plan().expect(2)
    assert Cloud(tmp_path / "other").resources() == []
    tf.plan().expect(0)


def test_a_process_that_was_ended_is_started_again_for_the_next_cloud(schema_cache: Path, tmp_path: Path) -> None:
    process = ProviderProcess(schema_cache, tmp_path / "stderr.txt")
    before = process.open(tmp_path / "one")
    process.process.kill()
    process.process.wait()
    after = process.open(tmp_path / "two")
    process.stop()
    assert json.loads(before).keys() == json.loads(after).keys()


def test_code_that_is_not_formatted_is_told(terraform: Start) -> None:
    tf = terraform('output "a" {\n  value = 1\n}\n')
    tf.fmt().expect(0)
    (tf.folder / "main.tf").write_text('output "a" {\nvalue=1\n}\n')
    tf.fmt().expect(3)


def paths(rules: Rules) -> set[str]:
    """Every path that a rule names."""
    named = [rules.force_new, rules.force_new_if, rules.defaults, rules.planned, rules.computed, rules.kept]
    named += [rules.sensitive, rules.write_only, rules.enums, rules.patterns, rules.ranges, rules.needs]
    named += [group for groups in (rules.exactly_one, rules.conflicts, rules.needs.values()) for group in groups]
    named += [[rules.freed_by] if rules.freed_by else []]
    return {path for group in named for path in group} - {"grant"}


def stands(block_: Any, path: str) -> bool:
    top, _, rest = path.partition(".")
    if rest:
        return top in block_["block_types"] and stands(block_["block_types"][top]["block"], rest)
    return top in block_["attributes"] or top in block_["block_types"]


def test_every_rule_names_something_that_the_schema_has(schema_cache: Path) -> None:
    known = json.loads(schema.cached(schema_cache, resource_rules.stable_types(), DATA).read_text())
    blocks = {**known["resources"], **resource_rules.BETA_SCHEMA}
    assert set(blocks) == set(resource_rules.RESOURCES)
    wrong = {
        f"{name}.{path}"
        for name, rules in resource_rules.RESOURCES.items()
        for path in paths(rules)
        if not stands(blocks[name], path)
    }
    assert not wrong
    untyped = [name for name, found in blocks.items() for kind in found["attributes"].values() if kind["type"] is None]
    assert not untyped


def test_several_processes_may_want_the_schema_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: schema.cached(tmp_path, ["google_pubsub_topic"], []), range(3)))
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [found[0].name]
    assert json.loads(found[0].read_text())["resources"]["google_pubsub_topic"]["attributes"]["name"] == {
        "type": "string",
        "required": True,
    }


def test_a_type_that_the_package_lost_is_named() -> None:
    with pytest.raises(LookupError, match="google_teapot"):
        schema.read(["google_teapot"], [])
