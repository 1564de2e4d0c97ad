"""What every log record may need to know: the forecast that is being worked on, and the secrets that must not be shown.

Whoever begins a forecast's work opens a `forecast_scope`; whoever reads a secret calls `hide_secret`. The command line's formatters
(`cli/log_setup.py`) read both. Nothing here writes a log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

HIDDEN = "[secret]"
_SHORTEST = 6  # characters: a shorter text stands in too many innocent words
_SHORTEST_PATH = 8  # a path such as /hook is no secret

_scope: ContextVar[Mapping[str, str]] = ContextVar("mlspec_log_fields", default={})  # noqa: B039  (never written to)
_secrets: set[str] = set()


@contextmanager
def forecast_scope(forecast: str, step: str | None = None) -> Iterator[None]:
    """Name the forecast, and its step, in every record that is logged inside the block.

    An exception that leaves the block keeps these names, for whoever logs it outside.
    """
    fields = {"forecast": forecast, **({"step": step} if step else {})}
    token = _scope.set(fields)
    try:
        yield
    except BaseException as error:
        vars(error).setdefault("_log_fields", fields)
        raise
    finally:
        _scope.reset(token)


def scope_fields(error: BaseException | None = None) -> Mapping[str, str]:
    """Return the fields of the open scope; outside of one, those of the scope that `error` left."""
    return _scope.get() or (vars(error).get("_log_fields", {}) if error else {})


def hide_secret(value: str) -> str:
    """Remember that a text is secret, and return it. An address hides its path, its fragment and its password as well.

    Libraries log parts: urllib3 the path of a request, a database its password. Texts of fewer than six characters are not hidden.
    """
    from urllib.parse import quote  # not at import: every command imports this module

    texts = [value, *value.splitlines(), *_parts_of_address(value)]
    for text in texts:
        if len(text) >= _SHORTEST:
            _secrets.update({text, quote(text, safe=""), quote(text), repr(text)[1:-1]})
    return value


def _parts_of_address(value: str) -> Iterator[str]:
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return
    if not parts.scheme or not parts.netloc:
        return
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    if len(path) >= _SHORTEST_PATH:
        yield parts._replace(fragment="").geturl()
        yield path
    yield parts.fragment
    if parts.password:
        yield from (parts.password, unquote(parts.password))


def without_known_secrets(text: str) -> str:
    """Return `text` with every text that was given to `hide_secret` replaced by a word that says so."""
    present = sorted((secret for secret in _secrets if secret in text), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, present)), HIDDEN, text) if present else text
