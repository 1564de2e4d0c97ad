"""One server that tests share which change nothing of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.shop import Server, Shop, serving


@pytest.fixture(scope="session")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of one version, with time-outs that a test can wait for."""
    shop = Shop(tmp_path_factory.mktemp("one"))
    shop.look()
    quick = "from mlspec.web import app, server\napp.BODY_SECONDS = 0.3\nserver.HEADER_SECONDS = 0.3"
    with serving(shop.root, "demand", before=quick) as server:
        yield server
