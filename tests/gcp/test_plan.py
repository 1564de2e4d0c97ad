"""`mlspec plan --target prod`: terraform's changes, the DAG's, and the steps to come, forecast by forecast, with the rough cost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli import main as front
from mlspec.engine.terraform_apply import apply_with_retries
from mlspec.errors import TargetError
from mlspec.targets.gcp.terraform.runner import TerraformCli
from tests.examples import project, spec_text
from tests.gcp import platform
from tests.gcp.standin.harness import Running
from tests.terraform.provider.cloud import Cloud, Fault
from tests.tools import needs

PROJECT = """\
apiVersion: mlspec/v1
kind: Project
name: acme
targets:
  prod: {type: gcp, project: acme-prod, region: europe-west1, protect: true}
"""
INFRA = Path(__file__).parents[2] / "infra"
IMAGE = f"europe-west1-docker.pkg.dev/acme-prod/mlspec/step@sha256:{'0' * 64}"
ONE = "specs/demand.yaml"
"""One of two forecasts, without what specs share: each folder of terraform takes a second or two, for every plan."""
ONLINE = """\
deployment: {serve: online, machine: {type: n2-standard-4, min_replicas: 2, max_replicas: 3}}
schedule: {forecast: "0 6 * * MON"}
budget: {monthly: 100 USD}
"""


@pytest.fixture
def root(standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terraform_env: dict[str, str]) -> Path:
    """A project whose Terraform keeps its state in a folder of ours: a template of its own says so.

    Terraform's stand-in and Google's know nothing of one another: what the first makes is there in the second from the start.
    """
    needs("terraform")
    platform.buckets("acme-prod")
    platform.forecast("acme-prod", "demand", online=True)
    platform.forecast("acme-prod", "returns")
    monkeypatch.setenv("MLSPEC_IMAGE", IMAGE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = project(tmp_path / "acme", demand=spec_text("demand") + ONLINE, returns=spec_text("returns"))
    (folder / "mlspec.yaml").write_text(PROJECT)
    for kind, name in (("forecast", "{{ name }}"), ("project", "_project")):
        own = folder / "templates" / "terraform" / kind
        own.mkdir(parents=True)
        path = (tmp_path / "tfstate").as_posix()
        (own / "backend.tf.j2").write_text(
            f'terraform {{\n  backend "local" {{\n    path = "{path}/{name}.tfstate"\n  }}\n}}\n'
        )
    monkeypatch.chdir(folder)
    for key, value in terraform_env.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("TF_VAR_image", IMAGE)
    return folder


def plan(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = front.run(["plan", "--target", "prod", "--output", "json", *words])
    return code, json.loads(capsys.readouterr().out)


def terraform_apply(root: Path, environment: dict[str, str], *words: str) -> None:
    """What a person does today: render, and apply each folder."""
    from tests.terraform import harness

    assert front.run(["render", *words, "--target", "prod", "--out", "build"]) == 0
    for folder in sorted((root / "build" / "terraform").iterdir()):
        terraform = harness.Terraform(folder, {**environment, "TF_VAR_image": IMAGE}, needs("terraform"))
        terraform.run("init", "-input=false").expect(0)
        terraform.apply().expect(0)


def actions(value: dict[str, Any]) -> dict[str, str]:
    return {change["resource"]: change["action"] for change in value["changes"]}


def test_a_new_project_is_all_to_be_made_forecast_by_forecast_and_its_cost_is_said(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, value = plan(capsys)
    assert code == 0
    assert list(actions(value).items()) == [
        ("infra._project", "none"),
        ("infra.demand", "create"), ("dag.demand", "create"), ("data.demand", "run"), ("model.demand", "create"),
        ("deployment.demand", "create"), ("forecast.demand", "run"),
        ("infra.returns", "create"), ("dag.returns", "create"), ("data.returns", "run"), ("model.returns", "create"),
        ("deployment.returns", "create"), ("forecast.returns", "run"),
    ]  # fmt: skip
    (infra,) = [change for change in value["changes"] if change["resource"] == "infra.demand"]
    assert infra["after"]["google_vertex_ai_endpoint.this"] == "create"
    assert infra["reason"].endswith(" to add")
    assert (value["target"], value["serial"], value["lineage"]) == ("prod", 0, "")
    assert not any("left to the DAG" in note for note in value["notes"])
    the_cost_is_said_with_what_it_is_made_of_and_held_against_the_budget(value["impact"])


def the_cost_is_said_with_what_it_is_made_of_and_held_against_the_budget(said: list[str]) -> None:
    (cost,) = [line for line in said if line.startswith("demand: roughly")]
    assert "2 x n2-standard-4 all month for the endpoint" in cost
    assert "4 runs of 30 minutes" in cost
    assert "demand: that is above its budget of 100 USD a month" in said
    assert any(line.startswith("returns: roughly 0 USD") for line in said)


def test_what_was_applied_is_not_planned_again_and_a_change_is(
    root: Path, capsys: pytest.CaptureFixture[str], terraform_env: dict[str, str]
) -> None:
    terraform_apply(root, terraform_env)
    found = actions(plan(capsys)[1])
    assert {
        found[name] for name in ("infra._project", "infra.demand", "dag.demand", "infra.returns", "dag.returns")
    } == {"none"}
    (root / "specs" / "demand.yaml").write_text(spec_text("demand") + ONLINE.replace("MON", "TUE"))
    value = plan(capsys)[1]
    found = actions(value)
    assert (found["infra.demand"], found["dag.demand"], found["dag.returns"]) == ("none", "update", "none")
    (dag,) = [change for change in value["changes"] if change["resource"] == "dag.demand"]
    assert "its text changed" in dag["reason"]


def test_an_edit_by_hand_shows_as_a_change_with_its_values(
    root: Path, capsys: pytest.CaptureFixture[str], terraform_env: dict[str, str], cloud: Cloud
) -> None:
    terraform_apply(root, terraform_env, ONE)
    cloud.edit(cloud.get("google_vertex_ai_endpoint"), display_name="mine")
    capsys.readouterr()
    assert front.run(["plan", "--target", "prod", ONE, "--detailed-exitcode"]) == 2
    said = capsys.readouterr().out
    assert "~ infra.demand: 1 to change" in said
    assert "google_vertex_ai_endpoint.this.display_name: mine -> mlspec-demand" in said


def test_what_would_be_lost_is_said(
    root: Path, capsys: pytest.CaptureFixture[str], terraform_env: dict[str, str]
) -> None:
    terraform_apply(root, terraform_env, ONE)
    (root / "specs" / "demand.yaml").write_text(spec_text("demand"))
    impact = plan(capsys, ONE)[1]["impact"]
    assert "demand: google_vertex_ai_endpoint.this: what is deployed there stops" in impact


def test_a_plan_writes_nothing_into_the_project(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path for path in root.rglob("*"))
    plan(capsys, ONE)
    assert sorted(path for path in root.rglob("*")) == before


def test_without_terraform_it_says_how_to_get_it(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert front.run(["plan", "--target", "prod"]) == 1
    said = capsys.readouterr().err
    assert "terraform is not installed" in said
    assert "install terraform" in said


def test_without_an_image_the_plan_takes_the_loop_s_and_says_what_makes_that(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_VAR_image")
    assert front.run(["plan", "--target", "prod", ONE]) == 1
    said = capsys.readouterr().err
    assert "the job mlspec-reconcile does not exist" in said
    assert "apply infra/" in said
    platform.loop("acme-prod", image=IMAGE)
    assert plan(capsys, ONE)[0] == 0


def test_terraforms_own_error_is_passed_on(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_VAR_image", "step:latest")
    assert front.run(["plan", "--target", "prod", ONE]) == 1
    said = capsys.readouterr().err
    assert "terraform plan failed for demand" in said
    assert "by digest" in said
    assert "Traceback" not in said


def test_terraform_sees_no_more_of_the_environment_than_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mlspec.targets.gcp.terraform.runner import allowed_environment

    seen = allowed_environment(
        {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "GOOGLE_CLOUD_PROJECT": "p", "DB_PASSWORD": "y"}, tmp_path
    )
    assert set(seen) == {
        "PATH",
        "GOOGLE_CLOUD_PROJECT",
        "TF_PLUGIN_CACHE_DIR",
        "TF_IN_AUTOMATION",
        "TF_INPUT",
        "CHECKPOINT_DISABLE",
    }


def test_apply_makes_what_was_planned_once(root: Path, capsys: pytest.CaptureFixture[str], cloud: Cloud) -> None:
    assert front.run(["apply", "--target", "prod", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "demand: infrastructure and DAG are applied" in said
    assert "demand: release 1 serves" in said
    assert "_project: is up to date" in said
    made = len(cloud.resources())
    assert cloud.get("google_storage_bucket_object", "mlspec_demand.py")
    assert front.run(["apply", "--target", "prod"]) == 0
    assert "Nothing to do: everything is up to date." in capsys.readouterr().out
    assert len(cloud.resources()) == made


def test_a_protected_target_is_asked_for_and_nobody_there_is_a_no(
    root: Path, capsys: pytest.CaptureFixture[str], cloud: Cloud
) -> None:
    assert front.run(["apply", "--target", "prod", ONE]) == 1
    assert "target 'prod' is protected" in capsys.readouterr().err
    assert cloud.resources() == []


def test_what_would_be_destroyed_is_named_before_it_is(
    root: Path, capsys: pytest.CaptureFixture[str], cloud: Cloud
) -> None:
    (root / "mlspec.yaml").write_text(PROJECT.replace(", protect: true", ""))
    assert front.run(["apply", "--target", "prod", ONE]) == 0
    (root / "specs" / "demand.yaml").write_text(spec_text("demand"))
    capsys.readouterr()
    assert front.run(["apply", "--target", "prod", ONE]) == 1
    assert "google_vertex_ai_endpoint.this" in capsys.readouterr().err
    assert cloud.resources("google_vertex_ai_endpoint")
    assert front.run(["apply", "--target", "prod", "--yes", ONE]) == 0
    assert cloud.resources("google_vertex_ai_endpoint") == []


def test_one_forecast_that_fails_holds_up_no_other_and_is_gone_on_with(
    root: Path, capsys: pytest.CaptureFixture[str], cloud: Cloud
) -> None:
    cloud.fail(Fault("google_vertex_ai_endpoint", "create", "Error 403: Permission denied"))
    assert front.run(["apply", "--target", "prod", "--yes"]) == 4
    said = capsys.readouterr()
    assert "demand: failed" in said.out
    assert "returns: infrastructure and DAG are applied" in said.out
    assert "Permission denied" in said.err
    assert "Traceback" not in said.err
    assert front.run(["apply", "--target", "prod", "--yes"]) == 0
    assert front.run(["plan", "--target", "prod", ONE, "--detailed-exitcode"]) == 0


def test_what_specs_share_comes_first_and_all_wait_for_it(
    root: Path, capsys: pytest.CaptureFixture[str], cloud: Cloud
) -> None:
    (root / "specs" / "demand.yaml").write_text(spec_text("demand") + "notify: [{pubsub: shared-alerts}]\n")
    cloud.fail(Fault("google_pubsub_topic", "create", "Error 503", id=".*shared-alerts"))
    assert front.run(["apply", "--target", "prod", "--yes"]) == 1
    said = capsys.readouterr().out
    assert "_project: failed" in said
    assert "demand: not applied" in said
    assert cloud.resources("google_cloud_run_v2_job") == []


def test_a_saved_plan_is_carried_out_and_refused_once_the_world_moved(
    root: Path, capsys: pytest.CaptureFixture[str], cloud: Cloud, tmp_path: Path
) -> None:
    saved = str(tmp_path / "plan.json")
    assert front.run(["plan", "--target", "prod", ONE, "--out", saved]) == 0
    assert front.run(["apply", saved]) == 0
    assert front.run(["apply", saved]) == 1
    assert "state lineage was none, is" in capsys.readouterr().err


def test_a_saved_plan_is_refused_once_a_template_or_the_cloud_has_changed(
    root: Path, capsys: pytest.CaptureFixture[str], cloud: Cloud, tmp_path: Path
) -> None:
    assert front.run(["apply", "--target", "prod", "--yes", ONE]) == 0
    text = spec_text("demand") + ONLINE.replace("MON", "TUE")
    (root / "specs" / "demand.yaml").write_text(text)
    saved = str(tmp_path / "plan.json")
    assert front.run(["plan", "--target", "prod", ONE, "--out", saved]) == 0
    own = root / "templates" / "terraform" / "forecast" / "extra.tf.j2"
    own.write_text("# {{ name }}\n")
    (own.parent / "backend.tf.j2").write_text((own.parent / "backend.tf.j2").read_text() + "\n# changed\n")
    capsys.readouterr()
    assert front.run(["apply", saved]) == 1
    assert "what is rendered in terraform/demand/ changed" in capsys.readouterr().err
    (own.parent / "backend.tf.j2").write_text((own.parent / "backend.tf.j2").read_text().removesuffix("\n# changed\n"))
    cloud.edit(cloud.get("google_vertex_ai_endpoint"), display_name="mine")
    assert front.run(["apply", saved]) == 1
    assert "infra.demand: the plan says nothing to do, now it is update" in capsys.readouterr().err


@pytest.mark.parametrize(("said", "helps"), [
    ("Error: dialing: google: could not find default credentials.", "gcloud auth application-default login"),
    ("Error: Saved plan is stale", "run the same command again"),
    ("│ Error: Error acquiring the state lock\n│ Lock Info:\n│   ID:      17642\n│   Path:    gs://x", "force-unlock 17642"),
    ("│ Error: Error creating Topic: googleapi: Error 409: there is one\n│\n│   with google_pubsub_topic.alerts,\n│   on a.tf",
     "import google_pubsub_topic.alerts ID"),
    ("Error: Invalid value for variable", "`mlspec render` writes the same files"),
])  # fmt: skip
def test_terraforms_words_come_with_what_helps(
    said: str, helps: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terraform that says this and fails, as the real one does where nobody is signed in or another run was faster."""
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(TargetError) as raised:
        apply_with_retries(TerraformCli({"PATH": "/bin:/usr/bin"}, print), tmp_path, print)
    assert helps in str(raised.value.hint)
    assert said.splitlines()[0].strip("│ ") in raised.value.message


def test_a_build_hands_over_to_the_loop_s_own_account(
    root: Path, capsys: pytest.CaptureFixture[str], standin: Running
) -> None:
    platform.loop("acme-prod", image="the-one-before")
    assert front.run(["apply", "--target", "prod", "--yes", "--hand-over"]) == 0
    assert "the job mlspec-reconcile makes the forecasts" in capsys.readouterr().err
    (started,) = platform.executions("acme-prod", "mlspec-reconcile")
    words = "reconcile --once --yes --lock-timeout 10m --target prod --select demand --select returns"
    assert list(started.template.containers[0].args) == words.split()
    assert started.template.containers[0].image == IMAGE
    assert platform.models_of("acme-prod") == []


def test_who_may_not_look_at_the_data_plans_with_what_was_checked_last(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_words: object) -> None:
        raise TargetError("cannot list gs://theirs/sales/: no access (403)")

    monkeypatch.setattr("mlspec.targets.gcp.data.sources.Sources.inspect_source", denied)
    value = plan(capsys, ONE)[1]
    assert "demand: this account cannot read its data, so new data is not shown" in value["notes"]
    assert actions(value)["data.demand"] == "run"


# What a role allows on the objects of a bucket: cloud.google.com/storage/docs/access-control/iam-roles, and infra/iam.tf.
ON_OBJECTS = {
    "roles/storage.objectViewer": {"get", "list"},
    "roles/storage.objectUser": {"get", "list", "create", "delete", "update"},
    "google_project_iam_custom_role.file_lister.id": {"list"},
}


def bucket_grants(account: str) -> set[str]:
    """`BUCKET PERMISSION` of all that infra/iam.tf lets an account do with objects."""
    grants = re.findall(
        r'^resource "google_storage_bucket_iam_member" "\w+" \{\n  bucket += google_storage_bucket\.mlspec\["(\w+)"\]\.name\n'
        r'  role += "?([\w./]+)"?\n  member += google_service_account\.(\w+)\.member',
        (INFRA / "iam.tf").read_text(), re.MULTILINE,
    )  # fmt: skip
    return {f"{bucket} {verb}" for bucket, role, owner in grants if owner == account for verb in ON_OBJECTS[role]}


def test_the_accounts_of_ci_may_read_every_object_that_a_plan_reads(root: Path, standin: Running) -> None:
    """They may not read data, and the plan says so; whatever else it asks for, it needs."""
    assert front.run(["apply", "--target", "prod", "--yes", ONE]) == 0
    before = len(standin.calls())
    assert front.run(["plan", "--target", "prod", ONE]) == 0
    read = [call for call in standin.calls()[before:] if call["method"].startswith("storage.objects.")]
    assert [call for call in read if call["mutating"]] == []
    asked = {f"{bucket} {call['method'].rpartition('.')[2]}"
             for call in read for bucket in re.findall(r"acme-prod-mlspec-(\w+)", call["asked"])}  # fmt: skip
    assert {"state get", "models list"} <= asked
    for account in ("plan", "build"):
        assert asked - {"data list"} <= bucket_grants(account), account


def test_hand_over_is_for_google_cloud_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["apply", "--hand-over"]) == 2
    assert "--hand-over is for a target on Google Cloud" in capsys.readouterr().err


def test_without_the_platform_it_is_said_what_to_apply_first(
    root: Path, capsys: pytest.CaptureFixture[str], standin: Running
) -> None:
    standin.reset()
    assert front.run(["plan", "--target", "prod"]) == 1
    said = capsys.readouterr().err
    assert "there is no bucket gs://acme-prod-mlspec-state" in said
    assert "apply infra/ first" in said
