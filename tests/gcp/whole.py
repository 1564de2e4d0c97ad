"""All of it around one project on Google Cloud, and what a person, a scheduler, Airflow and new sales do with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.airflow.home import Home
from tests.gcp import platform
from tests.gcp.acme import IMAGE
from tests.gcp.function import Function
from tests.gcp.standin.harness import Running
from tests.terraform.provider.cloud import Cloud
from tests.waiting import until

LOOP = "mlspec-reconcile"
PERSON = "ana"  # who applies a forecast from a laptop
LONG = 600.0  # seconds for a pass of the loop, each of whose steps is a process that starts anew
SHOPS = ("north", "south", "east", "west")  # of two halves, by the hash of their names, each has some
GOOD, BAD = "{kind: seasonal-naive, season: 7}", "{kind: seasonal-naive, season: 3}"  # the season has 7 days
ALSO_GOOD = "{kind: seasonal-naive, season: 14}"
CANARY, AT_ONCE = "{strategy: canary, steps: [50, 100], interval: 1s}", "{strategy: all-at-once}"
SPEC = """\
apiVersion: mlspec/v1
kind: Forecast
metadata: {{name: demand}}
dataset:
  source: {{uri: "gs://{data}/demand/*.csv"}}
  time: day
  series: [shop]
  target: units
  frequency: D
model:
  horizon: 2
  candidates: [{model}]
  backtest: {{windows: 2, step: 2}}
  gate: [{{metric: wape, below: 0.9}}]
deployment: {{serve: both, rollout: {rollout}}}
alerts: [{{name: accuracy, metric: wape, above: 0.25, severity: critical}}]
rollback: {{on: [accuracy]}}
notify: [{{webhook: {{secret: ops-hook}}}}]
"""
PROJECT = """\
apiVersion: mlspec/v1
kind: Project
name: acme
targets: {{prod: {{type: gcp, project: {project}, region: {region}}}}}
webhooks: {{private_networks: [127.0.0.0/8]}}
"""


@dataclass(frozen=True)
class Whole:
    """One project on Google Cloud; `folder` holds all that its processes write and say, `cloud` is Terraform's side of it."""

    folder: Path
    standin: Running
    cloud: Cloud
    function: Function
    airflow: Home
    reattach: dict[str, str]
    """How Terraform finds its provider's stand-in, by whom it acts as."""
    project: str = "acme-story"

    @property
    def root(self) -> Path:
        """The project's checkout."""
        return self.folder / "acme"

    def account(self, name: str) -> str:
        """The address of one of the platform's accounts, or of a person's."""
        return account(self.project, name)

    def seen_by(self, name: str) -> dict[str, str]:
        """What the environment of whoever acts as an account says of it."""
        email = self.account(name)
        return {
            "GOOGLE_APPLICATION_CREDENTIALS": self.standin.account(email),
            "TF_REATTACH_PROVIDERS": self.reattach[name],
        }

    @staticmethod
    def terraform_sees() -> dict[str, str]:
        """The environment of a Terraform that a person runs: the one in which this project is."""
        return dict(os.environ)

    def tell_at(self, url: str) -> None:
        """Give the team's secret its value, as a person does: with gcloud, past mlspec and Terraform."""
        from google.cloud import secretmanager_v1

        parent = f"projects/{self.project}/secrets/ops-hook"
        client = secretmanager_v1.SecretManagerServiceClient()
        client.add_secret_version(parent=parent, payload={"data": url.encode()})

    def jobs(self) -> list[Any]:
        """The jobs that there are."""
        from google.cloud import run_v2

        return list(run_v2.JobsClient().list_jobs(parent=platform.place(self.project)))

    def commit(self, model: str, rollout: str) -> None:
        """Commit the spec."""
        (self.root / "specs").mkdir(parents=True, exist_ok=True)
        (self.root / "mlspec.yaml").write_text(PROJECT.format(project=self.project, region=platform.REGION))
        data = platform.bucket(self.project, "data")
        (self.root / "specs" / "demand.yaml").write_text(SPEC.format(data=data, model=model, rollout=rollout))

    def data(self, days: int) -> None:
        """Let sales arrive, up to a day: quiet from Monday to Friday, and a rush at the end of the week."""
        lines = ["shop,day,units"]
        for number, shop in enumerate(SHOPS, 1):
            for day in range(days):
                units = 20 * number + (60 if day % 7 > 4 else 0) + (day * 7919 + number) % 3
                lines.append(f"{shop},{date(2024, 1, 1) + timedelta(days=day)},{units}")
        bucket = platform.storage(self.project).bucket(platform.bucket(self.project, "data"))
        bucket.blob("demand/sales.csv").upload_from_string("\n".join([*lines, ""]))

    def mlspec(self, *words: str, by: str = PERSON) -> subprocess.CompletedProcess[str]:
        """What a person or a build runs, in a process of its own; what it says is kept."""
        argv, env = [sys.executable, "-m", "mlspec", *words, "--target", "prod"], {**os.environ, **self.seen_by(by)}
        done = subprocess.run(argv, cwd=self.root, capture_output=True, text=True, check=False, env=env)
        self._keep(done.stdout + done.stderr)
        return done

    def asked(self, *words: str) -> Any:
        """What a command answers as JSON."""
        return json.loads(self.mlspec(*words, "--output", "json").stdout)

    def dag(self, *words: str) -> dict[str, str]:
        """Let Airflow run the forecast's DAG now, as it stands in Composer's folder; returns each task's state."""
        (text,) = (self.root / "build" / "dags").glob("*.py")
        self.airflow.dags.mkdir(exist_ok=True)
        (self.airflow.dags / text.name).write_bytes(text.read_bytes())
        done = self.airflow.run("dags", "test", "mlspec_demand", *words)
        self._keep(done.stdout + done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr + "\n".join(self.standin.outputs())
        return self.airflow.states("mlspec_demand")

    def scheduler(self) -> None:
        """Start the loop's job with its own words, as Cloud Scheduler does, and wait for it."""
        from google.cloud import run_v2

        name = f"{platform.place(self.project)}/jobs/{LOOP}"
        with self.standin.acting_as(self.account("mlspec-tick")):
            run_v2.JobsClient().run_job(name=name)  # whoever starts it does not wait
        done = until(lambda: next((each for each in self.executions()[:1] if each.completion_time), None), LONG)
        assert done.succeeded_count == 1, "\n".join(self.standin.outputs())

    def executions(self) -> list[Any]:
        """What the loop's job was started for, the newest first."""
        return platform.executions(self.project, LOOP)

    def passes(self) -> list[tuple[list[str], bool]]:
        """What the loop was started with, the newest first, and whether it has ended well."""
        return [(list(each.template.containers[0].args), each.succeeded_count == 1) for each in self.executions()]

    def traffic(self) -> dict[str, int]:
        """Each version's share at the endpoint, in percent."""
        (found,) = platform.endpoints().list_endpoints(parent=platform.place(self.project))
        named = {each.id: each.display_name for each in found.deployed_models}
        return {named[key]: share for key, share in found.traffic_split.items()}

    def status(self) -> Any:
        """What `mlspec status` says of the forecast."""
        return self.asked("status")["forecasts"][0]

    def events(self) -> list[str]:
        """What happened, by reason, the newest first."""
        return [each["reason"] for each in self.asked("history", "demand")["events"]]

    def _keep(self, text: str) -> None:
        with (self.folder / "said.txt").open("a") as file:
            file.write(text)

    def written(self) -> dict[str, bytes]:
        """Every byte that anybody wrote, by place: files, what processes said, every object of every bucket."""
        found = {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        found |= {f"output {number}": text.encode() for number, text in enumerate(self.standin.outputs())}
        client = platform.storage(self.project)
        for bucket in client.list_buckets():
            for blob in client.list_blobs(bucket.name, versions=True):
                found[f"gs://{bucket.name}/{blob.name}#{blob.generation}"] = blob.download_as_bytes()
        return found


def account(project: str, name: str) -> str:
    """Return the address of an account of a project."""
    return f"{name}@{project}.iam.gserviceaccount.com"


def guard() -> str:
    """Where Python finds what keeps a process on this machine."""
    return str(Path(__file__).parent / "guard")


# What every environment of Composer has of its own: the triggerer's connection. And it looks at jobs as often as a test likes.
AS_COMPOSER = {"AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": "google-cloud-platform://", "MLSPEC_POLL": "0.1"}


def composer(cloud: Cloud) -> dict[str, str]:
    """What Terraform says to Airflow's environment."""
    (config,) = cloud.get("google_composer_environment").values["config"]
    found: dict[str, str] = config["software_config"][0]["env_variables"]
    return found


INPUTS = {
    "region": platform.REGION, "target": "prod", "function_archive": "redeploy.zip", "step_image": IMAGE,
    "reconcile_schedule": "*/30 * * * *",
}  # fmt: skip
