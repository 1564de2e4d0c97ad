"""Which reasons of conditions and events the code can record: read from its calls, so that the runbook forgets none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.docs.sessions import ROOT

_REASON = 3  # the place of `reason` among the arguments of Condition and Event
_WORD = re.compile(r"[A-Z][a-z]+(?:[A-Z][A-Za-z]*)?")
Names = dict[str, list[ast.expr]]


@cache
def _modules() -> list[ast.Module]:
    """Parse the modules that may name a reason: not when this module is imported, as each process that collects tests does."""
    texts = (path.read_text(encoding="utf-8") for path in sorted((ROOT / "mlspec").rglob("*.py")))
    return [ast.parse(text) for text in texts if "Condition(" in text or "Event(" in text or "reason" in text]


def condition_reasons() -> set[str]:
    """Return the reasons of all conditions."""
    return _reasons("Condition") | _words_given_to("replace")


def event_reasons() -> set[str]:
    """Return the reasons of all events, also those that a caller gives to the function that makes the event."""
    return _reasons("Event") | _defaults() | _words_given_to("roll_back")


def _reasons(class_name: str) -> set[str]:
    shared = {key: value for module in _modules() for key, value in _assigned(module).items() if key.isupper()}
    return {
        text
        for module in _modules()
        for call in _calls(module, class_name)
        for text in _texts(_reason_of(call), shared | _assigned(module))
    }


def _calls(module: ast.Module, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def _words_given_to(function: str) -> set[str]:
    """Return the words that calls of a function give as `reason=`."""
    values = [_keyword(call) for module in _modules() for call in _calls(module, function)]
    return {text for value in values for text in _texts(value, {})}


def _defaults() -> set[str]:
    """Return the words that a parameter `reason` has as its default."""
    return {
        text
        for module in _modules()
        for node in ast.walk(module)
        if isinstance(node, ast.arguments)
        for argument, default in zip(node.kwonlyargs, node.kw_defaults, strict=True)
        if argument.arg == "reason"
        for text in _texts(default, {})
    }


@cache
def _assigned(module: ast.Module) -> Names:
    names: Names = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                _assign(names, target, node.value)
    return names


def _assign(names: Names, target: ast.expr, value: ast.expr) -> None:
    if isinstance(target, ast.Name):
        names.setdefault(target.id, []).append(value)
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.IfExp):
        _assign(names, target, value.body)
        _assign(names, target, value.orelse)
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=True):
            _assign(names, one, other)


def _reason_of(call: ast.Call) -> ast.expr | None:
    return _keyword(call) or (call.args[_REASON] if len(call.args) > _REASON else None)


def _keyword(call: ast.Call) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == "reason"), None)


def _texts(value: ast.expr | None, names: Names, depth: int = 0) -> Iterator[str]:
    if isinstance(value, ast.Constant):
        if isinstance(value.value, str) and _WORD.fullmatch(value.value):
            yield value.value
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body, names, depth)
        yield from _texts(value.orelse, names, depth)
    elif isinstance(value, ast.Name) and depth < 3:
        for assigned in names.get(value.id, []):
            yield from _texts(assigned, names, depth + 1)
