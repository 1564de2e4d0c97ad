"""Runs terraform on rendered files: reads what it would do, holding no lock, and does just that; or takes down what it made.

terraform sees an allow-listed environment: where it finds programs and settings, Google's credentials, and the variables of the
rendered files. Nothing of its output is shown but its own errors, because a plan may hold what must not be shown.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from mlspec.errors import TargetError
from mlspec.state.resource import Json

_KEPT = (
    "PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "TF_REATTACH_PROVIDERS", "TF_VAR_image",
)  # fmt: skip
_KEPT_PREFIXES = ("GOOGLE_", "CLOUDSDK_")
_SET = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
_PLAN = "plan.tfplan"
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_IMAGE = (
    f"none@sha256:{'0' * 64}"  # where there is no job any more: the variable has to be given, and nothing is made of it
)
_INSTALL = (
    "install terraform 1.9 or newer (https://developer.hashicorp.com/terraform/install), or look at mlspec render"
)


def find_terraform() -> str:
    """Return terraform's path. Raises TargetError, saying how to get it, where there is none."""
    found = shutil.which("terraform")
    if found is None:
        raise TargetError("terraform is not installed, and the infrastructure is planned with it", hint=_INSTALL)
    return found


@dataclass(frozen=True, slots=True)
class Terraform:
    """terraform, with what it may see of the environment."""

    environment: Mapping[str, str]

    def plan(self, folder: Path) -> Mapping[str, Json]:
        """Return terraform's plan for a folder of rendered files, as `terraform show -json` says it, and keep it there.

        Raises TargetError with terraform's own words where it cannot plan.
        """
        if not self.environment.get("TF_VAR_image") and (folder / "job.tf").is_file():
            raise TargetError(
                "the image of the pipeline's steps is not named",
                hint="export TF_VAR_image=REGION-docker.pkg.dev/PROJECT/mlspec/step@sha256:…, as Cloud Build printed it",
            )
        self._run(folder, "init", "-no-color")
        self._run(folder, "plan", "-no-color", "-lock=false", f"-out={_PLAN}")
        value: Mapping[str, Json] = json.loads(self._run(folder, "show", "-json", "-no-color", _PLAN))
        return value

    def apply(self, folder: Path) -> None:
        """Carry out the plan that `plan` kept in the folder; terraform refuses it where its state has moved since."""
        self._run(folder, "apply", "-no-color", "-auto-approve", _PLAN)

    def made(self, folder: Path) -> Mapping[str, Json]:
        """Return the folder's state, as `terraform show -json` says it. Raises TargetError where it cannot be read."""
        self._run(folder, "init", "-no-color")
        value: Mapping[str, Json] = json.loads(self._run(folder, "show", "-json", "-no-color"))
        return value

    def destroy(self, folder: Path, held: Sequence[str], image: str | None) -> None:
        """Destroy all that the folder's state holds; first, protection is taken off `held`, and nothing else is changed.

        `image` is what the job keeps until then. Run again after an end part-way, it goes on from there.
        """
        said = {"TF_VAR_protect": "false", "TF_VAR_image": image or _NO_IMAGE}
        if held:
            chosen = (f"-target={address}" for address in held)
            self._run(folder, "apply", "-no-color", "-auto-approve", *chosen, said=said)
        self._run(folder, "destroy", "-no-color", "-auto-approve", said=said)

    def _run(self, folder: Path, *words: str, said: Mapping[str, str] = _NOTHING) -> str:
        # In a session of its own: a Ctrl-C reaches us, and we ask terraform once to end. Asked twice it would drop its state.
        with subprocess.Popen(
            [find_terraform(), *words], cwd=folder, env={**self.environment, **said}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True,
        ) as process:  # fmt: skip
            try:
                out, wrong = process.communicate()
            except BaseException:
                process.send_signal(signal.SIGINT)
                process.communicate()
                raise
        if process.returncode != 0:
            raise TargetError(
                f"terraform {words[0]} failed for {folder.name}:\n{_error(wrong)}", hint=_hint(wrong, folder.name)
            )
        return out


def allowed(environment: Mapping[str, str], cache: Path | None) -> dict[str, str]:
    """Return what terraform may see. Providers are kept in `cache`, so that a hundred forecasts load one once."""
    kept = {key: value for key, value in environment.items() if key in _KEPT or key.startswith(_KEPT_PREFIXES)}
    return {**({"TF_PLUGIN_CACHE_DIR": str(cache)} if cache else {}), **kept, **_SET}


def allowed_here() -> dict[str, str]:
    """Return what terraform may see of this process's environment."""
    return allowed(os.environ, cache_folder())


# What terraform says, and what helps; it is terraform's own words that are read, so nothing here decides anything.
_HELPS = (
    ("could not find default credentials", "sign in: gcloud auth application-default login"),
    ("storage: bucket doesn't exist", "apply infra/ first: it makes the bucket that keeps the state"),
    ("Saved plan is stale", "another run changed the state since: run the same command again"),
)
# What a terraform that was killed leaves behind, and only a person can tell from one that still works.
_LOCK = re.compile(r"Error acquiring the state lock.*?^\W*ID:\s+(\S+)", re.DOTALL | re.MULTILINE)
_THERE = re.compile(r"Error 409.*?with ([\w.\[\]\"-]+),", re.DOTALL)


def _hint(said: str, name: str) -> str:
    """Return what helps: commands are for the files of `mlspec render --out build`."""
    there = f"mlspec render --target TARGET --out build, terraform -chdir=build/terraform/{name} init"
    if lock := _LOCK.search(said):
        return (
            "another terraform works on this: wait for it, and run the same command again; if it was killed: "
            f"{there}, terraform -chdir=build/terraform/{name} force-unlock {lock[1]}"
        )
    if known := _THERE.search(said):
        return (
            f"it is there, and terraform's state does not know it; if an apply was killed before it could note it: {there}, "
            f"terraform -chdir=build/terraform/{name} import {known[1]} ID (the provider's page of the resource says which ID)"
        )
    found = (hint for words, hint in _HELPS if words in said)
    return next(found, "mlspec render writes the same files, for you to run terraform on")


def _error(text: str) -> str:
    """Return terraform's first error without its frame."""
    lines = [line.strip("│╷╵ ").rstrip() for line in text.splitlines()]
    said = [line for line in lines if line]
    start = next((index for index, line in enumerate(said) if line.startswith("Error:")), 0)
    return "\n".join(f"  {line}" for line in said[start : start + 12])


def cache_folder() -> Path | None:
    """Return the folder for providers, made, below the user's cache; None where it cannot be: then each forecast loads its own."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlspec" / "terraform"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder
