"""What a person may do on a page with `mlspec serve --allow-actions`: silence, roll back, hold, resume, send notices again.

Each action has a form that says what will happen, asks for author and reason, and has to be confirmed. The history keeps both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

from mlspec.engine.rollback_preview import RollbackPreview
from mlspec.errors import UsageError
from mlspec.plan.manual_words import read_words
from mlspec.spec.duration import parse_duration
from mlspec.web.problem import ClientError

ACTIONS = ("silence", "rollback", "hold", "resume", "notices")
_FORM = "application/x-www-form-urlencoded"
_MOST_BYTES, _MOST_FIELDS = 16_384, 20
_LONGEST = {"author": 80, "reason": 500}


@dataclass(frozen=True, slots=True)
class ActionOrder:
    """One action on a forecast: which (of `ACTIONS`), by whom and why.

    `alert` and `span` are those of a silence. A rollback goes to `release`, if `serves` is still what serves, as its preview said.
    """

    forecast: str
    action: str
    author: str
    reason: str
    alert: str = ""
    span: timedelta = timedelta(0)
    release: int = 0
    serves: str = ""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """A sentence on what was done; `is_over` is False if it still goes on, in a process of its own."""

    sentence: str
    is_over: bool = True


class ActionRunner(Protocol):
    """Carries actions out, and says beforehand what a rollback would do."""

    def carry_out(self, order: ActionOrder) -> ActionResult:
        """Do it. Raises what the commands raise."""
        ...

    def preview_rollback(self, forecast: str, release: int | None) -> RollbackPreview:
        """Return what a rollback to a release would do, or to the newest good one. Raises what the rollback raises."""
        ...


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form. Raises ClientError if it comes from another site, is no form or is too large."""
    _refuse_other_sites(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise ClientError(f"expected Content-Type: {_FORM}", 415)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise ClientError(f"the form is larger than {_MOST_BYTES:,} bytes", 413, {"connection": "close"})
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise ClientError(f"the form has more than {_MOST_FIELDS} fields", 400) from error
    return {name: values[0] for name, values in fields.items()}


def _refuse_other_sites(request: Request) -> None:
    """Refuse a request that a browser says another site made it send. The token of the form is the other half of this."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = urlsplit(origin).netloc == request.headers.get("host") if origin else True
    if not own or site not in (None, "same-origin"):
        raise ClientError("a page of another site cannot act here: open the form on this server's own page", 403)


def read_order(forecast: str, action: str, fields: Mapping[str, str]) -> ActionOrder:
    """Return the order that a form makes. Raises UsageError if something is missing."""
    if fields.get("confirmed") != "yes":
        raise UsageError("the action was not confirmed, so nothing was done", hint="tick the box above the button")
    texts = {name: read_words(name, fields.get(name, ""), longest) for name, longest in _LONGEST.items()}
    order = ActionOrder(forecast, action, texts["author"], texts["reason"])
    if action == "rollback":
        return replace(order, release=_read_release(fields), serves=fields.get("serves", "")[: _LONGEST["author"]])
    return _with_silence(order, fields) if action == "silence" else order


def _read_release(fields: Mapping[str, str]) -> int:
    release, serves = fields.get("release", ""), fields.get("serves", "")
    if not (release.isascii() and release.isdecimal() and len(release) < 10 and serves):
        raise UsageError("the form does not say what to go back to, and from what", hint="open the form again")
    return int(release)


def _with_silence(order: ActionOrder, fields: Mapping[str, str]) -> ActionOrder:
    try:
        span = parse_duration(fields.get("span", ""))
    except ValueError as error:
        raise UsageError(f"the time is '{fields.get('span', '')[:40]}': {error}", hint="such as 2d or 30m") from error
    if span <= timedelta(0):
        raise UsageError("the time has to be longer than 0", hint="such as 2d")
    return replace(order, alert=fields.get("alert", ""), span=span)
