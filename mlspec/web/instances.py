"""From the body of a request to the series that it asks about, as strictly as a spec is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from mlspec.state.predicted import Predictions
from mlspec.state.resource import Json
from mlspec.state.split import key_of
from mlspec.web.problem import Mistake

MOST = 1000  # instances a request
_SHOWN = 60  # characters of a value that is repeated in a message
_EXAMPLE = '{"instances": [{...}]}'


@dataclass(frozen=True, slots=True)
class Asked:
    """One instance: the series' own columns as they were sent, its key, and how many periods are wanted."""

    columns: Mapping[str, Json]
    key: str
    horizon: int


def read(body: bytes, spec: Mapping[str, Json], known: Predictions | None) -> list[Asked]:
    """Return what is asked. Raises Mistake with what was expected; `known` says which series there are."""
    value = _json(body)
    if not isinstance(value, dict) or not isinstance(value.get("instances"), list):
        raise Mistake(f"expected {_EXAMPLE}, with a list of instances")
    _only(value, ("instances", "parameters"), "the body")
    instances, parameters = value["instances"], value.get("parameters") or {}
    if not 1 <= len(instances) <= MOST:
        raise Mistake(f"expected 1 to {MOST:,} instances, found {len(instances):,}")
    if not isinstance(parameters, dict):
        raise Mistake('parameters: expected an object, such as {"horizon": 4}')
    _only(parameters, ("horizon",), "parameters")
    horizon = _horizon(parameters.get("horizon"), spec["model"]["horizon"], spec["model"]["horizon"], "parameters")
    return [_asked(each, f"instances[{place}]", spec, horizon, known) for place, each in enumerate(instances)]


def _json(body: bytes) -> Any:
    def no_number(word: str) -> NoReturn:
        raise ValueError(f"{word} is no JSON number")

    try:
        return json.loads(body, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:_SHOWN]
        raise Mistake(f"the body is not JSON: {why}; expected {_EXAMPLE}") from error


def _only(value: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    odd = next((name for name in value if name not in names), None)
    if odd is not None:
        raise Mistake(f"{where}: unknown key {_quoted(odd)}; expected {', '.join(names) or 'none'}")


def _asked(each: Any, where: str, spec: Mapping[str, Json], horizon: int, known: Predictions | None) -> Asked:
    columns = spec["dataset"]["series"]
    if not isinstance(each, dict):
        raise Mistake(f"{where}: expected an object with {', '.join(columns) or 'nothing in it'}")
    covariate = next((name for name in spec["dataset"]["covariates"]["known"] if name in each), None)
    if covariate is not None and covariate not in columns:
        said = f"{where}: the plan of {_quoted(covariate)} comes from dataset.future"
        raise Mistake(f"{said}: change it there; an instance names a series and no covariates")
    most = spec["model"]["horizon"]
    if "horizon" in each and "horizon" not in columns:
        horizon = _horizon(each["horizon"], horizon, most, where)
        each = {name: value for name, value in each.items() if name != "horizon"}
    _only(each, (*columns, "horizon"), where)
    own = {name: _text(each, name, where) for name in columns}
    key = key_of(own)
    if known is not None and key not in known.places:
        raise _unknown(own, where, known)
    return Asked({name: each[name] for name in columns}, key, horizon)


def _text(each: Mapping[str, Any], name: str, where: str) -> str:
    """Return a column's value as it stands in the data. A whole number may come as 1.0: protobuf's Struct has no other numbers."""
    value = each.get(name)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    raise Mistake(f"{where}: expected {_quoted(name)}, the series' own value as text or as a number")


def _horizon(value: Any, default: int, most: int, where: str) -> int:
    if value is None:
        return default
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        raise Mistake(f"{where}: horizon is a whole number from 1 to {most}, the spec's own")
    return number


def _unknown(own: Mapping[str, str], where: str, known: Predictions) -> Mistake:
    if not own:
        return Mistake(f"{where}: the forecast has no series of its own")
    named = ", ".join(f"{name}={_quoted(value)}" for name, value in own.items())
    some = ", ".join(_quoted(key) for _, key in zip(range(3), known.places, strict=False))
    said = f"{where}: there is no series {named}; expected one of {len(known.places):,}"
    return Mistake(f"{said}, such as {'/'.join(own)} {some}")


def _quoted(value: str) -> str:
    return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")
