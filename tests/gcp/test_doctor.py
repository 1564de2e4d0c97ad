"""`mlspec doctor --target dev`: an empty project, each miss mended by what was said, and what cannot be told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.doctor.function import differing_files, own_files
from mlspec.targets.gcp.doctor.permissions import limit_of
from mlspec.targets.gcp.doctor.resources import airflow_version
from mlspec.targets.gcp.jobs.loop_job import LoopJob
from tests.gcp import platform, platform_grants
from tests.gcp.acme import IMAGE
from tests.gcp.clinic import FIRST_IMAGE, NUMBER, PLANTED, Clinic
from tests.gcp.platform import REGION

DENIED = ["aiplatform.models.upload", "storage.objects.create"]
CPU = "run.googleapis.com/cpu_allocation"


def test_everything_is_missing_then_mended_one_by_one_then_all_is_well(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.standin.set(
        billing=False,
        denied=DENIED,
        disabled_services=["run.googleapis.com"],
        quotas={CPU: 2000},
        images=[clinic.pushed],
    )
    code, said = clinic.run()
    assert code == 3
    member = "--member=serviceAccount:"
    mended: list[tuple[str, Callable[[], Any]]] = [
        (
            "gcloud services enable run.googleapis.com --project=acme-test",
            lambda: clinic.standin.set(disabled_services=[]),
        ),
        (f"gcloud projects add-iam-policy-binding acme-test {member}", lambda: None),
        ("--role=projects/acme-test/roles/mlspecModelOperator", lambda: clinic.standin.set(denied=[])),
        ("--quota-id=CpuAllocPerProjectRegion --preferred-value=4000", lambda: clinic.standin.set(quotas={})),
        (
            "gcloud billing projects link acme-test --billing-account=ACCOUNT",
            lambda: clinic.standin.set(billing=True),
        ),
        (
            "gcloud storage buckets create gs://acme-test-terraform --project=acme-test --location=europe-west1",
            clinic.terraform_bucket,
        ),
        ("terraform -chdir=infra apply", clinic.platform),
        ("cannot tell  image", lambda: monkeypatch.setenv("TF_VAR_image", IMAGE)),  # the API of Cloud Run is off
        ("gcloud storage cp FILE gs://acme-test-mlspec-data/demand/", clinic.data),
        ("> mlspec apply --target dev\n", clinic.forecast),
        ("gcloud secrets versions add demand-oncall-url --data-file=-", clinic.secret),
    ]
    for command, mend in mended:
        assert command in said
        mend()
    lacking = clinic.checks("missing")
    assert set(lacking) == {"key mlspec", "last execution"}, lacking
    assert lacking["key mlspec"]["mend"].startswith("gcloud kms keys versions create --primary --key=mlspec")
    assert lacking["last execution"]["said"] == "the job mlspec-reconcile has never run"
    assert lacking["last execution"]["mend"].startswith("gcloud run jobs execute mlspec-reconcile --region=")
    clinic.key_version()
    clinic.execution()
    code, said = clinic.run()
    assert (code, said.splitlines()[-1]) == (0, "Everything is there."), said


def test_nothing_is_changed_and_no_secret_is_read(clinic: Clinic) -> None:
    for make in (clinic.platform, clinic.triggers, clinic.schedule, clinic.forecast, clinic.secret):
        make()
    before = clinic.standin.counted(mutating=True)
    files = sorted(clinic.root.rglob("*"))
    said = clinic.run()[1] + clinic.run("--output", "json")[1]
    assert clinic.standin.counted(mutating=True) == before
    assert sorted(clinic.root.rglob("*")) == files
    assert not [method for method in clinic.standin.counted() if "AccessSecretVersion" in method]
    keys = Path(clinic.standin.environment["GOOGLE_APPLICATION_CREDENTIALS"])
    private = json.loads(keys.read_text())["private_key"].splitlines()[1]
    for secret in (PLANTED, private, "Bearer", "ya29."):
        assert secret not in said


def test_whoever_has_the_roles_of_a_person_is_told_all_and_of_the_doctor_s_role_nothing_is_spare(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.everything()
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", clinic.project)  # as in the credentials of a person
    email = f"ana@{clinic.project}.iam.gserviceaccount.com"
    clinic.standin.allow({}, list(platform_grants.of_person(clinic.project, email)))
    with clinic.standin.acting_as(email):
        monkeypatch.setenv("TF_VAR_image", IMAGE)
        assert clinic.run()[1].splitlines()[-1] == "Everything is there."
    assert clinic.standin.denied() == []
    role = f"projects/{clinic.project}/roles/mlspecDoctor"
    for grant in clinic.standin.grants():
        if grant["role"] != role and grant["member"] == f"serviceAccount:{email}":
            clinic.standin.revoke(grant["resource"], grant["role"], grant["member"])
    tagged = IMAGE.partition("@")[0] + ":v1"
    monkeypatch.setenv("TF_VAR_image", tagged)
    with clinic.standin.acting_as(email):
        unsure = clinic.checks("unknown")
    assert set(unsure) == {"mlspec-redeploy", "gs://acme-test-mlspec-data/demand/*.csv", "DAG of demand"}
    (grant,) = [each for each in clinic.standin.grants() if each["role"] == role]
    held = json.loads(platform_grants.STORED.read_text())["roles"]["projects/PROJECT/roles/mlspecDoctor"]
    assert sorted(grant["allowed"]) == held


def test_an_account_without_roles_cannot_tell(clinic: Clinic) -> None:
    clinic.platform()
    with clinic.standin.acting_as(f"nobody@{clinic.project}.iam.gserviceaccount.com"):
        code, said = clinic.run()
        unsure, lacking = clinic.checks("unknown"), clinic.checks("missing")
    assert (code, "Traceback" in said) == (3, False)
    names = {
        "billing",
        "accounts",
        "custom roles",
        "service agents",
        "triggers",
        "last execution",
        "schedule",
        "Composer",
    }
    assert names <= unsure.keys()
    assert all("(403)" in unsure[name]["said"] for name in names)
    assert all(unsure[name]["mend"].endswith("--role=projects/acme-test/roles/mlspecDoctor") for name in names)
    assert {each["area"] for each in lacking.values()} == {"roles"}


def test_an_account_that_is_disabled_and_an_agent_without_its_role_are_named(clinic: Clinic) -> None:
    clinic.identities()
    email = f"mlspec-tick@{clinic.project}.iam.gserviceaccount.com"
    clinic.ask("POST", f"iam.googleapis.com/v1/projects/{clinic.project}/serviceAccounts/{email}:disable")
    agent = f"serviceAccount:service-{NUMBER}@serverless-robot-prod.iam.gserviceaccount.com"
    clinic.standin.revoke(f"projects/{clinic.project}", "roles/run.serviceAgent", agent)
    lacking = clinic.checks("missing")
    assert lacking["accounts"]["mend"] == f"gcloud iam service-accounts enable {email} --project=acme-test"
    assert lacking["service agents"]["said"] == "no agent has roles/run.serviceAgent"


def test_the_bucket_of_terraform_s_state_is_the_one_of_its_init(clinic: Clinic) -> None:
    folder = clinic.root / "infra" / ".terraform"
    folder.mkdir(parents=True)
    (folder / "terraform.tfstate").write_text(
        json.dumps({"backend": {"type": "gcs", "config": {"bucket": "acme-states"}}})
    )
    clinic.terraform_bucket("acme-states")
    assert clinic.checks("ok")["bucket acme-states"]["said"] == "for the state of infra/, with versions"
    bucket = platform.storage(clinic.project).get_bucket("acme-states")
    bucket.versioning_enabled = False
    bucket.patch()
    found = clinic.checks("missing")["bucket acme-states"]
    assert found["mend"] == "gcloud storage buckets update gs://acme-states --versioning"


def test_builds_are_a_choice_and_a_half_made_one_is_a_miss(clinic: Clinic) -> None:
    assert clinic.checks("ok")["triggers"]["said"].startswith("none: Cloud Build applies nothing")
    clinic.triggers(disabled=True)
    clinic.standin.set(connection_stage="PENDING_INSTALL_APP")
    lacking = clinic.checks("missing")
    assert lacking["triggers"]["said"] == "disabled: mlspec-apply, mlspec-plan"
    assert lacking["connection"]["said"] == "Install the Cloud Build app."
    assert lacking["connection"]["mend"] == "open https://github.com/apps/google-cloud-build"


def test_a_schedule_is_a_choice_and_a_paused_or_refused_one_is_a_miss(clinic: Clinic) -> None:
    assert clinic.checks("ok")["schedule"]["said"].startswith("none (`reconcile_schedule`)")
    clinic.schedule()
    assert clinic.checks("ok")["schedule"]["said"] == "*/30 * * * * (Etc/UTC)"
    clinic.standin.set(schedule_code=7)
    assert clinic.checks("missing")["schedule"]["said"] == "its last attempt failed: code 7"
    clinic.ask("POST", f"cloudscheduler.googleapis.com/v1/{clinic.place}/jobs/mlspec-reconcile:pause")
    mend = clinic.checks("missing")["schedule"]["mend"]
    assert mend == f"gcloud scheduler jobs resume mlspec-reconcile --location={REGION} --project=acme-test"


def test_a_loop_that_failed_is_a_miss_with_the_way_to_look(clinic: Clinic) -> None:
    platform.loop(clinic.project)
    clinic.execution("raise SystemExit(1)")
    found = clinic.checks("missing")["last execution"]
    assert found["said"].endswith(" failed")
    assert found["mend"].startswith("mlspec status --target dev && gcloud run jobs execute mlspec-reconcile ")
    clinic.execution()
    assert clinic.checks("ok")["last execution"]["said"].endswith(" succeeded")


def test_a_network_without_a_way_to_google_is_a_miss(clinic: Clinic) -> None:
    assert clinic.checks("missing")["network"]["mend"] == "terraform -chdir=infra apply"
    clinic.subnetwork(private_access=False)
    platform.loop(clinic.project, subnetwork=clinic.subnet)
    wanted = (
        f"gcloud compute networks subnets update mlspec-{REGION} --enable-private-ip-google-access --region={REGION}"
    )
    assert clinic.checks("missing")["network"]["mend"] == f"{wanted} --project=acme-test"


def test_a_subscription_that_pushes_to_nobody_is_a_miss(clinic: Clinic) -> None:
    clinic.topics()
    clinic.subscription(endpoint="")
    found = clinic.checks("missing")["subscription mlspec-alerts-push"]
    assert (found["said"], found["mend"]) == ("it pushes to nobody", "terraform -chdir=infra apply")


def test_a_channel_that_forwards_nothing_is_a_miss(clinic: Clinic) -> None:
    """Only mlspec's own channels count."""
    clinic.everything()
    clinic.channel(userLabels={}, enabled=False)
    assert "notification channels" not in clinic.checks("missing")
    phone = {"type": "sms", "labels": {"number": "+5511999999999"}, "displayName": "on call"}
    clinic.channel(**phone)
    assert clinic.checks("missing")["notification channels"]["said"].startswith("'on call' has not been verified")
    name = clinic.channel(type="email", labels={"email_address": "a@example.com"}, displayName="Ana")
    clinic.ask("PATCH", f"monitoring.googleapis.com/v3/{name}", enabled=False)
    lacking = clinic.checks("missing")["notification channels"]
    assert lacking["said"] == "'Ana' is disabled"
    assert lacking["mend"] == f"gcloud beta monitoring channels update {name} --enabled"


def test_alerts_that_no_channel_sends_to_the_function_are_a_miss(clinic: Clinic) -> None:
    clinic.everything()
    (name,) = clinic.channels()
    clinic.ask("PATCH", f"monitoring.googleapis.com/v3/{name}", labels={"topic": "projects/acme-test/topics/other"})
    lacking = clinic.checks("missing")["notification channels"]
    assert lacking["said"] == "none leads to projects/acme-test/topics/mlspec-alerts"
    assert lacking["mend"] == "terraform -chdir=infra apply"


def test_a_refused_question_is_not_a_miss(clinic: Clinic) -> None:
    clinic.standin.fault("serviceusage.services.list", code=403, count=9)
    clinic.standin.fault("GetCryptoKey$", code="PERMISSION_DENIED", count=9)
    code, said = clinic.run()
    assert (code, "Traceback" in said) == (3, False)
    clinic.standin.fault("consumerQuotaMetrics", code=404, count=9)
    unsure = clinic.checks("unknown")
    assert {"all", "key mlspec", "4 vCPU for a step", "16 GiB for a step"} == set(unsure), unsure
    assert "(403)" in unsure["key mlspec"]["said"]


def test_a_bucket_elsewhere_and_one_without_versions_are_named(clinic: Clinic) -> None:
    platform.storage(clinic.project).create_bucket(platform.bucket(clinic.project, "data"), location="US")
    platform.storage(clinic.project).create_bucket(platform.bucket(clinic.project, "state"), location=REGION)
    lacking = clinic.checks("missing")
    assert "it is in US" in lacking["bucket acme-test-mlspec-data"]["said"]
    wanted = "gcloud storage buckets update gs://acme-test-mlspec-state --versioning"
    assert lacking["bucket acme-test-mlspec-state"]["mend"] == wanted


def test_the_image_is_the_loop_s_where_none_is_named(clinic: Clinic) -> None:
    clinic.standin.set(images=[clinic.pushed])
    assert clinic.checks("missing")["image"]["mend"] == "terraform -chdir=infra apply"
    platform.loop(clinic.project, image=FIRST_IMAGE)
    found = clinic.checks("missing")["image"]
    assert found["said"] == "no build has given the loop's job an image yet"
    assert found["mend"].startswith("export TF_VAR_image=$(gcloud artifacts docker images list")
    clients = Clients(clinic.project, REGION)
    LoopJob(clients).set_image(IMAGE)
    clients.close()
    assert clinic.checks("ok")["image"]["said"] == IMAGE.partition("@")[2]


def test_a_function_that_failed_or_runs_another_source_is_a_miss(clinic: Clinic) -> None:
    clinic.buckets()
    ours = own_files()
    assert {"main.py", "mlspec/__init__.py", "mlspec/cli/redeploy.py"} <= ours.keys()
    assert differing_files(b"", ours) == sorted(ours)
    clinic.function({**ours, "main.py": b"", "mlspec/old.py": b""})
    found = clinic.checks("missing")["mlspec-redeploy"]
    assert found["said"] == "it runs another source than this mlspec: main.py and 1 more files differ"
    assert found["mend"] == "scripts/function-archive infra/redeploy.zip && terraform -chdir=infra apply"


def test_a_function_that_is_not_active_is_a_miss(clinic: Clinic) -> None:
    clinic.buckets()
    clinic.function()
    clinic.standin.set(function_state="FAILED")
    assert clinic.checks("missing")["mlspec-redeploy"]["said"] == "it is FAILED"


def test_an_older_airflow_is_a_miss(clinic: Clinic) -> None:
    clinic.composer("composer-3-airflow-2.10.5-build.3")
    found = clinic.checks("missing")["Composer"]
    assert "older than Airflow 3.1.7" in found["said"]
    assert found["mend"] == f"gcloud composer environments list-upgrades mlspec --location={REGION} --project=acme-test"


def test_without_credentials_the_login_is_what_is_missing(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("HOME", str(clinic.root))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    code, said = clinic.run()
    assert code == 3
    assert "missing      login" in said
    assert "> gcloud auth application-default login" in said
    assert "Traceback" not in said


def test_without_a_network_nothing_can_be_told(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    code, said = clinic.run()
    assert code == 3
    assert "cannot tell  login: cannot sign in to Google Cloud: Google cannot be reached" in said
    assert "Traceback" not in said


def test_a_limit_in_the_region_goes_before_one_for_all() -> None:
    def metric(*buckets: dict[str, Any]) -> dict[str, Any]:
        return {"consumerQuotaLimits": [{"quotaBuckets": list(buckets)}]}

    here, everywhere = {"effectiveLimit": "9", "dimensions": {"region": REGION}}, {"effectiveLimit": "3"}
    other = {"effectiveLimit": "1", "dimensions": {"region": "us-east1"}}
    assert limit_of(metric(everywhere, here, other), REGION) == 9
    assert limit_of(metric(everywhere, other), REGION) == 3
    assert limit_of(metric({"effectiveLimit": "-1"}, everywhere), REGION) == 3
    assert limit_of(metric({"effectiveLimit": "-1"}), REGION) == -1
    assert limit_of(metric(other), REGION) is None


def test_the_airflow_of_an_image_is_read_from_its_name() -> None:
    assert airflow_version("composer-3-airflow-3.2.2-build.1") == (3, 2, 2)
    assert airflow_version("composer-3-airflow-3") == (3,)
    assert airflow_version("") == ()
