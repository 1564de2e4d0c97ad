"""The methods of Cloud Storage, by path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.iam.asked_rest import in_bucket
from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.rest import Request, Response, Route, answer, page
from tests.gcp.standin.services.storage.conditions import check
from tests.gcp.standin.services.storage.listing import listed
from tests.gcp.standin.services.storage.objects import Bucket, Object, Store
from tests.gcp.standin.services.storage.uploads import resume, upload

_BUCKET_OWN = {"kind", "id", "name", "selfLink", "metageneration", "timeCreated", "updated", "etag", "projectNumber"}


def _store(cloud: Cloud) -> Store:
    found: Store = cloud.service(Store)
    return found


def _target(cloud: Cloud, request: Request) -> Object:
    return _store(cloud).object(request.names["bucket"], request.names["object"], request.query.get("generation"))


def insert_bucket(cloud: Cloud, request: Request) -> Response:
    """Make a bucket: names are one for all."""
    store, said = _store(cloud), request.json()
    name = said.get("name", "")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", name):
        raise invalid(f"Invalid bucket name: '{name}'")
    if name in store.buckets:
        message = "Your previous request to create the named bucket succeeded and you already own it."
        raise Refused("ALREADY_EXISTS", message, reason="conflict")
    own = {key: value for key, value in said.items() if key not in _BUCKET_OWN}
    store.buckets[name] = Bucket(name, store.now(), request.query.get("project", ""), own)
    return answer(store.buckets[name].resource(), request.query.get("fields"))


def get_bucket(cloud: Cloud, request: Request) -> Response:
    """Return a bucket."""
    found = _store(cloud).bucket(request.names["bucket"])
    check(request.query, found, reads=True)
    return answer(found.resource(), request.query.get("fields"))


def list_buckets(cloud: Cloud, request: Request) -> Response:
    """Return a project's buckets."""
    prefix, project = request.query.get("prefix", ""), request.query.get("project", "")
    found = sorted(_store(cloud).buckets.values(), key=lambda each: each.name)
    own = [each for each in found if each.project == project and each.name.startswith(prefix)]
    items, token = page(own, request.query)
    return answer({"items": [each.resource() for each in items], **token}, request.query.get("fields"))


def patch_bucket(cloud: Cloud, request: Request) -> Response:
    """Change what a bucket says of itself."""
    found = _store(cloud).bucket(request.names["bucket"])
    check(request.query, found)
    changed = {**found.said, **{key: value for key, value in request.json().items() if key not in _BUCKET_OWN}}
    found.said = {key: value for key, value in changed.items() if value is not None}
    found.metageneration += 1
    return answer(found.resource(), request.query.get("fields"))


def delete_bucket(cloud: Cloud, request: Request) -> Response:
    """Remove a bucket that holds nothing, not even an old generation."""
    store = _store(cloud)
    found = store.bucket(request.names["bucket"])
    check(request.query, found)
    if found.objects:
        raise Refused("ALREADY_EXISTS", "The bucket you tried to delete is not empty.", reason="conflict")
    del store.buckets[found.name]
    return Response(204)


def test_permissions(cloud: Cloud, request: Request) -> Response:
    """Return which of the asked permissions the caller has."""
    bucket = _store(cloud).bucket(request.names["bucket"]).name
    asked = [each for each in request.query.get("permissions", "").split(",") if each]
    allowed = cloud.granted(asked, lambda each: in_bucket(cloud, each, bucket))
    return answer({"kind": "storage#testIamPermissionsResponse", "permissions": allowed})


def list_objects(cloud: Cloud, request: Request) -> Response:
    """Return a page of a bucket."""
    found = listed(_store(cloud).bucket(request.names["bucket"]), request.query)
    return answer(found, request.query.get("fields"))


def get_object(cloud: Cloud, request: Request) -> Response:
    """Return what is said of an object, or its bytes with `alt=media`."""
    found = _target(cloud, request)
    check(request.query, found, reads=True)
    if request.query.get("alt") == "media":
        return _media(found, request.headers.get("range"))
    return answer(found.resource(), request.query.get("fields"))


def read_object(cloud: Cloud, request: Request) -> Response:
    """Return an object's bytes, as the XML API does: Go's client reads by it, and so does Terraform its state."""
    return _media(_target(cloud, request), request.headers.get("range"))


def _media(found: Object, asked: str | None) -> Response:
    hashes = found.hashes
    headers = {
        "Content-Type": found.said["contentType"], "X-Goog-Generation": str(found.generation),
        "X-Goog-Metageneration": str(found.metageneration), "X-Goog-Stored-Content-Length": str(len(found.data)),
        "X-Goog-Stored-Content-Encoding": "identity", "Accept-Ranges": "bytes", "ETag": found.resource()["etag"],
        "X-Goog-Hash": f"crc32c={hashes['crc32c']},md5={hashes['md5Hash']}",
    }  # fmt: skip
    if asked is None:
        return Response(200, found.data, headers)
    first, last = _range(asked, len(found.data))
    headers["Content-Range"] = f"bytes {first}-{last}/{len(found.data)}"
    return Response(206, found.data[first : last + 1], headers)


def _range(asked: str, size: int) -> tuple[int, int]:
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
    if match is None or match.groups() == ("", ""):
        raise invalid(f"Invalid range: {asked}")
    first = int(match[1]) if match[1] else max(size - int(match[2]), 0)
    last = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
    if first > last:
        raise Refused(
            "OUT_OF_RANGE",
            "The requested range cannot be satisfied.",
            status=416,
            reason="requestedRangeNotSatisfiable",
        )
    return first, last


def patch_object(cloud: Cloud, request: Request) -> Response:
    """Change some of what an object says of itself."""
    return _change(cloud, request, whole=False)


def update_object(cloud: Cloud, request: Request) -> Response:
    """Replace what an object says of itself."""
    return _change(cloud, request, whole=True)


def _change(cloud: Cloud, request: Request, *, whole: bool) -> Response:
    found = _target(cloud, request)
    check(request.query, found)
    found.patch(request.json(), _store(cloud).now(), whole=whole)
    return answer(found.resource(), request.query.get("fields"))


def delete_object(cloud: Cloud, request: Request) -> Response:
    """Remove the live object, or one generation for good."""
    store, found = _store(cloud), _target(cloud, request)
    check(request.query, found)
    bucket = store.bucket(found.bucket)
    if "generation" in request.query:
        bucket.remove(found)
    else:
        bucket.retire(found.name, store.now())
    return Response(204)


def _copied(cloud: Cloud, request: Request) -> Object:
    store, names, query = _store(cloud), request.names, request.query
    source = store.object(names["bucket"], names["object"], query.get("sourceGeneration"))
    check(query, source, prefix="ifSource")
    bucket = store.bucket(names["to_bucket"])
    check(query, bucket.live(names["to_object"]))
    return store.write(bucket, names["to_object"], source.data, {**source.said, **request.json()})


def copy_object(cloud: Cloud, request: Request) -> Response:
    """Write another object's bytes under a name."""
    return answer(_copied(cloud, request).resource(), request.query.get("fields"))


def rewrite_object(cloud: Cloud, request: Request) -> Response:
    """Copy, as the clients do it; here it never takes more than one call."""
    found = _copied(cloud, request)
    size = str(len(found.data))
    done = {"kind": "storage#rewriteResponse", "done": True, "objectSize": size, "totalBytesRewritten": size}
    return answer({**done, "resource": found.resource()}, request.query.get("fields"))


def compose_object(cloud: Cloud, request: Request) -> Response:
    """Write the bytes of several objects, one after the other, under a name."""
    store, said = _store(cloud), request.json()
    bucket, name = store.bucket(request.names["bucket"]), request.names["object"]
    check(request.query, bucket.live(name))
    data = b"".join(_sources(store, bucket.name, said.get("sourceObjects", [])))
    return answer(store.write(bucket, name, data, said.get("destination", {})).resource())


def _sources(store: Store, bucket: str, named: list[dict[str, Any]]) -> Iterator[bytes]:
    for each in named:
        found = store.object(bucket, each["name"], each.get("generation"))
        check(each.get("objectPreconditions", {}), found)
        yield found.data


_B, _O = "/storage/v1/b/{bucket}", "/storage/v1/b/{bucket}/o/{object}"
_UPLOAD = "/upload/storage/v1/b/{bucket}/o"
_TO = "b/{to_bucket}/o/{to_object}"
ROUTES = [
    Route("GET", _O, "storage.objects.get", get_object),
    Route("GET", f"/download{_O}", "storage.objects.get", get_object),
    Route("GET", f"{_B}/o", "storage.objects.list", list_objects),
    Route("POST", _UPLOAD, "storage.objects.insert", upload),
    Route("PUT", _UPLOAD, "storage.objects.insert", resume),
    Route("PATCH", _O, "storage.objects.patch", patch_object),
    Route("PUT", _O, "storage.objects.update", update_object),
    Route("DELETE", _O, "storage.objects.delete", delete_object),
    Route("POST", f"{_O}/copyTo/{_TO}", "storage.objects.copy", copy_object),
    Route("POST", f"{_O}/rewriteTo/{_TO}", "storage.objects.rewrite", rewrite_object),
    Route("POST", f"{_O}/compose", "storage.objects.compose", compose_object),
    Route("POST", "/storage/v1/b", "storage.buckets.create", insert_bucket),
    Route("GET", "/storage/v1/b", "storage.buckets.list", list_buckets),
    Route("GET", _B, "storage.buckets.get", get_bucket),
    Route("PATCH", _B, "storage.buckets.update", patch_bucket),
    Route("DELETE", _B, "storage.buckets.delete", delete_bucket),
    Route("GET", f"{_B}/iam/testPermissions", "storage.buckets.testIamPermissions", test_permissions),
    Route("GET", "/{bucket}/{+object}", "storage.objects.get", read_object),
]
