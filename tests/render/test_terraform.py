"""A spec's Terraform: formatted, the same bytes every time, one literal resource a grant, and every name within its limits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlspec.render.gcp.terraform import forecast_files
from mlspec.spec.gcp.location import GcpLocation
from tests import terraform_core
from tests.render.specs import PLACE, SPECS, all_files, resolved, sources, write


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return all_files(tmp_path_factory.mktemp("specs"))


def of(files: dict[str, str], name: str) -> str:
    return "\n".join(text for path, text in sorted(files.items()) if path.startswith(f"terraform/{name}/"))


def resources(text: str) -> dict[str, str]:
    found = re.findall(r'^resource "(\w+)" "([\w.-]+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    return {f"{kind}.{name}": body for kind, name, body in found}


def test_it_is_formatted_as_terraform_formats(files: dict[str, str], tmp_path: Path) -> None:
    write(files, tmp_path)
    checked = terraform_core.run("fmt", "-check", "-recursive", "-diff", folder=tmp_path)
    assert (checked.returncode, checked.stdout) == (0, "")


RENDER = """
import hashlib, sys
from pathlib import Path
from tests.render.specs import all_files
files = all_files(Path(sys.argv[1]))
print(len(files), hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest())
"""


def test_nothing_of_the_machine_changes_a_byte(tmp_path: Path) -> None:
    said = set()
    for seed, zone, language in (
        ("0", "UTC", "C"),
        ("1", "Asia/Tokyo", "C.UTF-8"),
        ("random", "America/Sao_Paulo", "tr_TR.UTF-8"),
    ):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language, "LANG": language}
        done = subprocess.run(
            [sys.executable, "-c", RENDER, str(tmp_path)],
            env=environment, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        said.add(done.stdout)
    assert len(said) == 1


def test_monitoring_counts_the_failed_requests_that_the_loop_counts(files: dict[str, str]) -> None:
    (query,) = re.findall(r'"(sum.*)"', of(files, "online").replace('\\"', "'"))
    named = re.compile(r"(\w+:\w+)\{.*?(response_code=~'5\.\*')?\}")
    served = "aiplatform_googleapis_com:prediction_online_response_count"
    assert named.findall(query)[:2] == [(served, "response_code=~'5.*'"), (served, "")]


def test_a_batch_forecast_has_no_endpoint_and_nobody_who_serves(files: dict[str, str]) -> None:
    assert "google_vertex_ai_endpoint" not in of(files, "minimal")
    assert "google_service_account.serve" not in resources(of(files, "minimal"))
    assert "google_vertex_ai_endpoint.this" in resources(of(files, "online"))
    assert "google_service_account.serve" in resources(of(files, "both"))


def test_an_endpoint_is_a_dedicated_public_one_unless_the_spec_says_private(
    files: dict[str, str], tmp_path: Path
) -> None:
    public = of(files, "online")
    assert "dedicated_endpoint_enabled = true" in public
    assert "private_service_connect_config" not in public
    spec = "deployment: {serve: online, endpoint: {access: private, allowed_projects: [acme-web]}}\n"
    private = forecast_files(resolved(SPECS["minimal"] + spec, tmp_path).forecast, PLACE)
    assert "dedicated_endpoint_enabled" not in private["endpoint.tf"]
    assert re.findall(r'^      "(.*)",$', private["endpoint.tf"], re.MULTILINE) == sorted([PLACE.project, "acme-web"])
    assert f'allowed_projects = "{",".join(sorted([PLACE.project, "acme-web"]))}"' in private["endpoint.tf"]
    assert "dedicated_endpoint_dns" not in private["outputs.tf"]


def test_the_loop_alone_moves_traffic(files: dict[str, str]) -> None:
    assert "ignore_changes = [traffic_split]" in of(files, "online")


def test_each_threshold_is_a_policy_that_tells_who_asked(files: dict[str, str]) -> None:
    found = resources(of(files, "told"))
    policies = {name: body for name, body in found.items() if name.startswith("google_monitoring_alert_policy.")}
    assert sorted(name.split(".")[1] for name in policies) == ["accuracy", "bias", "stale", "under"]
    accuracy = policies["google_monitoring_alert_policy.accuracy"]
    for line in (
        "channel.redeploy.id",
        "channel.notify_shared-alerts.id",
        "channel.notify_odd_topic_name_1_",
        '"CRITICAL"',
        '"rollback"',
    ):
        assert line in accuracy
    assert "redeploy" not in policies["google_monitoring_alert_policy.bias"]
    assert "notify_odd" not in policies["google_monitoring_alert_policy.bias"]
    assert "severity" not in policies["google_monitoring_alert_policy.under"]
    assert policies["google_monitoring_alert_policy.bias"].count("conditions {") == 2
    assert "threshold_value = 864000.0" in policies["google_monitoring_alert_policy.stale"]


def test_two_of_three_is_counted_by_mlspec_and_watched_by_monitoring(files: dict[str, str]) -> None:
    accuracy = resources(of(files, "told"))["google_monitoring_alert_policy.accuracy"]
    assert "mlspec/breaches" in accuracy
    assert "threshold_value = 1.5" in accuracy


def test_what_an_endpoint_counts_itself_is_read_from_vertex_ai(files: dict[str, str]) -> None:
    found = resources(of(files, "online"))
    assert "> 0.01" in found["google_monitoring_alert_policy.errors"]
    assert "> 250.0" in found["google_monitoring_alert_policy.slow"]  # milliseconds there, seconds in the spec


def test_what_the_spec_reads_elsewhere_is_granted_and_no_more(files: dict[str, str]) -> None:
    assert 'bucket = "acme.sales_data"' in of(files, "bucket")
    table = resources(of(files, "table"))["google_bigquery_table_iam_member.train_reads_weekly"]
    assert re.findall(r'= "(.*)"', table) == ["sales", "weekly", "roles/bigquery.dataViewer"]
    datasets = [name for name in resources(of(files, "query")) if name.startswith("google_bigquery_dataset_iam_member")]
    assert [name.rpartition(".")[2] for name in datasets] == [
        "train_reads_sales",
        "reconcile_reads_sales",
    ]  # its own project's


@pytest.mark.parametrize(
    ("uri", "granted"),
    [
        ("gs://acme-prod-mlspec-data/minimal/*.csv", []),  # its own folder, which every forecast may read
        (
            "gs://acme-prod-mlspec-data/shared/*.csv",
            ["train_reads_acme-prod-mlspec-data"],
        ),  # the loop reads the bucket anyway
        ("gs://acme/*.csv", ["train_reads_acme", "reconcile_reads_acme"]),
    ],
)
def test_a_bucket_is_granted_to_whom_cannot_read_it_yet(tmp_path: Path, uri: str, granted: list[str]) -> None:
    spec = resolved(SPECS["minimal"].replace("data/sales.csv", uri), tmp_path).forecast
    found = resources(forecast_files(spec, PLACE)["storage.tf"])
    assert [name.rpartition(".")[2] for name in found if name.startswith("google_storage_bucket_iam_member")] == granted


def test_a_bucket_with_files_of_events_is_granted_too(tmp_path: Path) -> None:
    events = "frequency: D\n  covariates: {events: {school: {uri: 'gs://acme-events/school.csv'}}}"
    spec = resolved(SPECS["minimal"].replace("frequency: D", events), tmp_path).forecast
    found = resources(forecast_files(spec, PLACE)["storage.tf"])
    assert "google_storage_bucket_iam_member.train_reads_acme-events" in found


@pytest.mark.parametrize(
    ("more", "acts"),
    [("", False), ("training: {machine: n2-highmem-8}\n", True), ("deployment: {batch_machine: n2-highmem-8}\n", True)],
)
def test_the_loop_acts_as_the_steps_account_where_a_step_is_a_job_of_vertex_ai(
    tmp_path: Path, more: str, acts: bool
) -> None:
    found = resources(forecast_files(resolved(SPECS["minimal"] + more, tmp_path).forecast, PLACE)["identity.tf"])
    assert ("google_service_account_iam_member.reconcile_acts_as_train" in found) == acts


def test_topics_and_secrets_that_specs_share_are_made_once(files: dict[str, str]) -> None:
    shared = resources(of(files, "_project"))
    assert (
        sum(name.startswith("google_pubsub_topic.") for name in shared) == 3
    )  # two of `told`, one of the full example
    assert sorted(name for name in shared if name.startswith("google_secret_manager_secret.")) == [
        "google_secret_manager_secret.demand-oncall-url", "google_secret_manager_secret.oncall-url",
        *(f"google_secret_manager_secret.told-{name}" for name in ("pagerduty", "slack", "smtp", "teams")),
    ]  # fmt: skip
    assert "secret_data" not in of(files, "_project")


@pytest.mark.parametrize("name", [*SPECS, "_project"])
def test_a_grant_is_one_resource_with_a_literal_role_and_never_a_powerful_one(files: dict[str, str], name: str) -> None:
    text = of(files, name)
    grants = {address: body for address, body in resources(text).items() if "_iam_" in address}
    assert grants
    assert "for_each" not in text
    assert "_iam_binding" not in text
    assert "_iam_policy" not in text
    for address, body in grants.items():
        (role,) = re.findall(r'^ +role += "([^"]+)"$', body, re.MULTILINE)
        assert not re.search(r"admin|editor|owner", role, re.IGNORECASE), address
        assert "allUsers" not in body
        assert "allAuthenticatedUsers" not in body


def test_a_given_key_is_used_everywhere(tmp_path: Path) -> None:
    key = "projects/acme-keys/locations/europe-west1/keyRings/r/cryptoKeys/k"
    place = GcpLocation("prod", "acme-prod", "europe-west1", kms_key=key)
    text = "\n".join(forecast_files(resolved(SPECS["online"], tmp_path).forecast, place).values())
    assert f'kms_key = "{key}"' in text
    assert "keyRings/mlspec" not in text


def test_a_projects_own_template_stands_in_the_place_of_ours_file_by_file(tmp_path: Path) -> None:
    own = tmp_path / "templates"
    (own / "terraform" / "forecast").mkdir(parents=True)
    (own / "terraform" / "forecast" / "backend.tf.j2").write_text("# {{ name }} keeps its state here\n")
    spec = resolved(SPECS["minimal"], tmp_path).forecast
    ours, theirs = forecast_files(spec, PLACE), forecast_files(spec, PLACE, own)
    assert theirs["backend.tf"] == "# minimal keeps its state here\n"
    assert {name: text for name, text in theirs.items() if name != "backend.tf"} == {
        name: text for name, text in ours.items() if name != "backend.tf"
    }


def test_a_template_reaches_no_file_outside_its_folder(tmp_path: Path) -> None:
    from jinja2 import TemplateNotFound

    from mlspec.render.environment import jinja_environment

    own = tmp_path / "templates"
    own.mkdir()
    (tmp_path / "secret.txt").write_text("s3cret")
    (own / "link.txt").symlink_to(tmp_path / "secret.txt")
    for name in ("link.txt", "../secret.txt", "/etc/passwd"):
        with pytest.raises(TemplateNotFound):
            jinja_environment(own).get_template(name)


def test_a_template_runs_no_code(tmp_path: Path) -> None:
    from jinja2.exceptions import SecurityError

    from mlspec.render.environment import jinja_environment

    own = tmp_path / "templates"
    own.mkdir()
    (own / "x.j2").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(SecurityError):
        jinja_environment(own).get_template("x.j2").render()


def test_every_forecast_is_told_apart(tmp_path: Path) -> None:
    names = [source.name for source in sources(tmp_path)]
    assert len(set(names)) == len(names) >= 12


def test_the_promql_of_a_policy_is_promql(files: dict[str, str]) -> None:
    import promql_parser

    queries = re.findall(r'^ +query += replace\("(.*)", "ENDPOINT_ID"', of(files, "online"), re.MULTILINE)
    assert len(queries) == 2
    for query in queries:
        found = promql_parser.parse(query.replace('\\"', '"'))
        assert isinstance(found, promql_parser.BinaryExpr)
        assert str(found.op) == ">"
