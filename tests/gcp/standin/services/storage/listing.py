"""A page of a bucket: prefixes stand for what lies deeper than the delimiter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tests.gcp.standin.refused import invalid
from tests.gcp.standin.rest import Json, page
from tests.gcp.standin.services.storage.objects import Bucket, Object

_KNOWN = {
    "prefix", "delimiter", "includeTrailingDelimiter", "startOffset", "endOffset", "versions", "maxResults", "pageToken",
    "fields", "projection", "prettyPrint", "alt", "matchGlob",
}  # fmt: skip


def listed(bucket: Bucket, query: Mapping[str, str]) -> Json:
    """Return the answer of objects.list. Raises Refused where the query asks for what the stand-in does not know."""
    unknown = query.keys() - _KNOWN
    if unknown:
        raise invalid(f"the stand-in does not know {', '.join(sorted(unknown))} of objects.list")
    items, token = page(_entries(bucket, query), query)
    objects = [each.resource() for each in items if isinstance(each, Object)]
    prefixes = [each for each in items if isinstance(each, str)]
    found: Json = {"kind": "storage#objects", **token}
    return {**found, **({"items": objects} if objects else {}), **({"prefixes": prefixes} if prefixes else {})}


def _entries(bucket: Bucket, query: Mapping[str, str]) -> Iterator[Object | str]:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
    first, end = query.get("startOffset", ""), query.get("endOffset")
    seen = set()
    means = _glob(query["matchGlob"]) if query.get("matchGlob") else None
    for each in bucket.each(versions=query.get("versions", "").lower() == "true"):
        if not each.name.startswith(prefix) or each.name < first or (end and each.name >= end):
            continue
        if means is not None and not means.fullmatch(each.name):
            continue
        head, found, _ = each.name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        if not found:
            yield each
        elif (folder := f"{prefix}{head}{delimiter}") not in seen:
            seen.add(folder)
            yield folder


def _glob(text: str) -> re.Pattern[str]:
    """Return what a glob means: * is any letters but a slash, ? one of them; the rest of the syntax the stand-in does not know."""
    if wrong := sorted(set(text) & set("[]{}")) or "**" in text:
        raise invalid(f"the stand-in does not know {wrong} in matchGlob")
    return re.compile("".join({"*": "[^/]*", "?": "[^/]"}.get(each, re.escape(each)) for each in text))
