"""JSON over HTTP as Google's services speak it: requests, answers, routes, partial answers, errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid

Json = dict[str, Any]
_MADE_UP = rb"=+\d+==|\"(jobId|requestId)\": *\"[^\"]*\""
"""Boundaries between the parts of a body, and ids by which a service knows a request again; an upload's id is another."""


@dataclass(frozen=True)
class Request:
    """What arrived. `names` are the parts of the path that the route names, unquoted."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    names: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Json:
        """Return the body. Raises Refused."""
        return _json(self.body)

    @property
    def asked(self) -> str:
        """What tells this from any other request, but for what a client makes up anew when it asks again."""
        body = re.sub(_MADE_UP, b"", self.body)
        query = sorted((key, value) for key, value in self.query.items() if key != "upload_id")
        return f"{self.method} {self.path} {query} {sha256(body).hexdigest()}"

    @cached_property
    def parts(self) -> tuple[Json, str, bytes]:
        """A multipart body (RFC 2046): the JSON part, then the other's type and its bytes as they were sent. Raises Refused."""
        boundary = re.match(r'multipart/.*boundary="?([^";]+)', self.headers.get("content-type", ""))
        found = self.body.split(b"--" + boundary[1].encode()) if boundary else []
        if len(found) < 3:
            raise invalid("the body is not multipart")
        (_, said), (head, data) = (_split_part(each) for each in found[1:3])
        kind = re.search(rb"(?im)^content-type: *([^;\r\n]+)", head)
        return _json(said), kind[1].decode() if kind else "text/plain", data


def _split_part(part: bytes) -> tuple[bytes, bytes]:
    """Return the head and the content of one part of a body."""
    head, _, content = part.partition(b"\r\n\r\n")
    return head, content.removesuffix(b"\r\n")


@dataclass(frozen=True)
class Response:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Cloud, Request], Response]


@dataclass(frozen=True)
class Route:
    """A method and a path with names in braces, `{+name}` where one may hold slashes.

    `audited` is the call's name in Google's audit log.
    """

    method: str
    path: str
    audited: str
    handler: Handler

    def match(self, method: str, path: str) -> Mapping[str, str] | None:
        """Return the names, or None where it is another's."""
        found = _pattern(self.path).fullmatch(path) if method == self.method else None
        return None if found is None else {key: unquote(value) for key, value in found.groupdict().items()}


@cache
def _pattern(path: str) -> re.Pattern[str]:
    """Return what a route's path looks like, with its names as groups; each call is held against many routes."""
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/:]+)", re.escape(path))
    return re.compile(re.sub(r"\\\{\\\+(\w+)\\\}", r"(?P<\1>.+)", pattern))


def answer(found: Any, fields: str | None = None, *, status: int = 200) -> Response:
    """Return JSON, cut down to `fields` where the caller asked for a part."""
    chosen = _chosen(found, _mask(fields)) if fields else found
    return Response(status, json.dumps(chosen).encode(), {"Content-Type": "application/json; charset=UTF-8"})


def error(refused: Refused) -> Response:
    """Return the JSON of an error, as Google's APIs answer it."""
    if refused.reason == "invalid_grant":  # the token endpoint follows RFC 6749
        return answer({"error": refused.reason, "error_description": refused.message}, status=refused.status)
    one = {"message": refused.message, "domain": "global", "reason": refused.reason}
    said: Json = {"code": refused.status, "message": refused.message, "status": refused.code, "errors": [one]}
    if refused.service:
        info = {"reason": "SERVICE_DISABLED", "domain": "googleapis.com", "metadata": {"service": refused.service}}
        said["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}]
    found = answer({"error": said}, status=refused.status)
    retry = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    return Response(found.status, found.body, {**found.headers, **retry})


def _json(body: bytes) -> Json:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        raise invalid("Parse Error: the body is no JSON") from None
    if not isinstance(found, dict):
        raise invalid("Parse Error: the body is no JSON object")
    return found


def _mask(fields: str) -> Json:
    """Return `items(name,size),nextPageToken` as nested dictionaries."""
    found: Json = {}
    into, path, deeper = found, found, []
    for word in re.findall(r"[^,()/]+|[,()/]", fields):
        if word == "/":
            pass
        elif word == "(":
            deeper.append(into)
            into = path
        elif word == ")":
            into = path = deeper.pop()
        elif word == ",":
            path = into
        else:
            path = path.setdefault(word.strip(), {})
    return found


def _chosen(found: Any, mask: Json) -> Any:
    if not mask or "*" in mask:
        return found
    if isinstance(found, list):
        return [_chosen(each, mask) for each in found]
    if not isinstance(found, dict):
        return found
    return {key: _chosen(value, mask[key]) for key, value in found.items() if key in mask}


def page(found: Iterable[Any], query: Mapping[str, str], size: int = 1000) -> tuple[list[Any], Json]:
    """Return one page of what was found, and the token of the next as it stands in an answer."""
    items = list(found)
    start = int(query.get("pageToken") or 0)
    end = start + min(int(query.get("maxResults") or query.get("pageSize") or size), size)
    return items[start:end], {"nextPageToken": str(end)} if end < len(items) else {}
