"""A version whose model file is damaged, with a digest that matches: the server says so, and answers for the other version."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from mlspec.forecast import trees
from mlspec.models.storage import pack_archive
from tests.examples import sales
from tests.waiting import until
from tests.web.shop import SHOPS, Shop, serving

CANARY = {"serve": "online", "rollout": {"strategy": "canary", "steps": [40, 100], "interval": "1h"}}
BOOSTED = {"candidates": [{"kind": "gradient-boosting", "library": "lightgbm", "lags": [1, 7], "iterations": 10}]}


def damage(shop: Shop, version: str) -> None:
    """Let a node of a version's trees lead nowhere, in the file and in every record of it."""
    old = shop.model_of(version)
    stored = shop.root / ".mlspec/artifacts/sha256"
    parts = trees.unpack_archive((stored / old[:2] / old).read_bytes())
    inner = trees.unpack_archive(parts["member-0"])
    head, key, rest = inner["trees"].partition(b"left_child=")
    inner["trees"] = head + key + b"9" + rest[1:]
    data = pack_archive({**parts, "member-0": pack_archive(inner)})
    new = hashlib.sha256(data).hexdigest()
    (stored / new[:2]).mkdir(exist_ok=True)
    (stored / new[:2] / new).write_bytes(data)
    with closing(sqlite3.connect(shop.root / ".mlspec/state.db")) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for place, record in connection.execute("SELECT rowid, record FROM versions").fetchall():
            value = json.loads(record)
            ref = value["files"].get("model", {})
            if ref.get("sha256") == old:
                ref |= {"sha256": new, "size": len(data)}
                connection.execute("UPDATE versions SET record = ? WHERE rowid = ?", (json.dumps(value), place))
        connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'serial'")


def test_a_damaged_model_answers_for_no_series_and_stops_no_other_version(tmp_path: Path) -> None:
    shop = Shop(tmp_path, deployment=CANARY)
    (shop.root / "data/sales.csv").write_text(sales(days=90, shops=SHOPS))
    shop.look()
    (first,) = shop.traffic
    shop.write(model=BOOSTED)
    shop.look()
    (second,) = set(shop.traffic) - {first}
    with serving(shop.root) as server:
        assert set(server.versions().values()) == {first, second}
        mine = next(name for name, version in server.versions().items() if version == second)
        damage(shop, second)
        until(lambda: f"{second} cannot predict" in server.log)
        assert "the model file cannot be trusted" in server.log
        assert "keeps its predictions from the earlier data" in server.log
        assert server.predict({"shop": mine})[0] == 200
    with serving(shop.root) as server:
        codes = {name: server.predict({"shop": name})[0] for name in SHOPS}
        assert set(codes.values()) == {200, 500}
        assert codes[mine] == 500
        assert server.end() == 0
