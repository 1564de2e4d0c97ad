"""GitHub's expressions, as far as our workflows use them: docs.github.com/actions/reference/workflows-and-actions/expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(
    r"(?P<space>\s+)|'(?P<text>(?:[^']|'')*)'|(?P<sign>&&|\|\||==|!=|!|\(|\))|(?P<word>[A-Za-z_][\w.-]*)"
)
_PYTHON = {"&&": " and ", "||": " or ", "!": " not ", "==": "==", "!=": "!=", "(": "(", ")": ")"}


class Evaluator:
    """Evaluates expressions in a context of nested mappings. `succeeded` is whether the steps or jobs before did."""

    def __init__(self, contexts: Mapping[str, Any], files: Mapping[str, bool], *, succeeded: bool = True) -> None:
        self.contexts, self.files, self.succeeded = contexts, files, succeeded

    def condition(self, text: str | None) -> bool:
        """Whether an `if` holds; without a status function it also needs that all before succeeded."""
        if text is None:
            return self.succeeded
        asks = re.search(r"\b(always|cancelled|failure|success)\(\)", text)
        return bool(self.value(text)) and (self.succeeded or bool(asks))

    def text(self, template: Any) -> str:
        """A value with each `${{ }}` in it replaced."""
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: self._as_text(self.value(found[1])), str(template))

    def value(self, expression: str) -> Any:
        """The value of one expression."""
        return eval(self._python(expression.strip()), {"__builtins__": {}}, {"look": self._look, "call": self._call})

    def _python(self, expression: str) -> str:
        parts, place = [], 0
        while place < len(expression):
            found = _TOKEN.match(expression, place)
            assert found, f"this evaluator does not know {expression[place:]!r}"
            place = found.end()
            if found["text"] is not None:
                parts.append(repr(found["text"].replace("''", "'")))
            elif found["sign"]:
                parts.append(_PYTHON[found["sign"]])
            elif found["word"]:
                is_call = expression[place : place + 1] == "("
                if is_call:
                    end = expression.index(")", place) + 1
                    parts.append(f"call({found['word']!r}, {expression[place + 1 : end - 1].strip() or None})")
                    place = end
                else:
                    parts.append(f"look({found['word']!r})")
        return "".join(parts)

    def _look(self, path: str) -> Any:
        value: Any = self.contexts
        for key in path.split("."):
            value = value.get(key, "") if isinstance(value, Mapping) else ""
        return "" if value is None else value

    def _call(self, name: str, argument: str | None) -> Any:
        known = {"always": True, "cancelled": False, "failure": not self.succeeded, "success": self.succeeded}
        if name in known:
            return known[name]
        assert name == "hashFiles", f"this evaluator does not know {name}()"
        return "digest" if self.files.get(str(argument)) else ""

    @staticmethod
    def _as_text(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)
