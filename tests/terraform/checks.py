"""Rules that need more than one attribute, or that only Google's API knows: one function for each type that has some.

Each takes the values of a resource and says what is wrong, a sentence a fault. What is unknown while planning is passed
over: the API sees it later.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlglot

from tests.terraform.provider.values import Values, each, first, given
from tests.terraform.rules import seconds

IAM_MEMBER = (
    r"(allUsers|allAuthenticatedUsers|(user|group|serviceAccount):[^@\s:]+@[^@\s:]+\.[^@\s:]+|domain:[^@\s:]+"
    r"|project(Owner|Editor|Viewer):[a-z][a-z0-9-]+|principal(Set)?://iam\.googleapis\.com/\S+)"
)
IAM_ROLE = r"(roles|projects/[a-z][a-z0-9-]+/roles|organizations/\d+/roles)/[A-Za-z0-9_.]+"


def iam_member(values: Values) -> Iterator[str]:
    member, role = str(values["member"]), str(values["role"])
    if not re.fullmatch(IAM_MEMBER, member):
        yield f"Invalid member {member!r}: it needs a type, such as serviceAccount:name@project.iam.gserviceaccount.com"
    if not re.fullmatch(IAM_ROLE, role):
        yield f"Role {role!r} is not supported for this resource: a role is roles/NAME or projects/PROJECT/roles/NAME"
    for condition in values.get("condition") or []:
        if not condition.get("title") or len(condition["title"]) > 100:
            yield "a condition needs a title of at most 100 characters"
        if str(condition["expression"]).count('"') % 2:
            yield f"Condition expression compilation failed: an unbalanced quote in {condition['expression']!r}"


def no_deleted_member(values: Values) -> Iterator[str]:
    if any(member.startswith("deleted:") for member in each(values, "member")):
        yield "Terraform does not support IAM members for deleted principals"


# Storage


def bucket_retention(values: Values) -> Iterator[str]:
    for period in each(values, "retention_policy.retention_period"):
        if not 0 < float(period) <= 3_155_760_000:
            yield f"retention_policy.retention_period must be between 1 and 3155760000 seconds (100 years), got {period}"
    if given(values, "retention_policy") and first(values, "versioning.enabled") and first(values, "autoclass.enabled"):
        yield "retention_policy and autoclass with versioning exclude each other"
    for soft in each(values, "soft_delete_policy.retention_duration_seconds"):
        if soft != 0 and not 604_800 <= soft <= 7_776_000:
            yield f"soft_delete_policy.retention_duration_seconds must be 0 or between 604800 and 7776000, got {soft}"


def unlocked(old: Any, new: Any) -> bool:
    """A locked retention policy only ever grows: all else is a new bucket."""
    locked = bool(first({"p": old}, "p.is_locked"))
    before, after = (float(first({"p": each_}, "p.retention_period", 0)) for each_ in (old, new))
    return locked and (after < before or not first({"p": new}, "p.is_locked"))


def folder_name(values: Values) -> Iterator[str]:
    for name in each(values, "name"):
        if not name.endswith("/"):
            yield f"the name of a managed folder ends with a slash, got {name!r}"


# BigQuery


def columns(text: Any) -> dict[str, tuple[Any, ...]]:
    """The columns of a table's schema: name to type and mode."""
    found = json.loads(text or "[]")
    mine = {"FLOAT64": "FLOAT", "INT64": "INTEGER", "BOOL": "BOOLEAN"}
    return {
        column["name"].lower(): (
            mine.get(column["type"].upper(), column["type"].upper()),
            column.get("mode", "NULLABLE").upper(),
            json.dumps(column.get("fields", [])),
        )
        for column in found
    }


def table_schema(values: Values) -> Iterator[str]:
    for text in each(values, "schema"):
        try:
            names = [column["name"] for column in json.loads(text)]
            found = columns(text)
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            yield f'"schema" contains an invalid JSON: {fault!r}'
            continue
        if len(found) != len(names):
            yield "Error parsing schema: a column stands twice"
        wrong = [name for name in names if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,299}", name)]
        if wrong:
            yield f"Invalid field names {wrong}: letters, digits and underscores, and no digit first"
        missing = [name for name in each(values, "clustering") for name in name if name.lower() not in found]
        missing += [name for name in each(values, "time_partitioning.field") if name.lower() not in found]
        if found and missing:
            yield f"The fields {missing} for partitioning or clustering are not in the schema"
    for names in each(values, "clustering"):
        if len(names) > 4:
            yield f"a table is clustered by at most 4 columns, got {len(names)}"


_OF_TABLES = (
    "time_partitioning", "range_partitioning", "clustering", "encryption_configuration", "require_partition_filter",
    "materialized_view", "external_data_configuration", "table_constraints",
)  # fmt: skip


def table_view(values: Values) -> Iterator[str]:
    """What BigQuery refuses of a view. The provider sends no dialect that is not said, and the API then takes legacy SQL.

    Sources: registry.terraform.io/providers/hashicorp/google/latest/docs/resources/bigquery_table#use_legacy_sql,
    cloud.google.com/bigquery/docs/views#view_limitations.
    """
    if not values.get("view"):
        return
    yield from (f"Invalid field for a view: {name}" for name in _OF_TABLES if given(values, name))
    for said in values["view"]:
        if said.get("use_legacy_sql") is not False:
            yield "Invalid view query: in legacy SQL, which a view is in unless use_legacy_sql = false"
            continue
        try:
            (statement,) = sqlglot.parse(said["query"], read="bigquery")
        except (sqlglot.errors.SqlglotError, ValueError) as fault:
            yield f"Invalid view query: Syntax error: {fault}"
            continue
        if not isinstance(statement, sqlglot.exp.Query):
            yield "Invalid view query: only SELECT statements are allowed in view queries"
        if len(said["query"]) > 262_144:
            yield "Invalid view query: longer than 256 K characters"


def narrower(old: Any, new: Any) -> bool:
    """A table takes new columns that may be null, and REQUIRED to NULLABLE; every other change is a new table."""
    before, after = columns(old), columns(new)
    for name, (kind, mode, fields) in before.items():
        if name not in after:
            return True
        now = after[name]
        if now[0] != kind or now[2] != fields or (now[1] != mode and (mode, now[1]) != ("REQUIRED", "NULLABLE")):
            return True
    return any(after[name][1] == "REQUIRED" for name in after if name not in before)


# Composer

ONLY_2 = (
    "config.private_environment_config",
    "config.master_authorized_networks_config",
    "config.node_config.enable_ip_masq_agent",
    "config.node_config.ip_allocation_policy",
    "config.web_server_network_access_control",
)
ONLY_3 = (
    "config.enable_private_environment",
    "config.enable_private_builds_only",
    "config.workloads_config.dag_processor",
    "config.software_config.web_server_plugins_mode",
    "config.node_config.composer_network_attachment",
    "config.node_config.composer_internal_ipv4_cidr_block",
)
COMPOSER_LABEL = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"


def composer_version(values: Values) -> Iterator[str]:
    """What each major version of Composer knows; the provider checks it while it plans."""
    image = first(values, "config.software_config.image_version")
    if not image:
        return
    three = str(image).startswith("composer-3")
    for path in ONLY_2 if three else ONLY_3:
        if any(value is not False for value in each(values, path)):
            where = "is not supported in Composer 3" if three else "is supported in Composer 3 and newer only"
            yield f"{path} {where} (image_version = {image!r})"


def composer_service(values: Values) -> Iterator[str]:
    for key, value in (values.get("effective_labels") or {}).items():
        if not re.fullmatch(COMPOSER_LABEL, key) or (value and not re.fullmatch(COMPOSER_LABEL, value)):
            yield f"Composer's labels are lower case letters, digits and hyphens, letter first: {key} = {value!r}"
    image = first(values, "config.software_config.image_version")
    if image and not re.fullmatch(
        r"composer-(\d+(\.\d+\.\d+)?|latest)-airflow-\d+(\.\d+(\.\d+)?)?(-build\.\d+)?", image
    ):
        yield f"Invalid image version {image!r}"
    for name in (name for names in each(values, "config.software_config.env_variables") for name in names):
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) or re.fullmatch(
            r"AIRFLOW__.+__.+|AIRFLOW_HOME|C_FORCE_ROOT|CONTAINER_NAME|DAGS_FOLDER|GCP_PROJECT|GCS_BUCKET|SQL_.+", name
        ):
            yield f"Invalid or reserved name of an environment variable: {name}"
    for name in (name for names in each(values, "config.software_config.pypi_packages") for name in names):
        if name != name.lower():
            yield f"Names of PyPI packages are lower case, got {name}"
    for key in (key for keys in each(values, "config.software_config.airflow_config_overrides") for key in keys):
        if not re.fullmatch(r"[a-z_]+-[A-Za-z0-9_]+", key):
            yield f"An Airflow setting is written section-name, got {key}"
    for window in values["config"]:
        yield from maintenance(window)


def maintenance(config: Values) -> Iterator[str]:
    for window in config.get("maintenance_window") or []:
        start, end = (datetime.fromisoformat(window[name]) for name in ("start_time", "end_time"))
        recurrence = window["recurrence"]
        days = 7 if "FREQ=DAILY" in recurrence else len(recurrence.partition("BYDAY=")[2].split(";")[0].split(","))
        hours = (end - start).total_seconds() / 3600
        if hours < 4 or hours * days < 12:
            yield f"a maintenance window lasts at least 4 hours, and 12 hours a week: {hours:g} h on {days} days"


# Monitoring and logging

CONDITIONS = (
    "condition_absent",
    "condition_matched_log",
    "condition_monitoring_query_language",
    "condition_prometheus_query_language",
    "condition_sql",
    "condition_threshold",
)


def alert_policy(values: Values) -> Iterator[str]:
    """What the API asks of a policy as a whole, and of each of its conditions."""
    conditions = values["conditions"]
    if len(conditions) > 6:
        yield f"a policy has at most 6 conditions, got {len(conditions)}"
    logs = [condition for condition in conditions if condition.get("condition_matched_log")]
    if logs and len(conditions) > 1:
        yield "a condition on logs stands alone in its policy"
    limited = given(values, "alert_strategy.notification_rate_limit")
    if logs and not limited:
        yield "a condition on logs needs alert_strategy.notification_rate_limit"
    if limited and not logs:
        yield "alert_strategy.notification_rate_limit is for conditions on logs only"
    if len(values.get("notification_channels") or []) > 16:
        yield "a policy has at most 16 notification channels"
    for channel in values.get("notification_channels") or []:
        if not re.fullmatch(r"projects/[^/]+/notificationChannels/\d+", channel):
            yield f"Invalid notification channel {channel!r}"
    if len(first(values, "documentation.content", "").encode()) > 8192:
        yield "documentation.content has at most 8192 bytes"
    for condition in conditions:
        kinds = [name for name in CONDITIONS if condition.get(name)]
        if len(kinds) != 1:
            yield f"a condition is of exactly one kind, {condition['display_name']!r} is of {kinds}"
        yield from threshold(condition)
        yield from promql(condition)


def threshold(condition: Values) -> Iterator[str]:
    for one in condition.get("condition_threshold") or []:
        if one["comparison"] not in ("COMPARISON_GT", "COMPARISON_LT"):
            yield f"comparison must be COMPARISON_GT or COMPARISON_LT, got {one['comparison']}"
        if seconds(one["duration"]) % 60 != 0:
            yield f"duration must be a multiple of 60s, got {one['duration']!r}"
        # github.com/hashicorp/terraform-provider-google/issues/16892
        if one.get("evaluation_missing_data") and seconds(one["duration"]) == 0:
            yield (
                f"Field alert_policy.conditions.condition_threshold.evaluation_missing_data had an invalid value of"
                f' "{one["evaluation_missing_data"]}": Conditions setting evaluation_missing_data must have a non-zero duration.'
            )
        text = one.get("filter") or ""
        if not re.search(r"metric\.type\s*=", text) or not re.search(r"resource\.type\s*=", text):
            yield f"the filter must say metric.type and resource.type: {text!r}"
        for aggregation in one.get("aggregations") or []:
            if aggregation.get("alignment_period") and not seconds(aggregation["alignment_period"]) >= 60:
                yield "alignment_period is at least 60s"


def promql(condition: Values) -> Iterator[str]:
    for one in condition.get("condition_prometheus_query_language") or []:
        if one.get("evaluation_interval") and seconds(one["evaluation_interval"]) % 30 != 0:
            yield f"evaluation_interval must be a multiple of 30s, got {one['evaluation_interval']!r}"
        pairs = ("()", "[]", "{}")
        if any(one["query"].count(left) != one["query"].count(right) for left, right in pairs):
            yield f"the query does not parse: {one['query']!r}"


CHANNEL_LABELS = {"pubsub": "topic", "email": "email_address", "webhook_tokenauth": "url", "slack": "channel_name"}


def notification_channel(values: Values) -> Iterator[str]:
    kind, labels = values["type"], values.get("labels") or {}
    wanted = CHANNEL_LABELS.get(kind)
    if wanted and not labels.get(wanted):
        yield f"a channel of type {kind} needs labels.{wanted}, got {sorted(labels)}"
    if kind == "pubsub" and not re.fullmatch(r"projects/[^/]+/topics/[^/]+", labels.get("topic") or ""):
        yield f"labels.topic is projects/PROJECT/topics/TOPIC, got {labels.get('topic')!r}"


def dashboard(values: Values) -> Iterator[str]:
    layouts = {"gridLayout", "mosaicLayout", "rowLayout", "columnLayout"}
    for text in each(values, "dashboard_json"):
        try:
            found = json.loads(text)
        except ValueError as fault:
            yield f'"dashboard_json" contains an invalid JSON: {fault}'
            return
        if not isinstance(found, dict) or not found.get("displayName"):
            yield "a dashboard needs a displayName"
        elif len(layouts & set(found)) > 1:
            yield f"a dashboard has one layout, got {sorted(layouts & set(found))}"


def logging_metric(values: Values) -> Iterator[str]:
    labels = {label["key"] for one in values.get("metric_descriptor") or [] for label in one.get("labels") or []}
    extractors = set(values.get("label_extractors") or {})
    if labels != extractors:
        yield f"every label has an extractor and the reverse: {sorted(labels ^ extractors)} has not"
    kind = first(values, "metric_descriptor.value_type", "INT64")
    if kind == "DISTRIBUTION" and not values.get("value_extractor"):
        yield "a metric of type DISTRIBUTION needs a value_extractor"
    if kind == "INT64" and values.get("value_extractor"):
        yield "a metric of type INT64 counts entries: no value_extractor"
    if kind != "DISTRIBUTION" and values.get("bucket_options"):
        yield "bucket_options are for metrics of type DISTRIBUTION"
    if first(values, "metric_descriptor.metric_kind", "DELTA") != "DELTA":
        yield "metric_kind is DELTA for a metric of logs"


# Jobs, triggers, secrets


def http_body(values: Values) -> Iterator[str]:
    for body in each(values, "http_target.body"):
        try:
            base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            yield "http_target.body must be base64"


def scheduler_job(values: Values) -> Iterator[str]:
    schedule = values.get("schedule") or ""
    if not schedule.startswith("every ") and len(schedule.split()) != 5:
        yield f"Schedule or time zone is invalid: {schedule!r}"
    for target in values.get("http_target") or []:
        google = re.match(r"https://[a-z.-]+\.googleapis\.com/", target["uri"])
        if google and target.get("oidc_token"):
            yield "an API of Google takes an oauth_token, not an oidc_token"


def build_steps(values: Values) -> Iterator[str]:
    """The steps together may not take longer than the build; the provider adds them up while it plans."""
    for build in each(values, "build"):
        steps = sum(seconds(text) for text in each(build, "step.timeout"))
        if steps > seconds(first(build, "timeout", "600s")):
            yield "Step timeout sum cannot be greater than build timeout"


def build_account(values: Values) -> Iterator[str]:
    logging = first(values, "build.options.logging")
    if values.get("service_account") and values.get("build") and not first(values, "build.logs_bucket"):
        if logging not in ("CLOUD_LOGGING_ONLY", "GCS_ONLY", "NONE"):
            yield "a build with a service account of its own needs options.logging = CLOUD_LOGGING_ONLY, or a logs_bucket"
        if not re.fullmatch(r"projects/[^/]+/serviceAccounts/[^/]+", values["service_account"]):
            yield f"service_account is projects/PROJECT/serviceAccounts/EMAIL, got {values['service_account']!r}"


def secret(values: Values) -> Iterator[str]:
    if given(values, "rotation") and not given(values, "topics"):
        yield "topics must be set to configure rotation"
    if given(values, "rotation.rotation_period") and not given(values, "rotation.next_rotation_time"):
        yield "rotation.rotation_period needs rotation.next_rotation_time"
    for topic in each(values, "topics.name"):
        if not re.fullmatch(r"projects/[^/]+/topics/[^/]+", topic):
            yield f"topics.name is projects/PROJECT/topics/TOPIC, got {topic!r}"


def subscription(values: Values) -> Iterator[str]:
    if not re.fullmatch(r"(projects/[^/]+/topics/)?[A-Za-z][A-Za-z0-9_.~+%-]{2,254}", values["topic"]):
        yield f"Invalid topic {values['topic']!r}"
    for policy in values.get("dead_letter_policy") or []:
        if policy.get("max_delivery_attempts") and not 5 <= policy["max_delivery_attempts"] <= 100:
            yield f"max_delivery_attempts must be between 5 and 100, got {policy['max_delivery_attempts']}"
        if policy.get("dead_letter_topic") == values["topic"]:
            yield "a topic is not its own dead letter topic"
    if (values.get("ack_deadline_seconds") or 10) not in range(10, 601):
        yield f"ack_deadline_seconds must be between 10 and 600, got {values['ack_deadline_seconds']}"
    for endpoint in each(values, "push_config.push_endpoint"):
        if not endpoint.startswith("https://"):
            yield f"push_endpoint must be an https:// address, got {endpoint!r}"
    if values.get("enable_exactly_once_delivery") and given(values, "push_config"):
        yield "exactly once delivery is for pull subscriptions only"
    if len((values.get("filter") or "").encode()) > 256:
        yield "a filter has at most 256 bytes"


def run_job(values: Values) -> Iterator[str]:
    for limits in each(values, "template.template.containers.resources.limits"):
        unknown = sorted(set(limits) - {"cpu", "memory", "nvidia.com/gpu"})
        if unknown:
            yield f"resources.limits knows cpu, memory and nvidia.com/gpu, got {unknown}"
        if "memory" in limits and not re.fullmatch(r"\d+(Mi|Gi|M|G|Ki|K)?", limits["memory"]):
            yield f"memory is written like 512Mi, got {limits['memory']!r}"
        if "cpu" in limits and limits["cpu"] not in (
            "1",
            "2",
            "4",
            "6",
            "8",
            "1000m",
            "2000m",
            "4000m",
            "6000m",
            "8000m",
        ):
            yield f"a job has 1, 2, 4, 6 or 8 cpus, got {limits['cpu']!r}"
    for account in each(values, "template.template.service_account"):
        if account != "computed-service_account" and "@" not in account:
            yield f"service_account is an email address, got {account!r}"
    names = list(each(values, "template.template.containers.env.name"))
    if len(names) != len(set(names)):
        yield "a name of an environment variable stands twice"


def function(values: Values) -> Iterator[str]:
    if values.get("kms_key_name") and not first(values, "build_config.docker_repository", "").startswith("projects/"):
        yield "kms_key_name needs build_config.docker_repository, a repository with the same key"
    account = first(values, "build_config.service_account", "")
    if not account.startswith(("projects/", "computed-")):
        yield f"build_config.service_account is projects/PROJECT/serviceAccounts/EMAIL, got {account!r}"
    for email in each(values, "service_config.service_account_email"):
        if "/" in email:
            yield f"service_config.service_account_email is an email address, got {email!r}"
    concurrency = first(values, "service_config.max_instance_request_concurrency", 1)
    if concurrency > 1 and first(values, "service_config.available_cpu", "1") in ("0.083", "0.1666", "0.333", "0.583"):
        yield "concurrency above 1 needs at least one cpu"
    for trigger in values.get("event_trigger") or []:
        published = trigger["event_type"] == "google.cloud.pubsub.topic.v1.messagePublished"
        topic = trigger.get("pubsub_topic") or ""
        if published and not re.fullmatch(r"projects/[^/]+/topics/[^/]+", topic):
            yield f"event_trigger.pubsub_topic is projects/PROJECT/topics/TOPIC, got {topic!r}"
        if (first(values, "service_config.timeout_seconds") or 60) > 540:
            yield "a function with a trigger runs for at most 540 seconds"


def endpoint(values: Values) -> Iterator[str]:
    # 9 by CreateEndpointRequest.endpoint_id of the API; the provider itself lets 10 pass.
    if not re.fullmatch(r"[1-9][0-9]{0,8}", values["name"]):
        yield f"Invalid endpoint id {values['name']!r}: digits, at most 9, no leading zero"
    if len(values["display_name"]) > 128:
        yield "display_name has at most 128 characters"
    network = values.get("network")
    if network and not re.fullmatch(r"projects/\d+/global/networks/[^/]+", network):
        yield f"network is projects/NUMBER/global/networks/NAME, with the project's number, got {network!r}"


def identity_provider(values: Values) -> Iterator[str]:
    mapping = values.get("attribute_mapping") or {}
    if given(values, "oidc") and "google.subject" not in mapping:
        yield "attribute_mapping needs google.subject"
    for uri in each(values, "oidc.issuer_uri"):
        if not uri.startswith("https://"):
            yield f"oidc.issuer_uri must be an https:// address, got {uri!r}"


def kms_rotation(values: Values) -> Iterator[str]:
    for period in each(values, "rotation_period"):
        if not seconds(period) >= 86_400:
            yield f"rotation_period must be written like 7776000s and be at least 86400s (a day), got {period!r}"


def kms_key(values: Values) -> Iterator[str]:
    if values.get("rotation_period") and values.get("purpose") != "ENCRYPT_DECRYPT":
        yield f"a key of purpose {values.get('purpose')} does not rotate"
    if not re.fullmatch(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+", values["key_ring"]):
        yield f"Invalid key ring {values['key_ring']!r}"
