"""A prediction all the way: Vertex AI's client, the endpoint, the container that was registered, and back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from google.protobuf import json_format, struct_pb2

from tests.gcp import platform
from tests.gcp.acme import Acme, serve_online
from tests.gcp.standin.harness import ROOT
from tests.gcp.standin.services.vertex_artifacts import storage_uri


@contextmanager
def container(acme: Acme, version: str) -> Iterator[str]:
    """Start what is registered of a version, as Vertex AI starts it; yields where it listens."""
    (model,) = [each for each in acme.versions() if version in each.version_aliases]
    spec = model.container_spec
    command = "import sys; from mlspec.__main__ import main; main(sys.argv[1:])"
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "AIP_HTTP_PORT": "0", "AIP_PREDICT_ROUTE": spec.predict_route,
        "AIP_HEALTH_ROUTE": spec.health_route, "AIP_STORAGE_URI": storage_uri(model), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    argv = [sys.executable, "-c", command, *spec.args]
    with subprocess.Popen(argv, cwd=acme.root, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        try:
            assert said.startswith("mlspec serve: http://"), said
            address = f"http://127.0.0.1:{said.strip().rpartition(':')[2]}"
            ready(f"{address}/readyz")
            yield f"{address}{spec.predict_route}"
        finally:
            process.terminate()
            assert process.wait(30) == 0


def ready(url: str) -> None:
    """Wait until a server says that it has something to answer with, a minute at most."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(600):
        try:
            direct.open(url, timeout=5).close()
        except urllib.error.HTTPError as not_yet:
            not_yet.close()
            threading.Event().wait(0.1)
        else:
            return
    pytest.fail(f"{url} never became ready")


def test_vertex_ai_answers_with_the_forecast(acme: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    from google.cloud import aiplatform_v1

    acme.prepare(serve_online)
    shown = [row for row in acme.asked(capsys, "forecast", "demand")["rows"] if row["shop"] == "001"]
    address = {"api_endpoint": f"{platform.REGION}-aiplatform.googleapis.com"}
    client = aiplatform_v1.PredictionServiceClient(client_options=address)
    instance = json_format.ParseDict({"shop": "001"}, struct_pb2.Value())
    (version,) = acme.traffic()
    with container(acme, version) as url:
        acme.standin.set(predictions={"*": url})
        answer = client.predict(endpoint=acme.endpoint().name, instances=[instance])
    (found,) = [json_format.MessageToDict(type(answer).pb(answer))["predictions"][0]]
    assert [round(each["mean"], 6) for each in found["forecast"]] == [round(row["mean"], 6) for row in shown]
    assert found["version"] == shown[0]["version"]
