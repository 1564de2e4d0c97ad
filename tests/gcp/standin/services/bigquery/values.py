"""BigQuery's types and values beside DuckDB's, Arrow's and Python's."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyarrow import types

from tests.gcp.standin.refused import invalid
from tests.gcp.standin.rest import Json

# BigQuery's names, the old and the new ones, beside DuckDB's.
DUCK = {
    "STRING": "VARCHAR", "BYTES": "BLOB", "INTEGER": "BIGINT", "INT64": "BIGINT", "FLOAT": "DOUBLE", "FLOAT64": "DOUBLE",
    "BOOLEAN": "BOOLEAN", "BOOL": "BOOLEAN", "TIMESTAMP": "TIMESTAMPTZ", "DATETIME": "TIMESTAMP", "DATE": "DATE",
    "TIME": "TIME", "NUMERIC": "DECIMAL(38, 9)",
}  # fmt: skip
_PARSE = {
    "STRING": str, "INT64": int, "INTEGER": int, "FLOAT64": float, "FLOAT": float, "DATE": date.fromisoformat,
    "DATETIME": datetime.fromisoformat, "NUMERIC": Decimal, "BOOL": lambda text: text.lower() == "true",
    "BOOLEAN": lambda text: text.lower() == "true",
    "TIMESTAMP": lambda text: datetime.fromisoformat(text.replace(" UTC", "+00:00")).astimezone(UTC),
}  # fmt: skip
# The first that fits; a whole number without a scale is what DuckDB's sum of integers is.
_OF_ARROW = (
    (types.is_boolean, "BOOLEAN"), (types.is_integer, "INTEGER"), (types.is_floating, "FLOAT"), (types.is_date, "DATE"),
    (types.is_string, "STRING"), (types.is_large_string, "STRING"), (types.is_binary, "BYTES"), (types.is_time, "TIME"),
)  # fmt: skip


def duck(field: Mapping[str, Any]) -> str:
    """Return a field of a schema as DuckDB's type. Raises Refused."""
    name = field["type"].upper()
    if name in {"RECORD", "STRUCT"}:
        inner = ", ".join(f'"{each["name"]}" {duck(each)}' for each in field["fields"])
        found = f"STRUCT({inner})"
    elif name in DUCK:
        found = DUCK[name]
    else:
        raise invalid(f"the stand-in does not know BigQuery's type {name}")
    return f"{found}[]" if field.get("mode") == "REPEATED" else found


def field(name: str, kind: Any) -> Json:
    """Return an Arrow type as a field of a schema. Raises Refused."""
    if types.is_list(kind):
        return {**field(name, kind.value_type), "mode": "REPEATED"}
    if types.is_struct(kind):
        return {
            "name": name,
            "type": "RECORD",
            "mode": "NULLABLE",
            "fields": [field(each.name, each.type) for each in kind],
        }
    if types.is_timestamp(kind):
        found = "TIMESTAMP" if kind.tz else "DATETIME"
    elif types.is_decimal(kind):
        found = "NUMERIC" if kind.scale else "INTEGER"
    else:
        found = next((known for test, known in _OF_ARROW if test(kind)), "")
    if not found:
        raise invalid(f"the stand-in has no BigQuery type for {kind}")
    return {"name": name, "type": found, "mode": "NULLABLE"}


def schema(table: pa.Table) -> Json:
    """Return an Arrow table's schema as BigQuery's."""
    return {"fields": [field(each.name, each.type) for each in table.schema]}


def rows(table: pa.Table) -> list[Json]:
    """Return an Arrow table's rows as the API writes them."""
    return [{"f": [{"v": _cell(value)} for value in row.values()]} for row in table.to_pylist()]


def _cell(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return [{"v": _cell(each)} for each in value]
    if isinstance(value, dict):
        return {"f": [{"v": _cell(each)} for each in value.values()]}
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime) and value.tzinfo:
        return str(round(value.timestamp() * 1_000_000))  # the clients ask for formatOptions.useInt64Timestamp
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


def parameters(given: list[Json]) -> dict[str, Any]:
    """Return query parameters by name. Raises Refused for those without one, and for types that are not known."""
    if any(not each.get("name") for each in given):
        raise invalid("the stand-in knows named query parameters only")
    return {each["name"]: _parameter(each["parameterType"], each["parameterValue"]) for each in given}


def _parameter(kind: Json, given: Json) -> Any:
    if kind["type"] == "ARRAY":
        return [_parameter(kind["arrayType"], each) for each in given.get("arrayValues", [])]
    if kind["type"] not in _PARSE:
        raise invalid(f"the stand-in does not know query parameters of type {kind['type']}")
    text = given.get("value")
    return None if text is None else _PARSE[kind["type"]](text)
