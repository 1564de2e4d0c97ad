"""Tools that some tests need and pip does not install beside the project: where they are, and what is said where they are not.

On a laptop a test whose tool is missing is skipped with a sentence that says how to get it; where MLSPEC_TOOLS is `required`, as in
CI, it fails.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

# What gets each tool. Those in environments of their own are made by scripts/tools.
HINTS = {
    "terraform": "install terraform 1.9 or newer: https://developer.hashicorp.com/terraform/install",
    "airflow": "run scripts/tools",
    "airflow-oldest": "run scripts/tools",
    "checkov": "run scripts/tools",
    "hadolint": "run scripts/tools",
    "zizmor": "run scripts/tools",
    "postgres": "apt-get install postgresql",
    "chromium": "apt-get install chromium",
    "jq": "apt-get install jq",
    "pre-commit": "run scripts/tools",
    "pubsub-emulator": "apt-get install google-cloud-cli-pubsub-emulator, and Java 17 (cloud.google.com/pubsub/docs/emulator)",
}
# What may not be on the PATH: where its files stand.
FILES = {
    "pubsub-emulator": "/usr/lib/google-cloud-sdk/platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
    "postgres": "/usr/lib/postgresql/*/bin/postgres",  # Debian keeps it off the PATH
}
# Where a tool's environment has another name than its program.
PROGRAMS = {"airflow-oldest": "airflow"}
FOLDER = Path(os.environ.get("MLSPEC_TOOLS_DIR", Path(__file__).parent.parent / ".tools"))


def needs(tool: str) -> str:
    """Return the path of a tool; skips the test, or fails it in CI, where there is none."""
    own = FOLDER / tool / "bin" / PROGRAMS.get(tool, tool)
    found = str(own) if own.is_file() else _file(tool) or shutil.which(tool)
    if found is None:
        said = f"this test needs {tool}: {HINTS[tool]}"
        if os.environ.get("MLSPEC_TOOLS") == "required":
            pytest.fail(said)
        pytest.skip(said)
    return found


def needs_linux(what: str) -> None:
    """Skip a test that needs something of Linux's, or fail it in CI, where the system is another."""
    if sys.platform == "linux":
        return
    said = f"this test needs Linux: {what}"
    if os.environ.get("MLSPEC_TOOLS") == "required":
        pytest.fail(said)
    pytest.skip(said)


def _file(tool: str) -> str | None:
    pattern = FILES.get(tool)
    return next((str(path) for path in sorted(Path("/").glob(pattern[1:]))), None) if pattern else None
