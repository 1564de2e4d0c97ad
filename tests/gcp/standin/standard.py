"""Google's standard methods, for every resource alike: Create, Get, List, Update, Delete, and IAM policies.

See google.aip.dev/131 to 136. What a service means by more than that stands in `services/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.empty_pb2 import Empty

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.filters import lookup, matcher
from tests.gcp.standin.iam.policies import Need
from tests.gcp.standin.refused import Refused, invalid, not_found
from tests.gcp.standin.rpcs import Rpc, snake
from tests.gcp.standin.rules import fields

PAGE = 100
Method = Callable[[Cloud, Rpc, Any], Any]


_LABEL_KEY, _LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")


def check_labels(resource: Any) -> None:
    """Raise Refused where labels break Google's rules for them (international letters are left out)."""
    labels = getattr(resource, "labels", {})
    wrong = [key for key, value in labels.items() if not (_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value))]
    if wrong or len(labels) > 64:
        raise invalid(f"labels are not valid: {', '.join(sorted(wrong)) or 'more than 64'}")


def copy(message: Any) -> Any:
    """Return a message's copy: what is kept is never what somebody holds."""
    found = type(message)()
    found.CopyFrom(message)
    return found


def create(cloud: Cloud, rpc: Rpc, request: Any) -> Any:
    """Keep a resource under the name that the request gives it, or under a number."""
    field = snake(rpc.name.removeprefix("Create"))
    parent = getattr(request, "parent", "") or getattr(request, "name", "")
    resource = copy(getattr(request, field))
    check_labels(resource)
    name = _new_name(cloud, parent, field, resource, request)
    if name in cloud.resources:
        raise _exists(name)
    resource.name = name

    def land() -> Any:
        if name in cloud.resources:
            raise _exists(name)
        cloud.stamp(resource, created=True)
        cloud.resources[name] = resource
        return resource

    return cloud.operations.start(parent, land) if rpc.long_running else land()


def _new_name(cloud: Cloud, parent: str, field: str, resource: Any, request: Any) -> str:
    if resource.name.startswith(f"{parent}/"):
        return str(resource.name)
    given = request.DESCRIPTOR.fields_by_name
    id_field = next((each for each in (f"{field}_id", f"{field.rpartition('_')[2]}_id") if each in given), None)
    own = (getattr(request, id_field) if id_field else "") or cloud.next_id()
    return f"{parent}/{collection(field)}/{own}"


def collection(field: str) -> str:
    """Return `batch_prediction_job` as the part of a name: `batchPredictionJobs`; a key is among `cryptoKeys`."""
    first, *rest = field.split("_")
    word = first + "".join(map(str.title, rest))
    return f"{word[:-1]}ies" if word.endswith("y") and word[-2] not in "aeiou" else f"{word}s"


def get(cloud: Cloud, rpc: Rpc, request: Any) -> Any:
    """Return the resource of the request's name."""
    return cloud.get(request.name)


def list_(cloud: Cloud, rpc: Rpc, request: Any) -> Any:
    """Return a page of what is below the parent and passes the filter."""
    plural = rpc.name.removeprefix("List")
    parent = getattr(request, "parent", "") or getattr(request, "name", "")
    return page(rpc, request, cloud.below(parent, plural[0].lower() + plural[1:]))


def page(rpc: Rpc, request: Any, found: Iterable[Any]) -> Any:
    """Return an answer with those of the found that pass the request's filter, from its page on."""
    test = matcher(getattr(request, "filter", ""))
    passed = [each for each in found if test(each)]
    for key, _, direction in reversed(
        [each.strip().partition(" ") for each in getattr(request, "order_by", "").split(",")]
    ):
        if key:
            passed.sort(key=lambda each: lookup(each, key), reverse=direction == "desc")
    start = int(request.page_token or 0)
    end = start + (request.page_size or PAGE)
    answer = rpc.response()
    field = next(each for each in rpc.response.DESCRIPTOR.fields if each.is_repeated and each.message_type)
    getattr(answer, field.name).extend(passed[start:end])
    if end < len(passed):
        answer.next_page_token = str(end)
    return answer


def update(cloud: Cloud, rpc: Rpc, request: Any) -> Any:
    """Change the fields that the mask names, or all that are set where there is none, or where the method takes none."""
    new = getattr(request, snake(rpc.name.removeprefix("Update")))
    current = cloud.get(new.name)
    check_labels(new)
    if getattr(new, "etag", "") not in {"", getattr(current, "etag", "")}:
        raise Refused("ABORTED", f"{new.name} has changed since: its etag is another.")
    changed = copy(current)
    merge(changed, new, list(request.update_mask.paths) if hasattr(request, "update_mask") else [])
    fields.check_unchanged(current, changed)

    def land() -> Any:
        current.CopyFrom(changed)
        cloud.stamp(current)
        return current

    parent = current.name.rsplit("/", 2)[0]
    return cloud.operations.start(parent, land) if rpc.long_running else land()


def merge(target: Any, new: Any, paths: list[str]) -> None:
    """Take from `new` what the paths of a field mask name. Raises Refused where a path names no field."""
    for path in paths or [field.name for field, _ in new.ListFields()]:
        into, source = target, new
        *above, last = path.split(".")
        for step in above:
            into, source = getattr(into, step, None), getattr(source, step, None)
        if into is None or last not in into.DESCRIPTOR.fields_by_name:
            raise invalid(f"Invalid field path in update_mask: {path}")
        into.ClearField(last)
        part = copy(source)
        for field, _ in source.ListFields():
            if field.name != last:
                part.ClearField(field.name)
        into.MergeFrom(part)


def delete(cloud: Cloud, rpc: Rpc, request: Any) -> Any:
    """Remove the resource of the request's name."""
    found = cloud.get(request.name)

    def land() -> Any:
        if cloud.resources.pop(request.name, None) is None:
            raise not_found(request.name)
        return found if rpc.response is type(found) else Empty()

    if rpc.long_running:
        return cloud.operations.start(request.name.rsplit("/", 2)[0], land)
    return land()


def set_iam_policy(cloud: Cloud, rpc: Rpc, request: Any) -> Any:
    """Keep a policy. What is evaluated is what a test grants: see `iam`."""
    cloud.policies[request.resource] = copy(request.policy)
    return request.policy


def get_iam_policy(cloud: Cloud, rpc: Rpc, request: Any) -> Any:
    """Return the policy kept, or an empty one."""
    return cloud.policies.get(request.resource, rpc.response(etag=b"0"))


def test_iam_permissions(cloud: Cloud, rpc: Rpc, request: Any) -> Any:
    """Return which of the asked permissions the caller has."""
    return rpc.response(permissions=cloud.granted(request.permissions, lambda each: Need(each, request.resource)))


_BY_NAME: dict[str, Method] = {
    "SetIamPolicy": set_iam_policy, "GetIamPolicy": get_iam_policy, "TestIamPermissions": test_iam_permissions,
}  # fmt: skip
_BY_VERB: dict[str, Method] = {"Create": create, "Get": get, "List": list_, "Update": update, "Delete": delete}


def method(name: str) -> Method | None:
    """Return the standard method that a name means, if it means one."""
    verb = next((each for each in _BY_VERB if name.startswith(each)), None)
    return _BY_NAME.get(name) or (_BY_VERB[verb] if verb else None)


def _exists(name: str) -> Refused:
    return Refused("ALREADY_EXISTS", f"Resource {name} already exists.")
