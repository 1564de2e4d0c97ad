"""A series' key as text, for tables whose columns do not depend on a spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def series_key(columns: Mapping[str, Any]) -> str:
    """Return the key of a series as JSON, its columns in the given order."""
    return json.dumps(dict(columns), ensure_ascii=False, default=str)
