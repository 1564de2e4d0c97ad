"""Cloud Storage's own client, unchanged: generations, preconditions, pages, pieces."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud.storage import Bucket, Client

from tests.gcp.standin.harness import Running
from tests.terraform.harness import Terraform
from tests.tools import needs


@pytest.fixture
def client(standin: Running) -> Iterator[Client]:
    with Client() as found:
        yield found


@pytest.fixture
def bucket(client: Client) -> Bucket:
    return client.create_bucket("acme-state")


def test_what_is_written_is_read_with_its_hashes_and_metadata(bucket: Bucket) -> None:
    blob = bucket.blob("folder/état.json")
    blob.metadata = {"serial": "7"}
    blob.upload_from_string(b"\r\n{}\n\xff", content_type="application/json")
    found = bucket.get_blob("folder/état.json")
    assert found is not None
    assert found.download_as_bytes() == b"\r\n{}\n\xff"
    assert (found.content_type, found.metadata, found.size) == ("application/json", {"serial": "7"}, 6)
    assert found.md5_hash == base64.b64encode(hashlib.md5(b"\r\n{}\n\xff").digest()).decode()
    assert found.crc32c == base64.b64encode(google_crc32c.Checksum(b"\r\n{}\n\xff").digest()).decode()
    assert found.metageneration == 1


def test_every_write_is_a_greater_generation(bucket: Bucket) -> None:
    generations = []
    for text in ("one", "two", "three"):
        blob = bucket.blob("x")
        blob.upload_from_string(text)
        generations.append(blob.generation)
    assert generations == sorted(set(generations))


def test_a_write_may_ask_that_nothing_is_there(bucket: Bucket) -> None:
    bucket.blob("lock").upload_from_string("mine", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("lock").upload_from_string("theirs", if_generation_match=0)
    assert bucket.blob("lock").download_as_bytes() == b"mine"


def test_a_write_may_ask_for_the_generation_that_was_read(bucket: Bucket) -> None:
    blob = bucket.blob("x")
    blob.upload_from_string("one")
    read = blob.generation
    bucket.blob("x").upload_from_string("two", if_generation_match=read)
    with pytest.raises(PreconditionFailed):
        bucket.blob("x").upload_from_string("three", if_generation_match=read)
    with pytest.raises(PreconditionFailed):
        bucket.blob("never").upload_from_string("x", if_generation_match=read)


def test_a_change_of_metadata_is_a_metageneration(bucket: Bucket) -> None:
    blob = bucket.blob("x")
    blob.upload_from_string("one")
    blob.metadata = {"a": "1", "b": "2"}
    blob.patch(if_metageneration_match=1)
    assert (blob.metageneration, blob.metadata) == (2, {"a": "1", "b": "2"})
    blob.metadata = {"a": None, "b": "3"}
    blob.patch()
    assert blob.metadata == {"b": "3"}
    with pytest.raises(PreconditionFailed):
        blob.patch(if_metageneration_match=1)


def test_what_has_not_changed_is_not_sent_again(bucket: Bucket) -> None:
    blob = bucket.blob("x")
    blob.upload_from_string("one")
    with pytest.raises(Exception, match="304"):
        blob.download_as_bytes(if_generation_not_match=blob.generation)


def test_a_generation_that_is_gone_is_not_found(bucket: Bucket) -> None:
    blob = bucket.blob("x")
    blob.upload_from_string("one")
    old = blob.generation
    blob.upload_from_string("two")
    assert bucket.get_blob("x", generation=old) is None
    assert bucket.blob("x", generation=blob.generation).download_as_bytes() == b"two"
    with pytest.raises(NotFound):
        bucket.blob("y").download_as_bytes()


def test_a_versioned_bucket_keeps_what_was(client: Client) -> None:
    bucket = client.bucket("acme-kept")
    bucket.versioning_enabled = True
    client.create_bucket(bucket)
    for text in ("one", "two"):
        bucket.blob("x").upload_from_string(text)
    bucket.blob("x").delete()
    assert list(client.list_blobs(bucket)) == []
    kept = list(client.list_blobs(bucket, versions=True))
    assert [bucket.blob("x", generation=each.generation).download_as_bytes() for each in kept] == [b"one", b"two"]
    with pytest.raises(Conflict):
        bucket.delete()


def test_a_delete_may_ask_for_a_generation_and_is_not_found_twice(bucket: Bucket) -> None:
    blob = bucket.blob("x")
    blob.upload_from_string("one")
    with pytest.raises(PreconditionFailed):
        bucket.blob("x").delete(if_generation_match=1)
    bucket.blob("x").delete(if_generation_match=blob.generation)
    with pytest.raises(NotFound):
        bucket.blob("x").delete()


def test_a_list_has_prefixes_pages_and_only_the_fields_asked_for(client: Client, bucket: Bucket) -> None:
    for name in ("a/1", "a/2", "a/b/3", "a/b/4", "z"):
        bucket.blob(name).upload_from_string(name)
    found = client.list_blobs(bucket, prefix="a/", delimiter="/", page_size=1)
    assert [blob.name for blob in found] == ["a/1", "a/2"]
    assert found.prefixes == {"a/b/"}
    partial = list(client.list_blobs(bucket, fields="items(name,size),nextPageToken"))
    assert [(blob.name, blob.size, blob.generation) for blob in partial][-1] == ("z", 1, None)
    assert len(partial) == 5


def test_a_large_object_goes_in_pieces(bucket: Bucket) -> None:
    data = bytes(range(256)) * 4096
    blob = bucket.blob("large", chunk_size=256 * 1024)
    with blob.open("wb") as file:
        file.write(data)
    assert bucket.blob("large").download_as_bytes() == data
    assert bucket.blob("large").download_as_bytes(start=1000, end=1999) == data[1000:2000]
    assert blob.download_as_bytes(raw_download=True) == data


def test_a_piecewise_write_keeps_its_precondition(bucket: Bucket) -> None:
    bucket.blob("x").upload_from_string("there")
    # Without a size, the client writes in pieces. `open` would, too: a writer that was refused tries again when it is collected.
    with pytest.raises(PreconditionFailed):
        bucket.blob("x").upload_from_file(io.BytesIO(b"x" * 10), if_generation_match=0)


def test_a_copy_is_made_there(bucket: Bucket) -> None:
    blob = bucket.blob("x")
    blob.metadata = {"serial": "1"}
    blob.upload_from_string("one")
    copied = bucket.copy_blob(blob, bucket, "y", if_generation_match=0, if_source_generation_match=blob.generation)
    assert (copied.download_as_bytes(), bucket.get_blob("y").metadata) == (b"one", {"serial": "1"})
    with pytest.raises(PreconditionFailed):
        bucket.blob("y").rewrite(blob, if_generation_match=0)
    assert bucket.blob("z").rewrite(blob)[0] is None


def test_bytes_that_were_damaged_on_the_way_are_refused(bucket: Bucket) -> None:
    blob = bucket.blob("x")
    blob.md5_hash = base64.b64encode(b"\0" * 16).decode()
    with pytest.raises(BadRequest, match="md5"):
        blob.upload_from_string("one", checksum=None)
    assert not bucket.blob("x").exists()


def test_a_bucket_is_one_of_its_kind_and_stays_while_it_holds_something(client: Client, bucket: Bucket) -> None:
    with pytest.raises(Conflict):
        client.create_bucket("acme-state")
    bucket.blob("x").upload_from_string("one")
    with pytest.raises(Conflict):
        bucket.delete()
    assert [each.name for each in client.list_buckets()] == ["acme-state"]
    assert client.lookup_bucket("nobody-has-this") is None
    assert bucket.test_iam_permissions(["storage.objects.get", "storage.objects.create"]) == [
        "storage.objects.get", "storage.objects.create",
    ]  # fmt: skip


STATE = """\
terraform {
  backend "gcs" {
    bucket = "acme-state"
    prefix = "terraform"
  }
}
resource "terraform_data" "kept" { input = "here" }
"""


def test_terraform_keeps_its_state_in_a_bucket_and_one_writes_at_a_time(
    standin: Running, bucket: Bucket, tmp_path: Path
) -> None:
    """Its own backend, unchanged: Go's client sends in chunks and reads by the XML API."""
    (tmp_path / "main.tf").write_text(STATE)
    found = {**standin.environment, "HOME": str(tmp_path), "CHECKPOINT_DISABLE": "1"}
    terraform = Terraform(tmp_path, found, needs("terraform"))
    terraform.run("init", "-no-color").expect(0)
    terraform.apply().expect(0)
    state = json.loads(bucket.blob("terraform/default.tfstate").download_as_bytes())
    assert [each["name"] for each in state["resources"]] == ["kept"]
    assert terraform.state()["terraform_data.kept"]["input"] == "here"
    terraform.plan().expect(0)
    bucket.blob("terraform/default.tflock").upload_from_string('{"ID": "theirs"}')
    assert "Error acquiring the state lock" in terraform.apply().text
