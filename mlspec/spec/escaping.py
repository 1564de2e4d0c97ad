"""Quotes text for the languages with the same escapes in double quotes: HCL, PromQL and Google's filters.

It is in `spec`, the lowest layer, because both rendered files and API calls need it.
"""

from __future__ import annotations

# The escapes of HCL's quoted templates (github.com/hashicorp/hcl, hclsyntax/spec.md, "Quoted templates").
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def log_filter(text: str) -> str:
    """Return text as a string of Cloud Logging's and Monitoring's filter languages, in double quotes.

    Source: cloud.google.com/logging/docs/view/logging-query-language, "String literals and identifiers".
    """
    return in_double_quotes(text)


def in_double_quotes(text: str) -> str:
    """Return text in double quotes, escaped so that nothing in it ends the string early."""
    return f'"{escape_text(text)}"'


def escape_text(text: str) -> str:
    """Return text with its quotes, backslashes and unprintable characters escaped."""
    return "".join(_ESCAPES.get(char) or _escape_char(char) for char in text)


def _escape_char(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
