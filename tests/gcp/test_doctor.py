"""`mlspec doctor --target dev`: an empty project, each miss mended by what was said, and what cannot be told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google.auth
import pytest
from google.auth.transport.requests import AuthorizedSession

from mlspec.cli import main as front
from mlspec.targets.gcp.doctor.permissions import limit_of
from mlspec.targets.gcp.doctor.resources import airflow_version
from tests.examples import project, spec_text
from tests.gcp import platform
from tests.gcp.acme import IMAGE
from tests.gcp.platform import REGION
from tests.gcp.standin.harness import Running

PLANTED = "planted-9f3c1e77-do-not-show"
NOTIFY = "notify:\n  - {pubsub: demand-alerts, severity: warning}\n  - {webhook: {secret: demand-oncall-url}, severity: critical}\n"
DENIED = ["aiplatform.models.upload", "storage.objects.create"]
CPU = "run.googleapis.com/cpu_allocation"


class Clinic:
    """An empty project of a team, and what a person does to mend it."""

    def __init__(self, standin: Running, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.standin, self.project, self.place = standin, standin.project, platform.place(standin.project)
        self._capsys = capsys
        self.root = project(folder / "acme", demand=spec_text() + NOTIFY)
        target = f"{{type: gcp, project: {self.project}, region: {REGION}}}"
        (self.root / "mlspec.yaml").write_text(
            f"apiVersion: mlspec/v1\nkind: Project\nname: acme\ntargets: {{dev: {target}}}\n"
        )

    def run(self, *words: str) -> tuple[int, str]:
        """The exit code, and all that was printed."""
        self._capsys.readouterr()
        code = front.run(["doctor", "--target", "dev", *words])
        return code, "".join(self._capsys.readouterr())

    def checks(self, status: str) -> dict[str, dict[str, Any]]:
        """What has a status, by name, of what Google Cloud was asked; terraform is this machine's."""
        found = json.loads(self.run("--output", "json")[1])["checks"]
        return {each["name"]: each for each in found if each["status"] == status and each["name"] != "terraform"}

    def buckets(self) -> None:
        for role in ("data", "models", "state", "dags"):
            made = platform.storage(self.project).bucket(platform.bucket(self.project, role))
            made.versioning_enabled = True
            made.create(location=REGION)

    def key(self) -> None:
        from google.cloud import kms_v1

        client = kms_v1.KeyManagementServiceClient()
        ring = client.create_key_ring(parent=self.place, key_ring_id="mlspec", key_ring={}).name
        asked = {"parent": ring, "crypto_key_id": "mlspec", "crypto_key": {}, "skip_initial_version_creation": True}
        client.create_crypto_key(request=asked)

    def key_version(self) -> None:
        from google.cloud import kms_v1

        key = f"{self.place}/keyRings/mlspec/cryptoKeys/mlspec"
        kms_v1.KeyManagementServiceClient().create_crypto_key_version(parent=key, crypto_key_version={})

    def composer(self, version: str = "composer-3-airflow-3.2.2-build.1") -> None:
        from google.cloud.orchestration.airflow import service_v1

        name = f"{self.place}/environments/mlspec"
        config = {
            "dag_gcs_prefix": f"gs://{self.project}-mlspec-dags/dags",
            "software_config": {"image_version": version},
        }
        client = service_v1.EnvironmentsClient()
        given = {"name": name, "state": "RUNNING", "config": config}
        client.create_environment(parent=self.place, environment=given).result()

    def topics(self) -> None:
        credentials, _ = google.auth.default(["https://www.googleapis.com/auth/cloud-platform"])
        with AuthorizedSession(credentials) as session:
            for name in ("mlspec-alerts", "demand-alerts"):
                url = f"https://pubsub.googleapis.com/v1/projects/{self.project}/topics/{name}"
                assert session.put(url, json={}).ok

    def secret(self) -> None:
        from google.cloud import secretmanager_v1

        client = secretmanager_v1.SecretManagerServiceClient()
        made = client.create_secret(parent=f"projects/{self.project}", secret_id="demand-oncall-url", secret={})
        client.add_secret_version(parent=made.name, payload={"data": PLANTED.encode()})


@pytest.fixture
def clinic(
    standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Clinic:
    found = Clinic(standin, tmp_path, capsys)
    monkeypatch.chdir(found.root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MLSPEC_IMAGE", raising=False)
    monkeypatch.delenv("TF_VAR_image", raising=False)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "terraform"
    program.write_text('#!/bin/sh\necho \'{"terraform_version": "1.11.4"}\'\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return found


def pushed(clinic: Clinic) -> str:
    return f"{clinic.place}/repositories/mlspec/dockerImages/step@{IMAGE.partition('@')[2]}"


def test_everything_is_missing_then_mended_one_by_one_then_all_is_well(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.standin.set(
        denied=DENIED, disabled_services=["run.googleapis.com"], quotas={CPU: 2000}, images=[pushed(clinic)]
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
        ("terraform -chdir=infra apply", lambda: (clinic.buckets(), clinic.key(), clinic.composer(), clinic.topics())),
        (
            "export TF_VAR_image=$(gcloud artifacts docker images list",
            lambda: monkeypatch.setenv("TF_VAR_image", IMAGE),
        ),
        ("gcloud secrets versions add demand-oncall-url --data-file=-", clinic.secret),
    ]
    for command, mend in mended:
        assert command in said
        mend()
    lacking = clinic.checks("missing")
    assert set(lacking) == {"key mlspec"}, lacking
    assert lacking["key mlspec"]["mend"].startswith("gcloud kms keys versions create --primary --key=mlspec")
    clinic.key_version()
    code, said = clinic.run()
    assert (code, said.splitlines()[-1]) == (0, "Everything is there.")


def test_nothing_is_changed_and_no_secret_is_read(clinic: Clinic) -> None:
    for make in (clinic.buckets, clinic.key, clinic.composer, clinic.topics, clinic.secret):
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


def test_an_older_airflow_is_a_miss(clinic: Clinic) -> None:
    clinic.composer("composer-3-airflow-2.10.5-build.3")
    found = clinic.checks("missing")["Composer"]
    assert "older than Airflow 3.2" in found["said"]
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
