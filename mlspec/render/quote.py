r"""Quotes values for each language that mlspec renders: one function for each language, each tested with its real parser.

All text of a spec stays data: no part of it is read as code, as a template or as the end of a string.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping

from mlspec.spec.escaping import escape_text, in_double_quotes
from mlspec.state.resource import Json

_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_HCL_SPECIAL = re.compile(r'["\\]|[$%]\{')
_BACKTICK = "\\`"
_PYTHON_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def hcl_value(value: Json) -> str:
    """Return a value as an HCL expression on one line. Raises TypeError for values without a literal (NaN, infinities)."""
    if isinstance(value, str):
        return hcl_text(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        inside = ", ".join(f"{hcl_key(key)} = {hcl_value(inner)}" for key, inner in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(hcl_value(inner) for inner in value)}]"
    return _number_literal(value)


def hcl_text(text: str) -> str:
    """Return text as a quoted template without interpolation: `${` and `%{` are escaped by doubling, as HCL requires."""
    if text.isprintable() and not _HCL_SPECIAL.search(text):
        return f'"{text}"'
    return in_double_quotes(text).replace("${", "$${").replace("%{", "%%{")


def hcl_key(text: str) -> str:
    """Return text as the key of an object."""
    return text if _BARE_KEY.fullmatch(text) else hcl_text(text)


def hcl_map(value: Mapping[str, Json], indent: int) -> str:
    """Return a mapping over several lines, with the equals signs aligned as `terraform fmt` does."""
    if not value:
        return "{}"
    keys = {key: hcl_key(key) for key in value}
    width = max(map(len, keys.values()))
    lines = [f"{' ' * (indent + 2)}{keys[key]:<{width}} = {hcl_value(inner)}" for key, inner in value.items()]
    return "\n".join(["{", *lines, f"{' ' * indent}}}"])


def tf_name(text: str) -> str:
    """Return text as the name of a resource or block: unchanged if it is a valid name, else cleaned and with a digest."""
    if _BARE_KEY.fullmatch(text):
        return text
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', text)}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def python_value(value: Json) -> str:
    """Return a value as a Python literal, quoted as `ruff format` quotes. Raises TypeError for NaN and infinities."""
    if isinstance(value, str):
        return _python_text(value)
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{python_value(key)}: {python_value(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(python_value(inner) for inner in value)}]"
    return _number_literal(value)


def _python_text(text: str) -> str:
    # Double quotes, except where single quotes save escapes: the rule of the formatter.
    quote = "'" if text.count('"') > text.count("'") else '"'
    escaped = "".join(
        f"\\{quote}" if char == quote else _PYTHON_ESCAPES.get(char) or _python_char(char) for char in text
    )
    return f"{quote}{escaped}{quote}"


def _python_char(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode()


def _number_literal(value: Json) -> str:
    if not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__} has no literal")
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        raise TypeError(f"{value} has no literal") from None


def promql_text(text: str) -> str:
    """Return text as a PromQL string in double quotes (prometheus.io/docs/prometheus/latest/querying/basics, "String literals").

    PromQL follows Go's escapes.
    """
    return in_double_quotes(text)


def bigquery_name(text: str) -> str:
    """Return text as a quoted identifier of GoogleSQL, whose escapes are those of its strings.

    Source: cloud.google.com/bigquery/docs/reference/standard-sql/lexical, "Quoted identifiers".
    """
    return f"`{escape_text(text).replace('`', _BACKTICK)}`"


def markdown_code(text: str) -> str:
    """Return text as a code span of Markdown on one line (spec.commonmark.org/0.31.2/#code-spans).

    Nothing in a code span is markup, and GitHub and GitLab look in it for no mention, link or reference.
    """
    flat = "".join(map(_python_char, text))
    fence = "`" * (max((len(run) for run in re.findall("`+", flat)), default=0) + 1)
    # A space at both ends is taken off again. Without it a backtick at an end would lengthen the fence.
    is_padded = flat.startswith(("`", " ")) or flat.endswith(("`", " ")) or not flat
    return f"{fence} {flat} {fence}" if is_padded and flat.strip() else f"{fence}{flat or ' '}{fence}"


def html_code(text: str) -> str:
    """Return text as code in an HTML block of Markdown, on one line: markup has no meaning there, but HTML has."""
    return f"<code>{html.escape(''.join(map(_python_char, text)))}</code>"
