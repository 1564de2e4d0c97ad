"""The vault keeps what every store of a record promises. `pytest` in this folder runs mlspec's contract against it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_vault import VaultSettings, open_store

from mlspec.targets.contract import *  # noqa: F403
from mlspec.targets.package import FileRef, Store, TargetPlace


class VaultPlace:
    """A vault of one test, and how to damage what is in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.place = root, TargetPlace("prod", root, root / "folder")
        self.settings = VaultSettings(type="vault", record="record", vault="vault", signed_with="vault-key")

    def open_store(self) -> Store:
        return open_store(self.settings, self.place)

    def lose_file(self, ref: FileRef) -> None:
        for path in self.root.rglob(ref.sha256):
            path.unlink()

    def cut_file(self, ref: FileRef) -> None:
        for path in self.root.rglob(ref.sha256):
            path.write_bytes(b"?")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VaultPlace:
    monkeypatch.setenv("MLSPEC_SECRET_VAULT_KEY", "a key of this test")
    (tmp_path / "vault").mkdir()
    return VaultPlace(tmp_path)
