"""The three ways to send an object: media alone, both parts at once, and resumable, in pieces."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.rest import Json, Request, Response, answer
from tests.gcp.standin.services.storage.conditions import check
from tests.gcp.standin.services.storage.objects import HOST, Store

PIECE = 256 * 1024  # every piece but the last is a multiple of it


@dataclass
class Upload:
    """A resumable upload that has begun."""

    request: Request
    said: Json
    data: bytes = b""
    finished: Response | None = None


def upload(cloud: Cloud, request: Request) -> Response:
    """Take an object in one request, or begin a resumable upload."""
    kind = request.query.get("uploadType")
    if kind == "resumable":
        return _begin(cloud.service(Store), request)
    if kind == "multipart":
        said, content_type, data = request.parts
    elif kind == "media":
        said, content_type, data = {}, request.headers.get("content-type", ""), request.body
    else:
        raise invalid(f"Invalid uploadType: {kind}")
    return _insert(cloud.service(Store), request, {"contentType": content_type, **said}, data)


def _insert(store: Store, request: Request, said: Json, data: bytes) -> Response:
    bucket = store.bucket(request.names["bucket"])
    name = said.get("name") or request.query.get("name")
    if not name:
        raise Refused("INVALID_ARGUMENT", "Required", reason="required")
    check(request.query, bucket.live(name))
    return answer(store.write(bucket, name, data, said).resource(), request.query.get("fields"))


def _begin(store: Store, request: Request) -> Response:
    said = request.json()
    bucket, name = store.bucket(request.names["bucket"]), said.get("name") or request.query.get("name", "")
    check(request.query, bucket.live(name))
    kind = request.headers.get("x-upload-content-type")
    key = f"upload-{store.new_id()}"
    store.uploads[key] = Upload(request, {**({"contentType": kind} if kind else {}), **said})
    query = "&".join(f"{one}={value}" for one, value in {"uploadType": "resumable", "upload_id": key}.items())
    return Response(200, b"", {"Location": f"{HOST}{request.path}?{query}", "X-GUploader-UploadID": key})


def resume(cloud: Cloud, request: Request) -> Response:
    """Take a piece; with the last one the object is there. `bytes */N` asks how much has arrived."""
    store: Store = cloud.service(Store)
    found = store.uploads.get(request.query.get("upload_id", ""))
    if found is None:
        raise Refused("NOT_FOUND", "Not Found", status=404)
    if found.finished is not None:
        return found.finished  # the caller lost the answer and asks again
    first, last, total = _range(request)
    if first is not None:
        if first > len(found.data):
            raise Refused("UNAVAILABLE", f"pieces are missing from {len(found.data)} on", status=503)
        found.data = found.data[:first] + request.body
    if total is None or len(found.data) < total:
        if last is not None and total is None and len(request.body) % PIECE:
            raise invalid(f"a piece that is not the last must be a multiple of {PIECE} bytes")
        return Response(308, b"", {"Range": f"bytes=0-{len(found.data) - 1}"} if found.data else {})
    found.finished = _insert(store, found.request, found.said, found.data)
    return found.finished


def _range(request: Request) -> tuple[int | None, int | None, int | None]:
    given = request.headers.get("content-range")
    if given is None:
        return 0, None, len(request.body)
    match = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", given)
    if match is None:
        raise invalid(f"Failed to parse Content-Range header: {given}")
    first, last = (int(each) if each else None for each in match.groups()[:2])
    return first, last, None if match[3] == "*" else int(match[3])
