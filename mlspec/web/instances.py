"""Parses a request's body into instances. Unknown keys and wrong types are refused, as in a spec."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from mlspec.spec.forecast import Forecast
from mlspec.state.predicted import Predictions
from mlspec.state.resource import Json
from mlspec.state.split import series_key
from mlspec.web.problem import ClientError

MOST = 1000  # instances a request
_SHOWN = 60  # most characters of a value in a message
_SHOWN_NUMBER = 20  # and of one inside such a text
_EXAMPLE = '{"instances": [{...}]}'


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: the series columns as sent, the series key, and the number of periods to forecast."""

    columns: Mapping[str, Json]
    key: str
    horizon: int


def parse_instances(body: bytes, spec: Forecast, known: Predictions | None) -> list[Instance]:
    """Return the instances. Raises ClientError that says what was expected. `known` holds the existing series."""
    value = parse_json(body)
    if not isinstance(value, dict) or not isinstance(value.get("instances"), list):
        raise ClientError(f"expected {_EXAMPLE}, with a list of instances")
    _refuse_unknown_keys(value, ("instances", "parameters"), "the body")
    instances, parameters = value["instances"], value.get("parameters") or {}
    if not 1 <= len(instances) <= MOST:
        raise ClientError(f"expected 1 to {MOST:,} instances, found {len(instances):,}")
    if not isinstance(parameters, dict):
        raise ClientError('parameters: expected an object, such as {"horizon": 4}')
    _refuse_unknown_keys(parameters, ("horizon",), "parameters")
    horizon = _parse_horizon(parameters.get("horizon"), spec.model.horizon, spec.model.horizon, "parameters")
    return [
        _parse_instance(instance, f"instances[{number}]", spec, horizon, known)
        for number, instance in enumerate(instances)
    ]


def parse_json(body: bytes, example: str = _EXAMPLE) -> Any:
    """Return the value of a JSON text. What parsers read in different ways is refused: bytes that are not UTF-8, a byte order
    mark, a key that occurs twice, a number beyond the range of a double. `example` shows what is expected.
    """
    try:
        text = body.decode("utf-8")
        return json.loads(
            text, parse_constant=_refuse_constant, parse_float=_parse_finite, object_pairs_hook=_parse_object
        )
    except (ValueError, RecursionError) as error:
        raise ClientError(f"the body is not JSON: {_describe_json_error(error)}; expected {example}") from error


def _describe_json_error(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error)[:_SHOWN]


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _parse_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:_SHOWN_NUMBER]} is too large")
    return number


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, inner in pairs:
        if name in value:
            raise ValueError(f"the key {name[:_SHOWN_NUMBER]!r} occurs twice")
        value[name] = inner
    return value


def _refuse_unknown_keys(value: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    unknown = next((name for name in value if name not in names), None)
    if unknown is not None:
        raise ClientError(f"{where}: unknown key {quote_value(unknown)}; expected {', '.join(names) or 'none'}")


def _parse_instance(instance: Any, where: str, spec: Forecast, horizon: int, known: Predictions | None) -> Instance:
    columns = spec.dataset.series
    if not isinstance(instance, dict):
        raise ClientError(f"{where}: expected an object with {', '.join(columns) or 'nothing in it'}")
    covariate = next((name for name in spec.dataset.covariates.known if name in instance), None)
    if covariate is not None and covariate not in columns:
        message = f"{where}: the plan of {quote_value(covariate)} comes from dataset.future"
        raise ClientError(f"{message}: change it there; an instance names a series and no covariates")
    longest = spec.model.horizon
    if "horizon" in instance and "horizon" not in columns:
        horizon = _parse_horizon(instance["horizon"], horizon, longest, where)
        instance = {name: value for name, value in instance.items() if name != "horizon"}
    _refuse_unknown_keys(instance, (*columns, "horizon"), where)
    own = {name: _column_text(instance, name, where) for name in columns}
    key = series_key(own)
    if known is not None and key not in known.positions:
        raise _unknown_series(own, where, known)
    return Instance({name: instance[name] for name in columns}, key, horizon)


def _column_text(instance: Mapping[str, Any], name: str, where: str) -> str:
    """Return a column's value as text, as in the data. A whole number may come as 1.0, as protobuf's Struct has only floats."""
    value = instance.get(name)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    raise ClientError(f"{where}: expected {quote_value(name)}, the series' value as text or as a number")


def _parse_horizon(value: Any, default: int, most: int, where: str) -> int:
    if value is None:
        return default
    number = whole_as_int(value)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        raise ClientError(f"{where}: horizon is a whole number from 1 to {most}, the spec's horizon")
    return number


def _unknown_series(own: Mapping[str, str], where: str, known: Predictions) -> ClientError:
    if not own:
        return ClientError(f"{where}: the forecast has a single series without columns")
    named = ", ".join(f"{name}={quote_value(value)}" for name, value in own.items())
    return ClientError(f"{where}: {unknown_series_text(named, known, '/'.join(own))}")


def unknown_series_text(named: str, known: Predictions, columns: str = "") -> str:
    """Return what to say of a series that is not served, with examples of those that are. `columns` says how these are named."""
    examples = ", ".join(quote_value(key) for _, key in zip(range(3), known.positions, strict=False))
    expected = f"expected one of {len(known.positions):,}, such as {' '.join(filter(None, (columns, examples)))}"
    return f"the series {named} does not exist; {expected}"


def whole_as_int(value: Any) -> Any:
    """Return 4 for 4.0, and any other value as it is: JSON does not tell them apart."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def quote_value(value: str) -> str:
    """Return a value of the client in quotes, cut where it is long."""
    return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")
