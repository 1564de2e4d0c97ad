"""What a table in `resource_rules` may say about a type, beyond its schema, and how it is checked.

The real provider refuses at three moments, and a rule belongs to one of them: while it *validates* the configuration
(patterns, lists of values, combinations), while it *plans* (`plan_checks`), or when Google's *API* is asked at last
(`api_checks`), which is the moment that hurts: half of the resources exist by then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.terraform.provider.values import Values, each, given

Check = Callable[[Values], Iterable[str]]
Facts = Callable[[str], Any]
"""Looks a name up: an attribute of the resource, or project, number, serial, ordinal, now."""
Template = str | Callable[[Facts], Any]
"""A text with {names}, or a function of the facts. `{topic|last}` is what stands behind the last slash."""


@dataclass(frozen=True)
class Rules:
    """One type of resource."""

    id: str
    force_new: tuple[str, ...] = ()
    """Paths that cannot change in place; a block's name covers all inside."""
    force_new_if: Mapping[str, Callable[[Any, Any], bool]] = field(default_factory=dict)
    """Attributes that can change in place in some ways only: is the change from old to new too much?"""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Paths that the provider fills while it plans."""
    planned: Mapping[str, Template] = field(default_factory=dict)
    """Computed, and known while planning as soon as the parts are."""
    computed: Mapping[str, Template | Any] = field(default_factory=dict)
    """Known after the apply."""
    kept: Mapping[str, list[Values]] = field(default_factory=dict)
    """Blocks that the service fills when the configuration leaves them out."""
    sensitive: tuple[str, ...] = ()
    write_only: tuple[str, ...] = ()
    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    exactly_one: tuple[tuple[str, ...], ...] = ()
    conflicts: tuple[tuple[str, ...], ...] = ()
    """Of each group one at most."""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Who says the first must say the others."""
    validate_checks: tuple[Check, ...] = ()
    plan_checks: tuple[Check, ...] = ()
    api_checks: tuple[Check, ...] = ()
    server_named: bool = False
    """The service makes up the id, so a second one of the same name is no conflict."""
    adopts: bool = False
    """Creating what exists already is fine: memberships, enabled services, singletons."""
    stays: bool = False
    """Destroying it only forgets it: key rings, service agents."""
    held: str | None = None
    """Why something with contents is not deleted ..."""
    freed_by: str | None = None
    """... unless this attribute is true."""


@dataclass(frozen=True)
class DataRules:
    """One type of data source."""

    id: Template
    lives_in: str | None = None
    """The type of resource that it reads; without one it is made up."""
    computed: Mapping[str, Template | Any] = field(default_factory=dict)


def value_problems(rules: Rules, values: Values) -> Iterator[tuple[str, str]]:
    """What is wrong with one value alone."""
    for path, allowed in rules.enums.items():
        for value in each(values, path):
            if value not in allowed:
                yield path, f"expected {path} to be one of {json.dumps(allowed)}, got {value}"
    for path, pattern in rules.patterns.items():
        for value in each(values, path):
            if not re.fullmatch(pattern, value):
                yield path, f"invalid value for {path} ({value}): must match ^{pattern}$"
    for path, (low, high) in rules.ranges.items():
        for value in each(values, path):
            if not low <= float(value) <= high:
                yield path, f"expected {path} to be in the range ({low:g} - {high:g}), got {value}"


def combination_problems(rules: Rules, values: Values) -> Iterator[tuple[str, str]]:
    """Arguments that must, or must not, stand together."""
    for group in rules.exactly_one:
        said = [path for path in group if given(values, path)]
        if len(said) != 1:
            names = ",".join(group)
            yield group[0], f"Invalid combination of arguments: exactly one of `{names}` must be specified, got {said}"
    for group in rules.conflicts:
        said = [path for path in group if given(values, path)]
        if len(said) > 1:
            yield said[0], f'Conflicting configuration arguments: "{said[0]}": conflicts with {said[1]}'
    for path, others in rules.needs.items():
        missing = [other for other in others if not given(values, other)]
        if given(values, path) and missing:
            names = ",".join([path, *others])
            yield path, f'Missing required argument: "{path}": all of `{names}` must be specified'


def validation_problems(rules: Rules, values: Values) -> Iterator[tuple[str, str]]:
    """What the provider refuses before it plans: the attribute, and a sentence."""
    yield from value_problems(rules, values)
    yield from combination_problems(rules, values)
    for check in rules.validate_checks:
        yield from (("", sentence) for sentence in check(values))


LABEL_KEY = r"[a-z][a-z0-9_-]{0,62}"
LABEL_VALUE = r"[a-z0-9_-]{0,63}"


def label_problems(values: Values) -> Iterator[str]:
    """What most services ask of labels; some ask for more."""
    labels: Mapping[str, str] = values.get("effective_labels") or values.get("user_labels") or {}
    if len(labels) > 64:
        yield f"a resource has at most 64 labels, got {len(labels)}"
    for key, value in labels.items():
        if not re.fullmatch(LABEL_KEY, key):
            yield f"Invalid label key {key!r}: it must match {LABEL_KEY}"
        if not re.fullmatch(LABEL_VALUE, value):
            yield f"Invalid label value {value!r} of {key}: it must match {LABEL_VALUE}"


def api_problems(rules: Rules, values: Values) -> list[str]:
    """What Google's API answers with a 400."""
    return [*label_problems(values), *(sentence for check in rules.api_checks for sentence in check(values))]


def matches(**patterns: str) -> Check:
    """An API check: these attributes (a double underscore is a dot) match these patterns."""

    def check(values: Values) -> Iterator[str]:
        for path, pattern in patterns.items():
            for value in each(values, path.replace("__", ".")):
                if not re.fullmatch(pattern, value):
                    yield f"Invalid value for {path.replace('__', '.')}: {value!r} does not match {pattern}"

    return check


def seconds(text: str) -> float:
    """A duration as Google writes it: 300s."""
    return float(text.removesuffix("s")) if re.fullmatch(r"\d+(\.\d{1,9})?s", text) else float("nan")


def durations(low: float, high: float, *paths: str, multiple: int = 1) -> Check:
    """An API check: durations between two bounds, whole multiples of something."""

    def check(values: Values) -> Iterator[str]:
        for path in paths:
            for text in each(values, path):
                value = seconds(text)
                if not (low <= value <= high and value % multiple == 0):
                    yield f"{path} must be between {low:g}s and {high:g}s and a multiple of {multiple}s, got {text!r}"

    return check
