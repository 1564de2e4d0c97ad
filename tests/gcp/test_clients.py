"""Every client says that it is mlspec that calls, so that an audit log tells its calls from a person's."""

from __future__ import annotations

import sys

import pytest

from mlspec.targets.gcp.clients import AGENT
from tests.gcp.acme import Acme

# What waits for an operation is a client of the library's own.
WAITING = "google.longrunning.Operations.GetOperation"


def test_whatever_is_called_hears_who_calls(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    acme.online()
    before = len(acme.standin.calls())
    assert acme.run("reconcile", "--once") == 0
    acme.run("doctor")
    monkeypatch.setenv("MLSPEC_RUNNER", "cloud-run")
    acme.standin.hook(".*", [sys.executable, "-c", "raise SystemExit(1)"])
    acme.say(training="{machine: n2-highmem-8}", model="{horizon: 3, candidates: [{kind: theta}]}")
    acme.run("reconcile", "--once")
    asked = [each for each in acme.standin.calls()[before:] if each["method"] != WAITING]
    ours = {each["method"] for each in asked if each["agent"].startswith(AGENT)}
    assert {"storage.objects.insert", "bigquery.jobs.insert"} < ours
    assert any("ListLogEntries" in each for each in ours)
    assert {each["method"] for each in asked} == ours
