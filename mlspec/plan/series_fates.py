"""Says which series get no forecast, or one by a rule, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlspec.state.resource import Json

_SHOWN = 3  # series that a sentence names


@dataclass(frozen=True)
class _Fate:
    """A fate in the facts of the data, if the spec says that its series get one of `gets`, and what is said of them.

    `since` is said of the period that is kept with each series. Facts of an older mlspec have no word on what series get: None.
    """

    name: str
    gets: tuple[str | None, ...]
    said: str
    since: str
    has_forecast: bool


_FATES = (
    _Fate("ended", (None, "no-forecast"), "ended, and {has} no forecast", "last value {}", has_forecast=False),
    _Fate("ended", ("zero",), "ended, and {is} forecast as 0 without being scored", "last value {}", has_forecast=True),
    _Fate("unsold", ("no-forecast",), "ended, and {has} no forecast", "last sold {}", has_forecast=False),
    _Fate("unsold", ("zero",), "ended, and {is} forecast as 0 without being scored", "last sold {}", has_forecast=True),
    _Fate(
        "idle",
        (None,),
        "{has} sold nothing for longer than ever before, and {is} forecast as before (dataset.ended_when can end {it})",
        "last sold {}",
        has_forecast=True,
    ),
    _Fate(
        "never_sold",
        (None,),
        "{has} never sold anything, and {is} forecast and stocked as others (dataset.ended_when can end {it})",
        "since {}",
        has_forecast=True,
    ),
    _Fate("empty", (None,), "{has} no value at all, and no forecast", "", has_forecast=False),
    _Fate("new", (None, "model"), "{is} new, so that most models repeat the last value", "since {}", has_forecast=True),
    _Fate(
        "new",
        ("cold-start",),
        "{is} new, and {gets} a share of the others' forecast (cold start)",
        "since {}",
        has_forecast=True,
    ),
    _Fate("new", ("no-forecast",), "{is} new, and {has} no forecast", "since {}", has_forecast=False),
)
_ONE = {"has": "has", "is": "is", "gets": "gets", "it": "it"}
_MANY = {"has": "have", "is": "are", "gets": "get", "it": "them"}


def fate_sentences(facts: Mapping[str, Json]) -> tuple[str, ...]:
    """Return what is said of the rows that were left out, and a sentence for each fate that some series have.

    `facts` are those of the checked data; those of an older mlspec say nothing.
    """
    sentences = (_sentence(found, fate) for fate, found in _told_fates(facts) if found.get("count"))
    return (*(facts.get("notes") or ()), *sentences)


def find_fate(facts: Mapping[str, Json], wanted: Sequence[str]) -> str | None:
    """Return why series with all these values in their names have no forecast; None if that is not known."""
    for fate, found in _told_fates(facts):
        named = [row for row in found.get("series", ()) if set(wanted) <= _parts(row[0])]
        if named and not fate.has_forecast:
            return _sentence({"count": len(named), "series": named}, fate)
    return None


def _told_fates(facts: Mapping[str, Json]) -> Iterator[tuple[_Fate, Mapping[str, Json]]]:
    """Yield each fate that fits what the spec says, with its facts."""
    fates = facts.get("fates") or {}
    for fate in _FATES:
        found = fates.get(fate.name, {})
        if found.get("gets") in fate.gets:
            yield fate, found


def _parts(name: str) -> set[str]:
    """Return the values that a series' name joins, and the whole name."""
    return {name, *name.split("/")}


def _sentence(found: Mapping[str, Json], fate: _Fate) -> str:
    count = int(found["count"])
    shown = ", ".join(_describe(row, fate.since) for row in found["series"][:_SHOWN])
    more = f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
    return f"{count:,} series {fate.said.format(**(_ONE if count == 1 else _MANY))}: {shown}{more}"


def _describe(row: Iterable[Json], since: str) -> str:
    name, period = row
    return f"'{name}' ({since.format(period)})" if period and since else f"'{name}'"
