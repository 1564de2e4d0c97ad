"""What an engine knows of the machine that it runs on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlspec.engine.context import model_libraries


def test_a_library_that_is_upgraded_under_a_running_loop_is_known_at_its_next_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    before = model_libraries()
    assert "numpy" in before
    installed = tmp_path / "numpy-99.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 99.0\n")
    os.utime(tmp_path, ns=(1, 1))  # another moment, however coarse the clock of the file system is
    assert model_libraries() == {**before, "numpy": "99.0"}
