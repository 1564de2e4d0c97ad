"""What goes wrong by order of a test, what was called, and what must not be reached."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import requests
from google.api_core.exceptions import (
    Forbidden,
    PermissionDenied,
    PreconditionFailed,
    ServiceUnavailable,
    TooManyRequests,
    Unauthenticated,
)
from google.api_core.retry import Retry
from google.cloud import aiplatform_v1 as vertex
from google.cloud import storage
from google.oauth2.credentials import Credentials

from tests.gcp.standin.harness import ROOT, Running

ENDPOINTS = "google.cloud.aiplatform.v1.EndpointService"
PARENT = "projects/acme-test/locations/us-central1"
REGIONAL = {"api_endpoint": "us-central1-aiplatform.googleapis.com"}


def endpoints() -> vertex.EndpointServiceClient:
    return vertex.EndpointServiceClient(client_options=REGIONAL)


def test_a_fault_is_answered_as_often_as_it_says(standin: Running) -> None:
    client = endpoints()
    standin.fault("ListEndpoints$", code="UNAVAILABLE", count=2, skip=1)
    for wrong in (False, True, True, False):
        if wrong:
            with pytest.raises(ServiceUnavailable):
                client.list_endpoints(parent=PARENT, retry=None)
        else:
            client.list_endpoints(parent=PARENT, retry=None)
    assert [call["answer"] for call in standin.calls()] == ["OK", "UNAVAILABLE", "UNAVAILABLE", "OK"]


def test_a_status_means_its_code_and_says_when_to_come_back(standin: Running) -> None:
    standin.fault("ListEndpoints$", code=429, retry_after=7)
    with pytest.raises(TooManyRequests) as found:
        endpoints().list_endpoints(parent=PARENT, retry=None)
    assert found.value.details[0].retry_delay.seconds == 7
    standin.fault("storage.buckets.get", code=429, retry_after=7)
    with storage.Client() as client, pytest.raises(TooManyRequests) as rest:
        client.get_bucket("acme", retry=None)
    assert rest.value.response.headers["retry-after"] == "7"


def test_permission_may_be_denied_on_either_way(standin: Running) -> None:
    standin.fault(".", code="PERMISSION_DENIED", count=2)
    with pytest.raises(PermissionDenied):
        endpoints().list_endpoints(parent=PARENT)
    with storage.Client() as client, pytest.raises(Forbidden):
        client.get_bucket("acme")


def test_a_fault_that_cannot_be_is_refused(standin: Running) -> None:
    with pytest.raises(ValueError, match="418"):
        standin.fault(".", code=418)
    with pytest.raises(ValueError, match="colour"):
        standin.set(colour="blue")


def test_an_answer_is_lost_and_what_was_asked_for_is_done(standin: Running) -> None:
    client = endpoints()
    standin.fault("CreateEndpoint", lost=True)
    request = {"parent": PARENT, "endpoint": {"display_name": "demand"}, "endpoint_id": "demand"}
    with pytest.raises(ServiceUnavailable):
        client.create_endpoint(request=request, retry=None)
    # A channel may place the next call on the connection that was cut, before it has noticed.
    found = client.list_endpoints(parent=PARENT, retry=Retry())
    assert [each.display_name for each in found] == ["demand"]
    assert standin.calls()[0]["answer"] == "lost"


def test_a_write_whose_answer_is_lost_meets_itself_when_it_is_tried_again(standin: Running) -> None:
    with storage.Client() as client:
        bucket = client.create_bucket("acme")
        standin.fault("storage.objects.insert", lost=True)
        with pytest.raises(PreconditionFailed):  # the client tries again, and finds its own object
            bucket.blob("lock").upload_from_string("mine", if_generation_match=0)
        assert bucket.blob("lock").download_as_bytes() == b"mine"


# The client throws a download's bad answer away with its connection; it is collected here and not during another test.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_the_clients_own_retries_see_a_delay_and_a_503_through(standin: Running) -> None:
    with storage.Client() as client:
        bucket = client.create_bucket("acme")
        bucket.blob("x").upload_from_string("one")
        standin.fault("storage.objects.get", code=503, delay=0.01)
        assert bucket.blob("x").download_as_bytes() == b"one"
    gc.collect()
    assert standin.counted() == {
        "storage.buckets.create": 1, "storage.objects.insert": 1, "storage.objects.get": 2,
    }  # fmt: skip


def test_calls_are_counted_apart_that_change_something(standin: Running) -> None:
    client = endpoints()
    client.create_endpoint(parent=PARENT, endpoint={"display_name": "demand"}).result()
    client.list_endpoints(parent=PARENT)
    assert standin.counted(mutating=True) == {f"{ENDPOINTS}.CreateEndpoint": 1}
    assert standin.counted(mutating=False) == {
        "google.longrunning.Operations.GetOperation": 1, f"{ENDPOINTS}.ListEndpoints": 1,
    }  # fmt: skip
    standin.reset()
    assert standin.calls() == []
    assert list(client.list_endpoints(parent=PARENT)) == []


def test_a_stranger_has_no_access(standin: Running) -> None:
    with pytest.raises(Unauthenticated):
        vertex.EndpointServiceClient(client_options=REGIONAL, credentials=Credentials("stolen")).list_endpoints(
            parent=PARENT
        )
    with storage.Client(credentials=Credentials("stolen")) as client, pytest.raises(Exception, match=r"401|refresh"):
        client.get_bucket("acme")
    assert {call["answer"] for call in standin.calls()} == {"UNAUTHENTICATED"}


def test_another_host_is_refused_and_remembered(standin_process: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    standin_process.reset()
    for key, value in standin_process.environment.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get("https://pypi.org/simple", timeout=10)
    opener = urllib.request.build_opener()  # `urlopen` keeps the proxies that its process had at its first use
    with pytest.raises(urllib.error.HTTPError, match="403"):
        opener.open("http://example.com/path", timeout=10)
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get("https://evil-googleapis.com/", timeout=10)
    assert standin_process.strangers() == [
        "CONNECT pypi.org:443", "GET http://example.com/path", "CONNECT evil-googleapis.com:443",
    ]  # fmt: skip


def test_every_door_is_on_loopback(standin: Running) -> None:
    port = int(standin.environment["HTTPS_PROXY"].rpartition(":")[2])
    listening = Path("/proc/net/tcp").read_text().splitlines() + Path("/proc/net/tcp6").read_text().splitlines()
    local = [
        line.split()[1] for line in listening if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    ]
    assert local == [f"{int.from_bytes(socket.inet_aton('127.0.0.1'), 'little'):08X}:{port:04X}"]


def test_several_processes_share_one_cloud_by_their_environment_alone(standin: Running) -> None:
    program = """
from google.cloud import storage
with storage.Client() as client:
    client.bucket("acme").blob("x").upload_from_string("from another process")
"""
    with storage.Client() as client:
        bucket = client.create_bucket("acme")
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        script = f'. "$1" && exec "{sys.executable}" -c "$2"'
        argv = ["sh", "-c", script, "sh", str(standin.folder / "env.sh"), program]
        subprocess.run(argv, env=kept, cwd=ROOT, check=True, timeout=60)
        assert bucket.blob("x").download_as_bytes() == b"from another process"
