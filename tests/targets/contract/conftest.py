"""The places of mlspec's own stores: a folder, and a team's database."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.state.record import FileRef
from mlspec.targets.contract import StorePlace
from mlspec.targets.local.target import embedded_store
from mlspec.targets.postgres.store import shared_store
from mlspec.targets.record.store import Store
from tests.stores import Home, cut, lose, url_of


class OwnPlace:
    """A project whose record is in one of mlspec's own stores."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open_store(self) -> Store:
        folder, url = self.root / ".mlspec", url_of(self.root)
        return shared_store(url, folder) if url else embedded_store(folder)

    def lose_file(self, ref: FileRef) -> None:
        lose(self.root, ref)

    def cut_file(self, ref: FileRef) -> None:
        cut(self.root, ref)


@pytest.fixture
def place(home: Home, tmp_path: Path) -> StorePlace:
    return OwnPlace(home.settle_in(tmp_path / "p"))
