"""Groups the forecasts of a plan whose changes read the same, so that a change in many forecasts is read once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlspec.state.plan import Change, FieldChange
from mlspec.state.resource import Json

NAME = "NAME"  # what stands for a forecast's own name in a group of several
VARIES = "(differs by forecast)"
# Fields whose values are digests or names of versions: they differ in every forecast, and say nothing to a reader.
_OWN_VALUES = ("version", "spec_hash", "data.digest")
_HIDDEN = "spec_hash"  # it differs whenever any key does


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Forecasts that change in the same way, and these changes. In a group of several, VARIES or NAME replaces what differs."""

    forecasts: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def destroys(self) -> bool:
        """Whether something is deleted or replaced."""
        return any(change.action in ("delete", "replace") for change in self.changes)


def group_changes(changes: Sequence[Change]) -> tuple[ChangeGroup, ...]:
    """Return all changes that do something, by group: those that destroy first, then in the order of the plan."""
    by_forecast: dict[str, list[Change]] = {}
    for change in changes:
        if change.action != "none":
            by_forecast.setdefault(change.forecast, []).append(_without_hidden_fields(change))
    members: dict[tuple[object, ...], list[str]] = {}
    for forecast, own_changes in by_forecast.items():
        members.setdefault(tuple(map(_signature, own_changes)), []).append(forecast)
    groups = [_as_group(names, by_forecast[names[0]]) for names in members.values()]
    return tuple(sorted(groups, key=lambda group: not group.destroys))


def group_sentences(sentences: Sequence[str], names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Return sentences on forecasts, each with the number of forecasts that it is about: those that read the same are one.

    A sentence begins with the forecast's name and a colon, which NAME replaces where it is about several. Others stay.
    """
    known, members = frozenset(names), dict[str, list[str]]()
    for sentence in sentences:
        name = sentence.partition(": ")[0]
        general = str(_without_name(sentence, name)) if name in known else sentence
        members.setdefault(general, []).append(sentence)
    return tuple((general if len(same) > 1 else same[0], len(same)) for general, same in members.items())


def _without_hidden_fields(change: Change) -> Change:
    return replace(change, fields=tuple(field for field in change.fields if field.field != _HIDDEN))


def _as_group(names: Sequence[str], changes: Sequence[Change]) -> ChangeGroup:
    return ChangeGroup(tuple(names), tuple(changes) if len(names) == 1 else tuple(map(_general_change, changes)))


def _signature(change: Change) -> tuple[object, ...]:
    general = _general_change(change)
    return (general.resource, general.action, general.reason, repr(general.fields))


def _general_change(change: Change) -> Change:
    """Return a change without what is this forecast's alone."""
    name = change.forecast
    return replace(
        change,
        forecast=NAME,
        resource=change.resource.partition(".")[0],
        reason=_without_name(change.reason, name),
        fields=tuple(_general_field(field, name) for field in change.fields),
        before=None,
        after=None,
    )


def _general_field(field: FieldChange, name: str) -> FieldChange:
    if field.field in _OWN_VALUES:
        return replace(field, before=_general_value(field.before), after=_general_value(field.after))
    return replace(
        field,
        field=_without_name(field.field, name),
        before=_without_name(field.before, name),
        after=_without_name(field.after, name),
    )


def _general_value(value: Json) -> Json:
    """Return what stands for a value that is a forecast's own; a remark in parentheses is not."""
    return value if value is None or str(value).startswith("(") else VARIES


def _without_name(value: Json, name: str) -> Json:
    """Return a text with the forecast's name replaced where it stands as a word."""
    return (
        re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", NAME, value) if isinstance(value, str) else value
    )
