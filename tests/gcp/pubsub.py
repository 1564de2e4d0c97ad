"""Google's own Pub/Sub emulator, as fixtures; `tests/conftest.py` names this module. Its tests run in one group: `pubsub`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.tools import needs
from tests.waiting import free_port


@pytest.fixture(scope="session")
def pubsub_process() -> Iterator[str]:
    """The emulator's address; one process for each worker that asks."""
    jar = needs("pubsub-emulator")
    port = free_port()
    argv = ["java", "-jar", jar, "--host=127.0.0.1", f"--port={port}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "started, listening" in line:
                break
        else:
            pytest.fail(f"the emulator did not start: {''.join(lines)}")
        yield f"127.0.0.1:{port}"
        process.kill()


@pytest.fixture
def pubsub_emulator(pubsub_process: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The emulator's address; PUBSUB_EMULATOR_HOST leads clients there, with or without the stand-in beside it."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_process)
    return pubsub_process
