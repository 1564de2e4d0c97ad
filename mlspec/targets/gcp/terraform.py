"""Runs terraform on rendered files, and reads what it would do. Writes nothing but a folder of its own, and holds no lock.

terraform sees an allow-listed environment: where it finds programs and settings, Google's credentials, and the variables of the
rendered files. Nothing of its output is shown but its own errors, because a plan may hold what must not be shown.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mlspec.errors import TargetError
from mlspec.state.resource import Json

_KEPT = (
    "PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "TF_REATTACH_PROVIDERS", "TF_VAR_image",
)  # fmt: skip
_KEPT_PREFIXES = ("GOOGLE_", "CLOUDSDK_")
_SET = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
_TIMEOUT = 1800
_INSTALL = (
    "install terraform 1.9 or newer (https://developer.hashicorp.com/terraform/install), or look at mlspec render"
)


def find_terraform() -> str:
    """Return terraform's path. Raises TargetError, saying how to get it, where there is none."""
    found = shutil.which("terraform")
    if found is None:
        raise TargetError("terraform is not installed, and the infrastructure is planned with it", hint=_INSTALL)
    return found


def plan(folder: Path, environment: Mapping[str, str]) -> Mapping[str, Json]:
    """Return terraform's plan for a folder of rendered files, as `terraform show -json` says it.

    Raises TargetError with terraform's own words where it cannot plan.
    """
    if not environment.get("TF_VAR_image") and (folder / "job.tf").is_file():
        raise TargetError(
            "the image of the pipeline's steps is not named",
            hint="export TF_VAR_image=REGION-docker.pkg.dev/PROJECT/mlspec/step@sha256:…, as Cloud Build printed it",
        )
    _run(
        folder,
        environment,
        "init",
        "-no-color",
        "-lockfile=readonly" if (folder / ".terraform.lock.hcl").is_file() else "",
    )
    _run(folder, environment, "plan", "-no-color", "-lock=false", "-out=plan.tfplan")
    value: Mapping[str, Json] = json.loads(_run(folder, environment, "show", "-json", "-no-color", "plan.tfplan"))
    return value


def allowed(environment: Mapping[str, str], cache: Path) -> dict[str, str]:
    """Return what terraform may see. Providers are kept in `cache`: a hundred forecasts load one once."""
    kept = {key: value for key, value in environment.items() if key in _KEPT or key.startswith(_KEPT_PREFIXES)}
    return {"TF_PLUGIN_CACHE_DIR": str(cache), **kept, **_SET}


def allowed_here() -> dict[str, str]:
    """Return what terraform may see of this process's environment."""
    return allowed(os.environ, cache_folder())


def _run(folder: Path, environment: Mapping[str, str], *words: str) -> str:
    argv = [find_terraform(), *(word for word in words if word)]
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env=dict(environment),
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise TargetError(f"terraform {words[0]} did not end in {_TIMEOUT // 60} minutes", hint="try again") from None
    if done.returncode != 0:
        raise TargetError(
            f"terraform {words[0]} failed for {folder.name}:\n{_error(done.stderr)}",
            hint="mlspec render writes the same files, for you to run terraform on",
        )
    return done.stdout


def _error(text: str) -> str:
    """Return terraform's first error without its frame."""
    lines = [line.strip("│╷╵ ").rstrip() for line in text.splitlines()]
    said = [line for line in lines if line]
    start = next((index for index, line in enumerate(said) if line.startswith("Error:")), 0)
    return "\n".join(f"  {line}" for line in said[start : start + 12])


def cache_folder() -> Path:
    """Return the folder for providers, made: below the user's cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "mlspec" / "terraform"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
