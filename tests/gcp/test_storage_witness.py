"""The bucket that holds the record, told whole: the stand-in and Google's own testbench for Cloud Storage answer alike.

The testbench (https://github.com/googleapis/storage-testbench) is a second witness for who has it: start it, and name its address
in STORAGE_TESTBENCH, such as http://127.0.0.1:9000. Without it the stand-in alone is asked. Where the testbench is laxer than
Google's pages (release 0.45 gives overwritten generations and more results than were asked for), the stand-in is held to the pages.
"""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from google.api_core.exceptions import NotFound
from google.auth.credentials import AnonymousCredentials

from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.record.bucket import NEW, Bucket, NoBucket, WriteConflict

WITNESSES = ["standin", *(["testbench"] if "STORAGE_TESTBENCH" in os.environ else [])]
LARGE = 9 << 20  # bytes: more than the client sends in one request


@pytest.fixture(params=WITNESSES)
def clients(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    project = "acme-forecasts"
    if request.param == "standin":
        project = request.getfixturevalue("standin").project
    else:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", os.environ["STORAGE_TESTBENCH"])
        monkeypatch.setattr("google.auth.default", lambda *_, **__: (AnonymousCredentials(), project))
    found = Clients(project, "southamerica-east1")
    yield found
    found.close()


@pytest.fixture
def bucket(clients: Clients) -> Bucket:
    """A bucket of the test's own: the testbench keeps what earlier runs wrote."""
    name = f"acme-state-{uuid.uuid4().hex[:12]}"
    clients.storage.create_bucket(name)
    return Bucket(clients, name)


def refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except WriteConflict:
        return True
    return False


def test_an_object_is_written_only_over_the_generation_that_was_read(bucket: Bucket) -> None:
    first = bucket.write_object("state/demand", b"one", NEW)
    assert first > NEW
    assert refused(lambda: bucket.write_object("state/demand", b"two", NEW))
    assert refused(lambda: bucket.write_object("state/demand", b"two", first + 1))
    second = bucket.write_object("state/demand", b"two", first)
    assert second > first
    assert refused(lambda: bucket.write_object("state/demand", b"three", first))
    content, stored = bucket.read_object("state/demand") or (b"", None)
    assert content == b"two"
    assert stored is not None
    assert (stored.name, stored.generation, stored.size) == ("state/demand", second, 3)
    assert stored.checksum == base64.b64encode(google_crc32c.Checksum(b"two").digest()).decode()
    assert [key for key in stored.metadata if not key.startswith("x_")] == ["mlspec-write"]  # x_: the testbench's own


@pytest.mark.parametrize("clients", ["standin"], indirect=True)
def test_a_generation_that_was_overwritten_is_gone(bucket: Bucket) -> None:
    generation = bucket.write_object("a", b"one", NEW)
    before = bucket.find_object("a")
    bucket.write_object("a", b"two", generation)
    assert before is not None
    with pytest.raises(NotFound):
        bucket.read_generation(before)


@pytest.mark.parametrize("clients", ["standin"], indirect=True)
def test_no_more_objects_are_listed_than_were_asked_for(bucket: Bucket) -> None:
    for name in ("runs/a", "runs/b"):
        bucket.write_object(name, b"", NEW)
    assert [stored.name for stored in bucket.list_objects("runs/", most=1)] == ["runs/a"]


def test_what_is_not_there_is_not_found(bucket: Bucket) -> None:
    assert bucket.find_object("b") is None
    assert bucket.read_object("b") is None


def test_objects_are_listed_by_name_prefix_and_pattern(bucket: Bucket) -> None:
    for name in ("runs/b/2", "runs/a/1", "runs/a/10", "runs/é ü", "other"):
        bucket.write_object(name, name.encode(), NEW)
    assert [stored.name for stored in bucket.list_objects("runs/")] == ["runs/a/1", "runs/a/10", "runs/b/2", "runs/é ü"]
    assert [stored.name for stored in bucket.list_objects("runs/", glob="runs/*/1*")] == ["runs/a/1", "runs/a/10"]
    assert bucket.list_objects("nothing/") == ()


def test_an_object_is_removed_only_at_the_generation_that_is_named(bucket: Bucket) -> None:
    generation = bucket.write_object("lease", b"mine", NEW)
    bucket.delete_object("lease", generation + 1)
    assert bucket.find_object("lease") is not None
    bucket.delete_object("lease", generation)
    assert bucket.find_object("lease") is None
    bucket.delete_object("lease")
    assert bucket.write_object("lease", b"again", NEW) != generation


def test_a_copy_never_overwrites(bucket: Bucket) -> None:
    bucket.write_object("from", b"one", NEW)
    bucket.copy_object("from", "to")
    bucket.write_object("other", b"two", NEW)
    bucket.copy_object("other", "to")
    assert (bucket.read_object("to") or (b"",))[0] == b"one"
    with pytest.raises(NotFound):
        bucket.copy_object("nothing", "elsewhere")


def test_a_large_file_is_uploaded_in_parts_and_comes_back_whole(bucket: Bucket, tmp_path: Path) -> None:
    source, copy = tmp_path / "panel", tmp_path / "copy"
    source.write_bytes(os.urandom(1 << 16) * (LARGE >> 16))
    bucket.upload_file("artifacts/panel", source)
    assert refused(lambda: bucket.upload_file("artifacts/panel", source))
    bucket.download_file("artifacts/panel", copy)
    assert copy.read_bytes() == source.read_bytes()


def test_a_bucket_that_is_missing_is_named(clients: Clients) -> None:
    missing = Bucket(clients, f"acme-none-{uuid.uuid4().hex[:12]}")
    with pytest.raises(NoBucket, match="there is no bucket"):
        missing.list_objects("")
    with pytest.raises(NoBucket, match="there is no bucket"):
        missing.write_object("a", b"", NEW)
