"""Write `provider_rules.txt` anew: what the source of Google's provider asks of each attribute of the types that this project uses.

The provider's schema (`schema.py`) does not carry these rules. By hand, with a checkout of
github.com/hashicorp/terraform-provider-google:

    python -m tests.terraform.read_provider CHECKOUT COMMIT

Only facts are taken: which attribute, and which rule of the SDK (ConflictsWith, ExactlyOneOf, a list of values, ...).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.terraform.provider_rules import COMBINATIONS, FILE, SOURCE, VALUES, with_rules
from tests.terraform.resource_rules import RESOURCES

TOKEN = re.compile(
    r'\s+|//[^\n]*|/\*.*?\*/|(?P<raw>`[^`]*`)|(?P<text>"(?:\\.|[^"\\])*")|(?P<number>\d[\d_.eE]*)|(?P<word>[A-Za-z_][\w.]*)|(?P<sign>.)',
    re.DOTALL,
)
KEPT = {*COMBINATIONS, *VALUES, "MaxItems", "MinItems", "ForceNew"}
# In the source of a type the name of the resource may stand before it, as in resource_google_service_account.go.
FILES = ("resource_{name}.go", "resource_google_{name}.go")


@dataclass(frozen=True)
class Name:
    """A name, or with arguments a call."""

    text: str
    arguments: tuple[Any, ...] | None = None


class Go:
    """The literals of one Go file, read as Python's: structs and maps as dicts, slices as lists."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        self.at = 0

    def read(self, start: int) -> Any:
        """Return the expression that begins at a place of the text."""
        found = (match for match in TOKEN.finditer(self.text, start) if match.lastgroup)
        self.tokens, self._source = [], found
        self.at = 0
        return self._expression()

    def _peek(self) -> tuple[str, str]:
        while self.at >= len(self.tokens):
            match = next(self._source, None)
            self.tokens.append((match.lastgroup or "", match[0]) if match else ("end", ""))
        return self.tokens[self.at]

    def _next(self) -> tuple[str, str]:
        found = self._peek()
        self.at += 1
        return found

    def _expression(self) -> Any:
        value = self._operand()
        while self._peek() == ("sign", "+"):
            self._next()
            other = self._operand()
            value = value + other if isinstance(value, str) and isinstance(other, str) else value
        while self._peek()[1] in ("*", "/", "-") and self._peek()[0] == "sign":
            self._next()
            self._operand()
        return value

    def _operand(self) -> Any:
        kind, text = self._next()
        if kind == "raw":
            return text[1:-1]
        if kind == "text":
            return json.loads(text)
        if kind == "number":
            return float(text.replace("_", "")) if "." in text else int(text.replace("_", ""))
        if text in "&*-":
            return self._operand()
        if text == "[":
            self._until("]")
            return self._operand()
        if text == "{":
            return self._body()
        if text == "map":
            self._next()
            self._until("]")
            return self._operand()
        if text == "func":
            return self._function()
        return self._named(text)

    def _named(self, name: str) -> Any:
        sign = self._peek()[1]
        if sign == "{":
            self._next()
            return self._body()
        if sign == "(":
            self._next()
            return Name(name, tuple(self._list(")")))
        return {"true": True, "false": False, "nil": None}.get(name, Name(name))

    def _function(self) -> Any:
        while self._next()[1] != "{":
            if self._peek()[1] == "interface":
                self._next()
                self._next()
                self._until("}")
        self._until("}")
        return Name("func")

    def _until(self, end: str) -> None:
        start, depth = {"]": "[", "}": "{", ")": "("}[end], 1
        while depth:
            kind, text = self._next()
            if kind == "end":
                raise ValueError("the file ends in the middle")
            depth += (text == start and kind == "sign") - (text == end and kind == "sign")

    def _list(self, end: str) -> list[Any]:
        found = []
        while self._peek()[1] != end:
            found.append(self._expression())
            if self._peek()[1] == ",":
                self._next()
        self._next()
        return found

    def _body(self) -> Any:
        keys: dict[Any, Any] = {}
        items: list[Any] = []
        while self._peek()[1] != "}":
            value = self._expression()
            if self._peek()[1] == ":":
                self._next()
                keys[value.text if isinstance(value, Name) else value] = self._expression()
            else:
                items.append(value)
            if self._peek()[1] == ",":
                self._next()
        self._next()
        return keys or items

    @cached_property
    def named(self) -> dict[str, int]:
        """Where each variable of the file, and what each function returns, begins."""
        found = {
            m[1]: m.end() for m in re.finditer(r"^(?:var )?\t?(\w+)(?: [\w\[\]*.]+)?\s+= ", self.text, re.MULTILINE)
        }
        found |= {
            m[1]: m.end() for m in re.finditer(r"^func (\w+)\([^)]*\) [^{]*\{\n\treturn ", self.text, re.MULTILINE)
        }
        return found

    def resolved(self, value: Any) -> Any:
        """Return what a name or a call of the same file stands for; else what it is."""
        named = isinstance(value, Name) and value.text in self.named
        return Go(self.text).read(self.named[value.text]) if named else value


def attributes(go: Go, schema: Any, above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each attribute's path, and what is said of it."""
    for name, field in (go.resolved(schema) or {}).items():
        said = go.resolved(field)
        if not isinstance(said, dict) or not (said.keys() & {"Type", "Elem", "Optional", "Required", "Computed"}):
            continue
        path = f"{above}{name}"
        yield path, {key: value for key, value in said.items() if key in KEPT}
        element = go.resolved(said.get("Elem"))
        if isinstance(element, dict) and "Schema" in element:
            yield from attributes(go, element["Schema"], f"{path}.")


def rule(go: Go, key: str, value: Any) -> Any:
    """Return a rule as it stands in the file: paths without the index of a single block, or a check and what it is called with."""
    if key in COMBINATIONS:
        return [path.replace(".0.", ".") for path in go.resolved(value) if isinstance(path, str)]
    return validation(go, value) if key in VALUES else value


def validation(go: Go, value: Any) -> Any:
    """Return a rule of one value: [NAME, what it is called with]."""
    return [value.text, *(simple(go, each) for each in value.arguments or ())] if isinstance(value, Name) else None


def simple(go: Go, value: Any) -> Any:
    """Return what a rule is called with: a text, a number, a list of them, a pattern, or another rule."""
    if isinstance(value, Name) and value.text == "regexp.MustCompile" and value.arguments:
        return simple(go, value.arguments[0])
    found = go.resolved(value)
    if isinstance(found, list):
        return [simple(go, each) for each in found]
    return validation(go, found) if isinstance(found, Name) else found


def rules(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rules of one resource's file by path."""
    go = Go(text)
    place = re.search(r"func Resource\w+\(\) \*schema\.Resource \{.*?\n\t\tSchema: +", text, re.DOTALL)
    assert place
    for path, said in attributes(go, Go(text).read(place.end())):
        found = {key: kept for key, value in said.items() if (kept := rule(go, key, value)) not in (None, False)}
        if found:
            yield path, found


def main(checkout: str, commit: str) -> None:
    """Write the file anew for the types that have rules and a file of the source describes whole."""
    lines = [f"# {SOURCE} at {commit}. Written by `python -m tests.terraform.read_provider`."]
    for kind in sorted(each for each in RESOURCES if with_rules(each)):
        names = [each.format(name=kind.removeprefix("google_")) for each in FILES]
        (path,) = (each for name in names for each in Path(checkout, "google", "services").glob(f"*/{name}"))
        lines += [f"{kind} {path} {json.dumps(said, sort_keys=True)}" for path, said in rules(path.read_text())]
    FILE.write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
