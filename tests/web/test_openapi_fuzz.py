"""What the OpenAPI document allows and forbids is asked: no answer is an error of the server, and each is the document's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(__file__).with_name("openapi_cases.py")


def test_every_answer_is_one_of_the_document() -> None:
    """In a process of its own: schemathesis makes its cases while tests are collected, in every process that collects them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "schemathesis.pytest.plugin",
        str(CASES),
    ]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
