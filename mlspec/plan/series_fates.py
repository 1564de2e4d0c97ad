"""Says which series get no forecast, or one by a rule, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlspec.state.resource import Json

_SHOWN = 3  # series that a sentence names
# The fate in the facts of the data, and what the spec says that its series get (facts of an older mlspec say nothing of that); what
# is said of them, and of the period that is kept with each.
_FATES = (
    ("ended", (None, "no-forecast"), "ended, and {has} no forecast", "last value {}"),
    ("ended", ("zero",), "ended, and {is} forecast as 0 without being scored", "last value {}"),
    ("empty", (None,), "{has} no value at all, and no forecast", ""),
    ("new", (None, "model"), "{is} new, so that most models repeat the last value", "since {}"),
)
_WITHOUT_FORECAST = ("ended", "empty")
_ONE, _MANY = {"has": "has", "is": "is"}, {"has": "have", "is": "are"}


def fate_sentences(facts: Mapping[str, Json]) -> tuple[str, ...]:
    """Return what is said of the rows that were left out, and a sentence for each fate that some series have.

    `facts` are those of the checked data; those of an older mlspec say nothing.
    """
    sentences = (_sentence(fate, said, since) for _, fate, said, since in _told_fates(facts) if fate.get("count"))
    return (*(facts.get("notes") or ()), *sentences)


def find_fate(facts: Mapping[str, Json], wanted: Sequence[str]) -> str | None:
    """Return why series with all these values in their names have no forecast; None if that is not known."""
    for name, fate, said, since in _told_fates(facts):
        named = [row for row in fate.get("series", ()) if set(wanted) <= _parts(row[0])]
        if named and name in _WITHOUT_FORECAST:
            return _sentence({"count": len(named), "series": named}, said, since)
    return None


def _told_fates(facts: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json], str, str]]:
    """Yield the name of each fate, its facts, what is said of its series, and of the period that is kept with each."""
    fates = facts.get("fates") or {}
    for name, gets, said, since in _FATES:
        fate = fates.get(name, {})
        if fate.get("gets") in gets:
            yield name, fate, said, since


def _parts(name: str) -> set[str]:
    """Return the values that a series' name joins, and the whole name."""
    return {name, *name.split("/")}


def _sentence(fate: Mapping[str, Json], said: str, since: str) -> str:
    count = int(fate["count"])
    shown = ", ".join(_describe(row, since) for row in fate["series"][:_SHOWN])
    more = f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
    return f"{count:,} series {said.format(**(_ONE if count == 1 else _MANY))}: {shown}{more}"


def _describe(row: Iterable[Json], since: str) -> str:
    name, period = row
    return f"'{name}' ({since.format(period)})" if period and since else f"'{name}'"
