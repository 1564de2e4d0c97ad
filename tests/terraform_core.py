"""Terraform's own core, without a provider: what it makes of an expression."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.tools import needs

# Nothing of the user's own settings, no question and no call home.
ENVIRONMENT = {"TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run terraform in a folder."""
    environment = {**os.environ, **ENVIRONMENT}
    argv = [needs("terraform"), *words]
    return subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )


def evaluate(expression: str) -> Any:
    """Return what an expression is to terraform, as JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "main.tf").write_bytes(f'output "x" {{\n  value = {expression}\n}}\n'.encode())
        applied = run("apply", "-auto-approve", "-no-color", folder=folder)
        assert applied.returncode == 0, applied.stdout + applied.stderr
        return json.loads(run("output", "-json", folder=folder).stdout)["x"]["value"]
