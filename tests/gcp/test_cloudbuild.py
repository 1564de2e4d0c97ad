"""A project of `mlspec init` on Cloud Build: its own cloudbuild.yaml, step by step, to a served forecast, without a hand.

Each step's shell runs as Cloud Build would run it. Terraform and mlspec are real, Google is the stand-ins, and there are no
containers: `docker`, `pip` and `apt-get` are the programs of tests/ci.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlspec.cli import main as front
from mlspec.spec.gcp.resource_names import derived_names
from tests.examples import sales
from tests.gcp import platform
from tests.gcp.standin.harness import ROOT, Running
from tests.gcp.unused_grants import UNUSED_BY_BUILDS, unused
from tests.terraform.harness import ProviderProcess
from tests.terraform.provider.cloud import Cloud
from tests.tools import needs

pytestmark = pytest.mark.no_cover  # its commands are processes; other tests go each part of them

ACCOUNTS = {"apply": "build", "plan": "plan"}  # of each trigger
FIRST_IMAGE = "us-docker.pkg.dev/cloudrun/container/job@sha256:" + "8" * 64
SOURCE = "mlspec-forecast[forecast,gcp] @ git+https://example.com/mlspec.git@0123abc"


class CloudBuild:
    """What Cloud Build does with a commit of a repository, as one of the triggers of `infra/` asks it to."""

    def __init__(self, root: Path, standin: Running, folder: Path, reattach: Callable[[str], str]) -> None:
        self.root, self._standin, self._folder, self._reattach = root, standin, folder, reattach
        self._programs = folder / "programs"
        self._programs.mkdir()
        for name in ("docker", "pip", "apt-get"):
            (self._programs / name).symlink_to(ROOT / "tests" / "ci" / name)
        (folder / "images").mkdir()

    def run(self, commit: str, name: str) -> subprocess.CompletedProcess[str]:
        """Carry out the steps of a commit's cloudbuild.yaml for a trigger, in a new workspace, up to the first that fails."""
        asked = trigger(name)
        email = f"mlspec-{ACCOUNTS[name]}@{self._standin.project}.iam.gserviceaccount.com"
        workspace = self._folder / f"workspace-{len(list(self._folder.iterdir()))}"
        subprocess.run(["git", "clone", "-q", "--depth=1", self.root.as_uri(), str(workspace)], check=True)
        build: dict[str, Any] = yaml.safe_load((workspace / "cloudbuild.yaml").read_text())
        assert set(asked) <= set(build["substitutions"])  # Cloud Build refuses others
        given = {
            **build["substitutions"], **asked, "PROJECT_ID": self._standin.project, "COMMIT_SHA": commit, "BUILD_ID": "b",
        }  # fmt: skip
        said = ""
        for step in build["steps"]:
            done = self._step(step, given, workspace, email)
            said += done.stdout + done.stderr
            if done.returncode:
                break
        return subprocess.CompletedProcess(step["id"], done.returncode, said)

    def _step(
        self, step: dict[str, Any], given: dict[str, str], workspace: Path, email: str
    ) -> subprocess.CompletedProcess[str]:
        def substituted(match: re.Match[str]) -> str:
            return "$" if match[0] == "$$" else given[match[1] or match[2]]

        def placed(text: str) -> str:
            own = re.sub(r"\$\$|\$\{([A-Z_]+)\}|\$([A-Z_]+)", substituted, text)
            return own.replace("/workspace", str(workspace)).replace("/bin/terraform", needs("terraform"))

        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("TF_VAR_", "MLSPEC_", "GIT_"))},
            "PATH": f"{self._programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "MLSPEC_TEST_DOCKER": str(self._folder / "images"), "MLSPEC_TEST_ADMIN": self._standin.admin,
            "GOOGLE_APPLICATION_CREDENTIALS": self._standin.account(email), "TF_REATTACH_PROVIDERS": self._reattach(email),
        }  # fmt: skip
        return subprocess.run(
            [step["entrypoint"], *map(placed, step["args"])], cwd=workspace, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip


def trigger(name: str) -> dict[str, str]:
    """The substitutions of a trigger, as infra/build.tf has them."""
    text = (ROOT / "infra" / "build.tf").read_text()
    assert "substitutions = { _TARGET = var.target, _REGION = var.region }" in text
    (body,) = re.findall(rf'"google_cloudbuild_trigger" "{name}" \{{(.*?)^\}}', text, re.DOTALL | re.MULTILINE)
    own = dict(re.findall(r'substitutions += merge\(local\.substitutions, \{ (_\w+) = "(\w+)" \}\)', body))
    assert own or re.search(r"substitutions = local\.substitutions$", body, re.MULTILINE)
    assert f"service_account = google_service_account.{ACCOUNTS[name]}.id" in re.sub(" +", " ", body)
    return {"_TARGET": "prod", "_REGION": platform.REGION, **own}


@pytest.fixture
def shop(tmp_path: Path, standin: Running, terraform_too: Cloud, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that `mlspec init` started for a data file, for a platform on which nothing was built yet."""
    platform.buckets(standin.project)
    platform.loop(standin.project, image=FIRST_IMAGE)
    root = tmp_path / "shop"
    (root / "data").mkdir(parents=True)
    (root / "data" / "sales.csv").write_text(sales())
    words = ["--name", "demand", "--series", "shop", "--target", "units", "--package", SOURCE, "--ci", "cloudbuild"]
    assert front.run(["init", str(root), "--from", str(root / "data" / "sales.csv"), *words]) == 0
    spec = root / "specs" / "demand.yaml"
    spec.write_text(re.sub("candidates: auto", "candidates: [{kind: seasonal-naive, season: 7}]", spec.read_text()))
    with (root / "mlspec.yaml").open("a") as file:
        file.write(f"targets: {{prod: {{type: gcp, project: {standin.project}, region: {platform.REGION}}}}}\n")
    commit(root, "init", "-q", "-b", "main")
    return root


def commit(root: Path, *before: str) -> str:
    """Commit all that is in a folder."""
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (list(before), ["add", "."], ["commit", "-q", "--allow-empty", "-m", "more"]):
        if words:
            subprocess.run([*git, *words], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_a_project_of_init_is_planned_on_a_pull_request_and_served_after_a_commit_on_main(
    shop: Path, standin: Running, joined_process: ProviderProcess, cloud: Cloud, tmp_path: Path
) -> None:
    (tmp_path / "cloudbuild").mkdir()
    acting_as = partial(joined_process.open, cloud.folder)
    builds, first = CloudBuild(shop, standin, tmp_path / "cloudbuild", acting_as), commit(shop)
    before = standin.counted(mutating=True)
    planned = builds.run(first, "plan")
    assert planned.returncode == 0, planned.stdout
    assert re.search(r"^Plan: \d+ to create", planned.stdout, re.MULTILINE)
    assert standin.counted(mutating=True) == before  # no empty state of Terraform's either: its account may only read
    applied = builds.run(first, "apply")
    assert applied.returncode == 0, applied.stdout
    (container,) = loop(standin).template.template.containers
    assert re.fullmatch(
        rf"{platform.REGION}-docker\.pkg\.dev/acme-test/mlspec/step@sha256:[0-9a-f]{{64}}", container.image
    )
    ((execution,), (version,)) = finished(standin), platform.models_of(standin.project)
    assert execution.template.containers[0].image == version.container_spec.image_uri == container.image
    assert step_job(standin).template.template.containers[0].image == container.image
    table = platform.table(standin.project, "demand")
    rows = platform.bigquery(standin.project).query(
        f"SELECT DISTINCT version FROM `{table}` WHERE cutoff > '2000-01-01'"
    )
    (served,) = [row["version"] for row in rows.result()]
    assert served in version.version_aliases
    assert standin.denied() == []
    assert sorted(_unused_by_builds(standin) ^ set(UNUSED_BY_BUILDS)) == []


def _unused_by_builds(standin: Running) -> set[str]:
    """Grants to the accounts of builds that allowed no call."""
    return {
        each for each in unused(standin.grants(), standin.project) if each.startswith(("mlspec-build", "mlspec-plan"))
    }


def loop(standin: Running) -> Any:
    from google.cloud import run_v2

    return run_v2.JobsClient().get_job(name=f"{platform.place(standin.project)}/jobs/mlspec-reconcile")


def step_job(standin: Running) -> Any:
    from google.cloud import run_v2

    return run_v2.JobsClient().get_job(
        name=f"{platform.place(standin.project)}/jobs/{derived_names('demand')['Cloud Run job']}"
    )


def finished(standin: Running) -> list[Any]:
    """The loop's executions, each of which has ended well."""
    from mlspec.targets.gcp.clients import Clients
    from mlspec.targets.gcp.jobs.cloud_run import JobExecutions
    from mlspec.targets.gcp.retry import poll_until

    found = platform.executions(standin.project, "mlspec-reconcile")
    clients = Clients(standin.project, platform.REGION)
    for execution in found:
        assert poll_until(partial(JobExecutions(clients, "mlspec-reconcile").is_over, execution.name), bool, 120)
    clients.close()
    ended = platform.executions(standin.project, "mlspec-reconcile")
    assert all(execution.succeeded_count == 1 for execution in ended), "\n".join(standin.outputs())
    return ended
