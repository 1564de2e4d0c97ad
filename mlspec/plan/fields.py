"""One table: the resources that each key of a spec shapes, and the effect of a change of the key.

Every key of the language is named by a row, itself or as a part of a section, or by SHAPES_NOTHING: `tests/plan/test_fields.py`
holds that. What is no key, but a fact beside the spec (`spec_hash`, `traffic`), falls to the last row.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from mlspec.spec.inventory import TERMS
from mlspec.spec.table_files import TABLE_KEYS
from mlspec.state.resource import Json, Kind

# Sections and keys that say who and what, and how the loop goes about it: a change makes a new release, and computes nothing again.
KEPT_WITH_RELEASE = (
    "apiVersion", "kind", "metadata", "dataset.actuals", "training.machine", "training.address", "schedule", "deployment", "alerts",
    "notify", "rollback", "reconcile", "budget",
)  # fmt: skip
# Prefix of the dotted key; the resources it shapes; the effect of a change. The longest matching prefix counts.
OWNERS: tuple[tuple[str, tuple[Kind, ...], str], ...] = (
    ("dataset.source", ("data",), "reads and checks the data again"),
    ("dataset.future", ("data",), "reads and checks the data again"),
    # The same bytes read in another way are other numbers, and no digest of the data says so.
    *(
        (f"dataset.{part}.{key}", ("data", "model"), "checks the data, backtests and trains again")
        for part in ("source", "future")
        for key in TABLE_KEYS
    ),
    ("dataset.source.layout", ("data", "model"), "checks the data, backtests and trains again"),
    ("dataset.checks", ("data",), "checks the data again"),
    ("dataset", ("data", "model"), "checks the data, backtests and trains again"),
    ("model", ("model",), "backtests and trains again"),
    # The check looks for known covariates over the horizon, and leaves out series that ended more than a horizon ago.
    ("model.horizon", ("data", "model"), "checks the data, backtests and trains again"),
    # Gaps are filled, and values beyond all others are found, by the season.
    ("model.season", ("data", "model"), "checks the data, backtests and trains again"),
    # The number of workers shapes the trees (docs/decisions/0013-workers-learn-together-by-rank.md); their address does not.
    ("training.engine", ("model",), "backtests and trains again"),
    ("training.workers", ("model",), "backtests and trains again"),
    ("model.gate", ("model",), "backtests and judges again"),
    ("inventory", ("forecast",), "computes the stock levels again"),
    # Values for each series are read with the data.
    *(
        (f"inventory.{term}.{key}", ("data", "forecast"), "reads the data again, and computes the stock levels again")
        for term, key in (*((term, key) for term in TERMS for key in ("column", "uri")), ("lead_time", "sd_column"))
    ),
    ("data.digest", ("data", "model", "forecast"), "the data changed"),
    ("code.version", ("data", "model"), "mlspec itself changed"),
    ("candidate.code", ("model",), "the code of a custom model changed: backtests and trains again"),
    ("metric.code", ("model",), "the package of a metric changed: backtests and trains again"),
    ("version", ("deployment", "forecast"), "another version serves"),
    *((section, ("deployment",), "kept with the release") for section in KEPT_WITH_RELEASE),
    ("", ("deployment",), "kept with the release"),
)
# Keys that no resource is made from, each with the reason.
SHAPES_NOTHING = {
    "targets": "merged into the other keys for the target at hand, before anything is compared",
}


@lru_cache(maxsize=4096)  # all specs have the same few hundred keys
def find_owner(key: str) -> tuple[tuple[Kind, ...], str]:
    """Return the kinds of resource that `key` shapes, and the effect of a change."""
    rows = [row for row in OWNERS if _covers_key(row[0], key)]
    _, kinds, effect = max(rows, key=lambda row: len(row[0]))
    return kinds, effect


def _covers_key(prefix: str, key: str) -> bool:
    return not prefix or key == prefix or key.startswith((f"{prefix}.", f"{prefix}["))


def flatten_keys(value: Mapping[str, Json], prefix: str = "") -> dict[str, Json]:
    """Return nested mappings as one mapping of dotted keys; lists of mappings are indexed (`alerts[0].above`), others kept.

    None is left out, so that an absent key and a key without a value are the same.
    """
    leaves: dict[str, Json] = {}
    _collect_leaves(value, prefix, leaves)
    return leaves


def _collect_leaves(value: Json, key: str, leaves: dict[str, Json]) -> None:
    # Fills one mapping instead of yielding: a pass over ten thousand forecasts calls this for every key of every spec.
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            _collect_leaves(inner, f"{key}.{name}" if key else str(name), leaves)
    elif isinstance(value, list | tuple):
        if value and all(isinstance(item, dict) for item in value):
            for index, inner in enumerate(value):
                _collect_leaves(inner, f"{key}[{index}]", leaves)
        elif value:
            leaves[key] = list(value)
    elif value is not None and value != {}:
        leaves[key] = value
