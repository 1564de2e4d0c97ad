"""A team's project on Google Cloud: what Terraform makes, made on the stand-in, and mlspec as a user calls it."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli import main as front
from mlspec.clock import utc_now
from tests.examples import project, sales, spec_text
from tests.gcp import platform, platform_grants
from tests.gcp.platform import REGION
from tests.gcp.standin.harness import Running

PERSON, LOOP = "ana", "mlspec-reconcile"
PRIVATE = "{strategy: all-at-once}, endpoint: {access: private}"
IMAGE = f"{REGION}-docker.pkg.dev/acme-test/mlspec/step@sha256:{'0' * 64}"


class Acme:
    """One project with one target, `dev`; its forecast `demand` reads gs://acme-test-mlspec-data/demand/*.csv."""

    def __init__(self, standin: Running, folder: Path) -> None:
        self.standin, self.project, self.place = standin, standin.project, platform.place(standin.project)
        platform.buckets(self.project)
        platform.forecast(self.project, "demand", image=IMAGE)
        text = spec_text().replace("data/sales.csv", f"gs://{platform.bucket(self.project, 'data')}/demand/*.csv")
        self.root = project(folder / "acme", demand=text)
        target = f"{{type: gcp, project: {self.project}, region: {REGION}}}"
        (self.root / "mlspec.yaml").write_text(
            f"apiVersion: mlspec/v1\nkind: Project\nname: acme\ntargets: {{dev: {target}}}\n"
            "webhooks: {private_networks: [127.0.0.0/8]}\n"
        )
        self.data(sales())
        platform_grants.apply(standin, self.project, REGION)
        standin.allow({}, list(platform_grants.of_person(self.project, self.account(PERSON))))
        self._granted: list[str] = []

    def prepare(self, make: Callable[[Acme], None]) -> None:
        """Let there be what `make` makes of this project, as if it was made now: it is made once a day in a process of tests.

        For tests that come later, the cloud, the project's folder and its cache come back as they were then. Nothing may have been
        done in this project before. Raises ValueError where `make` runs a program in place of a container.
        """
        name = f"{make.__module__}.{make.__qualname__} {utc_now():%Y-%m-%d}"  # what is due depends on the day
        kept = self.standin.folder / "prepared" / name
        places = {"acme": self.root, "cache": Path(os.environ["XDG_CACHE_HOME"])}
        if name in self.standin.prepared:
            self.standin.bring_back(name)
            for role, place in places.items():
                _replace_content(place, kept / role)
            self._granted = self.standin.prepared[name]
            return
        make(self)
        self.standin.keep(name)
        for role, place in places.items():
            shutil.copytree(place, kept / role)
        self.standin.prepared[name] = self._granted

    def account(self, name: str) -> str:
        """The address of one of the platform's accounts, or of a person's."""
        return f"{name}@{self.project}.iam.gserviceaccount.com"

    def grant(self) -> None:
        """Grant what applying the Terraform of the specs as they stand grants."""
        texts = [path.read_text() for path in sorted((self.root / "specs").glob("*.yaml"))]
        if self._granted != texts:
            self._granted = texts
            self.standin.allow({}, list(platform_grants.of_specs(self.project, REGION, texts, self.root)))

    def data(self, text: str | bytes, name: str = "demand/sales.csv") -> None:
        """Let the source hold this."""
        bucket = platform.storage(self.project).bucket(platform.bucket(self.project, "data"))
        bucket.blob(name).upload_from_string(text)

    def say(self, **parts: str) -> None:
        """Commit another spec: each part in place of its own, or added."""
        path = self.root / "specs" / "demand.yaml"
        lines, inside = [], False
        for line in path.read_text().splitlines():
            inside = line.partition(":")[0] in parts or (inside and line.startswith((" ", "-")))
            if not inside:
                lines.append(line)
        path.write_text("\n".join([*lines, *(f"{key}: {text}" for key, text in parts.items()), ""]))

    def online(self, *, rollout: str = "{strategy: all-at-once}") -> None:
        """Let the forecast serve online too: the spec says so, and the endpoint's shell is there."""
        self.serve(rollout=rollout)
        platform.shell(self.project, "demand")

    def serve(self, **parts: str) -> None:
        """Commit another deployment, online too: each part of it as YAML."""
        self.say(deployment=f"{{serve: both, {', '.join(f'{key}: {text}' for key, text in parts.items())}}}")

    def run(self, *words: str, by: str = "") -> int:
        """What a user types, without `mlspec`, on the target: under the loop's account if it is the loop, else under a person's."""
        self.grant()
        with self.standin.acting_as(self.account(by or (LOOP if words[0] == "reconcile" else PERSON))):
            return front.run([*words, "--target", "dev"])

    def asked(self, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
        """What a command answers as JSON."""
        capsys.readouterr()
        self.run(*words, "--output", "json")
        return json.loads(capsys.readouterr().out)

    def endpoint(self) -> Any:
        """The forecast's endpoint as it is."""
        return platform.endpoint(self.project, "demand")

    def traffic(self) -> dict[str, int]:
        """Each version's share at the endpoint, in percent."""
        found = self.endpoint()
        named = {each.id: each.display_name.partition(" ")[0] for each in found.deployed_models}
        return {named[key]: share for key, share in found.traffic_split.items()}

    def versions(self) -> list[Any]:
        """The versions in the model registry."""
        return list(platform.models().list_model_versions(name=f"{self.place}/models/mlspec-demand"))

    def rows(self) -> list[dict[str, Any]]:
        """What everyone else reads of the forecast, in BigQuery."""
        query = f"SELECT * FROM `{platform.table(self.project, 'demand')}` WHERE cutoff > '2000-01-01'"
        return [dict(row) for row in platform.bigquery(self.project).query(query).result()]

    def objects(self, role: str) -> list[str]:
        """The names of a bucket's objects."""
        found = platform.storage(self.project).list_blobs(platform.bucket(self.project, role))
        return sorted(each.name for each in found)

    def changed(self) -> Counter[str]:
        """How often each method that changes something was called so far."""
        return self.standin.counted(mutating=True)

    def containers_run(self, before: str = "") -> None:
        """Let the jobs' containers really run: this checkout's mlspec, in this project, after the Python of `before`."""
        code = f"{before}\nfrom mlspec.__main__ import main; main()"
        self.standin.hook_code(".*", code, cwd=str(self.root))


def _replace_content(folder: Path, source: Path) -> None:
    """Let a folder, in which a process may stand, hold what another one holds and nothing else."""
    for each in folder.iterdir() if folder.exists() else ():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    shutil.copytree(source, folder, dirs_exist_ok=True)


def serve_online(acme: Acme) -> None:
    """Let the forecast serve batch and online after a first pass: see `Acme.prepare`."""
    acme.online()
    assert acme.run("reconcile", "--once") == 0


def serve_privately(acme: Acme) -> None:
    """Let the forecast serve at a private endpoint after a first pass."""
    acme.online(rollout=PRIVATE)
    assert acme.run("reconcile", "--once") == 0
