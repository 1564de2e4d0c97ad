"""A cloud that was kept comes back as it was, whatever was done since, and as often as it is asked for."""

from __future__ import annotations

import sys

import pytest

from tests.gcp import platform
from tests.gcp.acme import Acme
from tests.gcp.standin.harness import Running


def facts(acme: Acme) -> dict[str, object]:
    """What there is, in each kind of service, and what was asked for so far."""
    asked = acme.changed()
    table = platform.table(acme.project, "demand").rpartition(".")[2]
    return {
        "objects": acme.objects("data"), "endpoint": acme.endpoint().display_name, "table": table, "asked": asked,
        "rows": [row["version"] for row in acme.rows()], "grants": sorted(map(str, acme.standin.grants())),
        "denied": acme.standin.denied(),
    }  # fmt: skip


def add_row(acme: Acme, version: str) -> None:
    """Let the forecast's table hold one more row."""
    rows = [
        {
            "series": "{}",
            "time": "2024-01-01T00:00:00Z",
            "cutoff": "2024-01-01",
            "value": 1.0,
            "version": version,
            "run": "r",
        }
    ]
    platform.bigquery(acme.project).load_table_from_json(rows, platform.table(acme.project, "demand")).result()


def test_a_kept_cloud_comes_back_as_it_was_and_twice(acme: Acme) -> None:
    acme.online()
    add_row(acme, "v1")
    acme.standin.keep("with a row")
    before = facts(acme)
    for _ in range(2):
        add_row(acme, "v2")
        acme.data("x", "demand/more.csv")
        endpoint = acme.endpoint()
        endpoint.display_name = "renamed"
        platform.endpoints().update_endpoint(endpoint=endpoint, update_mask={"paths": ["display_name"]})
        acme.standin.fault("storage", code=503, count=9)
        acme.standin.bring_back("with a row")
        found = facts(acme)
        assert found == before
        assert found["rows"] == ["v1"]
    acme.standin.reset()
    assert list(platform.storage(acme.project).list_buckets()) == []


def test_a_cloud_in_which_a_program_was_run_is_not_kept(acme: Acme, standin: Running) -> None:
    platform.loop(acme.project)
    standin.hook(".*", [sys.executable, "-c", ""])
    from google.cloud import run_v2

    run_v2.JobsClient().run_job(name=f"{acme.place}/jobs/mlspec-reconcile").result()
    with pytest.raises(ValueError, match="cannot be copied"):
        standin.keep("with a program")
