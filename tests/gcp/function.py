"""The redeploy function as Google runs it: functions-framework in a process of its own, on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.gcp.platform import REGION
from tests.gcp.standin.harness import ROOT
from tests.waiting import free_port, listens, until

SOURCE = ROOT / "infra" / "functions" / "redeploy" / "main.py"


@dataclass(frozen=True)
class Function:
    """Where it is asked, and what it said: Cloud Logging would have each line."""

    address: str
    log: Path

    def said(self, severity: str) -> list[str]:
        """Its messages of one severity."""
        lines = (line for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [found["message"] for found in map(json.loads, lines) if found["severity"] == severity]


@contextmanager
def served(folder: Path, project: str, target: str, environment: Mapping[str, str]) -> Iterator[Function]:
    """Run the function as `infra/function.tf` deploys it; its log goes below `folder`."""
    port = free_port()
    own = {"MLSPEC_PROJECT": project, "MLSPEC_REGION": REGION, "MLSPEC_TARGET": target}
    framework = [sys.executable, "-m", "functions_framework", "--target", "on_alert", "--source", str(SOURCE)]
    log = folder / "function.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*framework, "--host", "127.0.0.1", "--port", str(port)], cwd=folder,
            env={**os.environ, **environment, **own}, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield Function(f"http://127.0.0.1:{port}/", log)
    finally:
        process.terminate()
        process.wait(30)
