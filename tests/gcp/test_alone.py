"""One forecast's trouble is its own: whatever fails for it is said of it alone, and the others go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.location import GcpLocation
from mlspec.targets.contract.nouns import write
from mlspec.targets.gcp.data.sources import Sources
from mlspec.targets.gcp.target import GcpTarget
from tests.gcp import platform
from tests.gcp.acme import IMAGE, Acme

ONCE = ("reconcile", "--once")


@pytest.fixture
def both(acme: Acme) -> Acme:
    """The project with two forecasts, `demand` and `returns`, of the same data."""
    platform.forecast(acme.project, "returns", image=IMAGE)
    text = (acme.root / "specs" / "demand.yaml").read_text()
    (acme.root / "specs" / "returns.yaml").write_text(text.replace("name: demand", "name: returns"))
    return acme


def passed(acme: Acme, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """What `reconcile --once` came to, by forecast: what its last pass over each said."""
    capsys.readouterr()
    acme.run(*ONCE, "--output", "json")
    return last_passes(capsys.readouterr().out)


def last_passes(printed: str) -> dict[str, dict[str, Any]]:
    """What the last pass over each forecast said, of one line of JSON for each pass."""
    return {each["name"]: each for line in printed.splitlines() for each in json.loads(line)["forecasts"]}


def over(acme: Acme, name: str, data: bytes) -> None:
    """Put other bytes into an object of the state bucket."""
    platform.storage(acme.project).bucket(platform.bucket(acme.project, "state")).blob(name).upload_from_string(data)


def test_a_registry_that_cannot_be_listed_ends_no_pass(both: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    both.standin.fault("ListModels", code=403, count=99)
    found = passed(both, capsys)
    assert {name: each["status"] for name, each in found.items()} == {"demand": "done", "returns": "done"}
    found = passed(both, capsys)
    assert {name: each["status"] for name, each in found.items()} == {"demand": "nothing", "returns": "nothing"}


def test_a_model_of_somebody_who_borrowed_our_label_ends_no_pass(
    both: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    container = {"image_uri": "theirs", "ports": [{"container_port": 8080}]}
    theirs = {"display_name": "theirs", "labels": {"managed-by": "mlspec"}, "container_spec": container}
    platform.models().upload_model(parent=both.place, model=theirs).result()
    assert {each["status"] for each in passed(both, capsys).values()} == {"done"}


def test_a_record_that_cannot_be_read_is_said_of_its_forecast_alone(
    both: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    assert both.run(*ONCE) == 0
    over(both, "forecasts/returns/state.db", b"not a record")
    found = passed(both, capsys)
    assert found["demand"]["status"] == "nothing"
    assert found["returns"]["status"] == "failed"
    assert "the record of 'returns'" in found["returns"]["error"]["message"]


def test_what_went_away_while_it_was_read_is_said_of_its_forecast_alone(
    both: Acme, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.api_core.exceptions import NotFound

    fetch = Sources.fetch_source

    def gone(self: Sources, spec: Forecast, *rest: Any) -> Any:
        if spec.metadata.name == "demand":
            raise NotFound("No such object: demand/sales.csv")
        return fetch(self, spec, *rest)

    monkeypatch.setattr(Sources, "fetch_source", gone)
    found = passed(both, capsys)
    assert found["returns"]["status"] == "done"
    assert found["demand"]["error"]["message"].startswith("cannot work on demand: No such object")


@pytest.mark.parametrize("method", [r"storage\.objects\.insert", r"storage\.objects\.copy", "bigquery.*insert"])
def test_a_write_that_is_refused_for_one_leaves_the_other(
    both: Acme, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    both.standin.fault(method, code=403)
    found = passed(both, capsys)
    assert found["returns"]["status"] == "done"
    assert found["demand"]["status"] == "failed"
    assert "(403)" in found["demand"]["error"]["message"]


def test_a_pack_that_cannot_be_written_costs_only_time(acme: Acme, tmp_path: Path) -> None:
    target = GcpTarget(GcpLocation("dev", acme.project, platform.REGION), tmp_path / "warm")
    names = [f"f{number:02}" for number in range(12)]
    for name in names:
        write(target, name)
    acme.standin.fault(r"storage\.objects\.insert", code=403, count=99)
    cold = GcpTarget(GcpLocation("dev", acme.project, platform.REGION), tmp_path / "cold")
    with cold.read_session():
        assert [cold.observe_forecast(name).forecast for name in cold.forecast_names()] == names


def test_notices_that_cannot_be_looked_for_leave_the_pass_said(
    both: Acme, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlspec.errors import TargetError

    def refused(*_words: object) -> None:
        raise TargetError("cannot list the leases", hint="wait")

    monkeypatch.setattr(GcpTarget, "load_due_notices", refused)
    both.run(*ONCE, "--output", "json")
    said = capsys.readouterr()
    assert {each["status"] for each in last_passes(said.out).values()} == {"done"}
    assert "cannot list the leases" in said.err
