"""Text between double quotes, for the languages that share their escapes: HCL, PromQL and Google's filters.

It stands this far down because files that are rendered and calls that are made both need it.
"""

from __future__ import annotations

# What HCL's quoted templates know of escapes (github.com/hashicorp/hcl, hclsyntax/spec.md, "Quoted templates").
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def log_filter(text: str) -> str:
    """Return text as a string of Cloud Logging's and Monitoring's filter languages, in double quotes.

    Source: cloud.google.com/logging/docs/view/logging-query-language, "String literals and identifiers".
    """
    return in_double_quotes(text)


def in_double_quotes(text: str) -> str:
    """Return text as a string whose end is its last quote, whatever stands in it."""
    return f'"{escape_text(text)}"'


def escape_text(text: str) -> str:
    """Return text with its quotes, backslashes and unprintable characters escaped."""
    return "".join(_ESCAPES.get(char) or _escape_char(char) for char in text)


def _escape_char(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
