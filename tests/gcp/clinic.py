"""A team's project on Google Cloud for `mlspec doctor`: empty at first, and each thing that a person does to mend it."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import google.auth
import pytest
from google.auth.transport.requests import AuthorizedSession

from mlspec.cli import main as front
from mlspec.targets.gcp.doctor.function import own_files
from tests.examples import project, spec_text
from tests.gcp import platform, platform_grants
from tests.gcp.acme import IMAGE
from tests.gcp.platform import REGION
from tests.gcp.standin.harness import Running
from tests.gcp.standin.iam.policies import Grant

PLANTED = "planted-9f3c1e77-do-not-show"
NOTIFY = "notify:\n  - {pubsub: demand-alerts, severity: warning}\n  - {webhook: {secret: demand-oncall-url}, severity: critical}\n"
NUMBER = "123456789012"
AGENTS = {
    "aiplatform": "gcp-sa-aiplatform", "artifactregistry": "gcp-sa-artifactregistry", "cloudfunctions": "gcf-admin-robot",
    "cloudscheduler": "gcp-sa-cloudscheduler", "composer": "cloudcomposer-accounts", "run": "serverless-robot-prod",
}  # fmt: skip
ACCOUNTS = ("dag", "redeploy", "reconcile", "build", "plan", "fbuild", "tick", "push")
FIRST_IMAGE = "us-docker.pkg.dev/cloudrun/container/job@sha256:" + "8" * 64


class Clinic:
    """An empty project of a team, and what a person does to mend it."""

    def __init__(self, standin: Running, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.standin, self.project, self.place = standin, standin.project, platform.place(standin.project)
        self._capsys = capsys
        data = f"gs://{platform.bucket(self.project, 'data')}/demand/*.csv"
        self.root = project(folder / "acme", demand=spec_text().replace("data/sales.csv", data) + NOTIFY)
        target = f"{{type: gcp, project: {self.project}, region: {REGION}}}"
        (self.root / "mlspec.yaml").write_text(
            f"apiVersion: mlspec/v1\nkind: Project\nname: acme\ntargets: {{dev: {target}}}\n"
        )

    @property
    def pushed(self) -> str:
        """The name of the forecasts' image in its registry."""
        return f"{self.place}/repositories/mlspec/dockerImages/step@{IMAGE.partition('@')[2]}"

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
        for role in ("data", "models", "state", "dags", "source"):
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

    def function(self, files: dict[str, bytes] | None = None) -> None:
        """Deploy the redeploy function from an archive of these files; of this mlspec's, if left out."""
        from google.cloud import functions_v2

        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            for name, content in {**(own_files() if files is None else files), "requirements.txt": b""}.items():
                archive.writestr(name, content)
        bucket = platform.storage(self.project).bucket(platform.bucket(self.project, "source"))
        bucket.blob("redeploy.zip").upload_from_string(held.getvalue())
        source = {"storage_source": {"bucket": bucket.name, "object_": "redeploy.zip"}}
        name = f"{self.place}/functions/mlspec-redeploy"
        given = {"name": name, "build_config": {"source": source}}
        client = functions_v2.FunctionServiceClient()
        client.create_function(parent=self.place, function=given, function_id="mlspec-redeploy").result()

    def ask(self, method: str, url: str, **body: Any) -> Any:
        """Return the answer of an API of Google's that mlspec has no client of."""
        credentials, _ = google.auth.default(["https://www.googleapis.com/auth/cloud-platform"])
        with AuthorizedSession(credentials) as session:
            answer = session.request(method, f"https://{url}", json=body)
            assert answer.ok, answer.text
            return answer.json()

    def terraform_bucket(self, name: str = "acme-test-terraform") -> None:
        made = platform.storage(self.project).bucket(name)
        made.versioning_enabled = True
        made.create(location=REGION)

    def accounts(self) -> None:
        for name in ACCOUNTS:
            self.ask(
                "POST", f"iam.googleapis.com/v1/projects/{self.project}/serviceAccounts", accountId=f"mlspec-{name}"
            )

    def identities(self) -> None:
        """The platform's accounts and roles, and the roles of Google's agents."""
        self.accounts()
        platform_grants.apply(self.standin, self.project, REGION)
        agents = {f"roles/{api}.serviceAgent": f"service-{NUMBER}@{host}" for api, host in AGENTS.items()}
        where = f"projects/{self.project}"
        self.standin.allow(
            {},
            [Grant(where, role, f"serviceAccount:{name}.iam.gserviceaccount.com") for role, name in agents.items()],
        )

    @property
    def subnet(self) -> str:
        """The full name of the jobs' subnetwork."""
        return f"projects/{self.project}/regions/{REGION}/subnetworks/mlspec-{REGION}"

    def subnetwork(self, *, private_access: bool = True) -> None:
        parent, _, name = self.subnet.rpartition("/")
        given = {"network": f"projects/{self.project}/global/networks/mlspec", "ipCidrRange": "10.31.0.0/22"}
        self.ask(
            "POST",
            f"compute.googleapis.com/compute/v1/{parent}",
            name=name,
            privateIpGoogleAccess=private_access,
            **given,
        )

    def topics(self) -> None:
        for name in ("mlspec-alerts", "demand-alerts"):
            self.ask("PUT", f"pubsub.googleapis.com/v1/projects/{self.project}/topics/{name}")

    def subscription(self, endpoint: str = "https://mlspec-redeploy.example.com") -> None:
        self.ask(
            "PUT",
            f"pubsub.googleapis.com/v1/projects/{self.project}/subscriptions/mlspec-alerts-push",
            topic=f"projects/{self.project}/topics/mlspec-alerts",
            **({"pushConfig": {"pushEndpoint": endpoint}} if endpoint else {}),
        )

    def channel(self, **said: Any) -> str:
        """Make a notification channel, as `infra/` does for the platform's topic, and return its name."""
        labels = {"topic": f"projects/{self.project}/topics/mlspec-alerts"}
        given = {
            "type": "pubsub",
            "labels": labels,
            "displayName": "mlspec-alerts",
            "userLabels": {"managed-by": "mlspec"},
        }
        url = f"monitoring.googleapis.com/v3/projects/{self.project}/notificationChannels"
        return str(self.ask("POST", url, **{**given, **said})["name"])

    def channels(self) -> list[str]:
        """The names of the notification channels."""
        found = self.ask("GET", f"monitoring.googleapis.com/v3/projects/{self.project}/notificationChannels")
        return [channel["name"] for channel in found["notificationChannels"]]

    def triggers(self, *, disabled: bool = False) -> None:
        connection = f"{self.place}/connections/mlspec-github"
        self.ask(
            "POST", f"cloudbuild.googleapis.com/v2/{self.place}/connections?connectionId=mlspec-github", githubConfig={}
        )
        for name in ("mlspec-apply", "mlspec-plan"):
            self.ask(
                "POST",
                f"cloudbuild.googleapis.com/v1/{self.place}/triggers?projectId={self.project}",
                name=name,
                disabled=disabled,
                repositoryEventConfig={"repository": f"{connection}/repositories/mlspec-specs"},
            )

    def schedule(self) -> None:
        self.ask(
            "POST",
            f"cloudscheduler.googleapis.com/v1/{self.place}/jobs",
            name=f"{self.place}/jobs/mlspec-reconcile",
            schedule="*/30 * * * *",
            timeZone="Etc/UTC",
            httpTarget={"uri": f"https://run.googleapis.com/v2/{self.place}/jobs/mlspec-reconcile:run"},
        )

    def platform(self) -> None:
        """What applying `infra/` makes."""
        self.identities()
        self.buckets()
        self.key()
        self.composer()
        self.topics()
        self.subscription()
        self.channel()
        self.function()
        self.subnetwork()
        platform.loop(self.project, image=FIRST_IMAGE, subnetwork=self.subnet)

    def everything(self) -> None:
        """All steps of a first run, those that are a choice too."""
        for make in (self.terraform_bucket, self.platform, self.key_version, self.triggers, self.schedule):
            make()
        for make in (self.data, self.forecast, self.secret, self.execution):
            make()
        self.standin.set(images=[self.pushed])

    def data(self) -> None:
        platform.storage(self.project).bucket(platform.bucket(self.project, "data")).blob(
            "demand/2024.csv"
        ).upload_from_string("x")

    def forecast(self) -> None:
        """What applying the forecast makes."""
        platform.forecast(self.project, "demand", image=IMAGE)
        dags = platform.storage(self.project).bucket(platform.bucket(self.project, "dags"))
        dags.blob("dags/mlspec_demand.py").upload_from_string("")

    def execution(self, code: str = "") -> None:
        """Let the loop's job run once, to its end."""
        from google.cloud import run_v2

        self.standin.hook(".*", [sys.executable, "-c", code])
        run_v2.JobsClient().run_job(name=f"{self.place}/jobs/mlspec-reconcile").exception()

    def secret(self) -> None:
        from google.cloud import secretmanager_v1

        client = secretmanager_v1.SecretManagerServiceClient()
        made = client.create_secret(parent=f"projects/{self.project}", secret_id="demand-oncall-url", secret={})
        client.add_secret_version(parent=made.name, payload={"data": PLANTED.encode()})
