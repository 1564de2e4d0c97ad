"""`mlspec prune`: says what would go and why the rest stays, asks, and never removes anything that the project does not name."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from mlspec.clock import utc_now
from mlspec.engine.prune import PrunedForecast, PrunePlan
from mlspec.errors import Terminated
from tests.cli.test_session import Mlspec, applied, mlspec  # noqa: F401  (fixtures)

RETENTION = "retention: {releases: 1, runs: 7d, events: 30d}\n"


def keep_little() -> None:
    project = Path("mlspec.yaml")
    before = project.read_text() if project.exists() else "apiVersion: mlspec/v1\nkind: Project\nname: shop\n"
    project.write_text(before + RETENTION)


def everything() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path(".mlspec").rglob("*")) if path.is_file()}


def test_a_project_without_retention_is_told_what_to_write(applied: Mlspec) -> None:  # noqa: F811
    said = applied("prune", "--yes")
    assert said.code == 2
    assert "mlspec.yaml has no `retention`, so nothing is ever removed" in said.err
    assert "retention: {releases: 20, runs: 400d, events: 2y}" in said.err


def test_a_prune_that_a_signal_stops_does_not_say_that_it_changed_nothing(
    applied: Mlspec,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_little()
    monkeypatch.setattr(PrunePlan, "_prune_forecast", _stop)
    said = applied("prune", "--yes")
    assert (said.code, "stopped by SIGTERM; a part may be removed already" in said.err) == (4, True), said.err


def _stop(_plan: PrunePlan, _name: str) -> PrunedForecast:
    raise Terminated


def test_a_dry_run_shows_what_goes_and_what_stays_and_changes_nothing(applied: Mlspec) -> None:  # noqa: F811
    keep_little()
    before = everything()
    said = applied("prune", "--dry-run")
    assert said.code == 0, said.err
    assert "demand    releases" in said.out
    assert "the newest 60, which an evaluation reads" in said.out
    value = json.loads(applied("prune", "demand", "--dry-run", "--output", "json").out)
    (forecast,) = value["forecasts"]
    assert (value["dry_run"], forecast["name"], forecast["pruned"]) == (True, "demand", None)
    assert {kind["kind"]: kind["stays"] for kind in forecast["kinds"]}["releases"] == 1
    assert everything() == before


def test_what_may_go_goes_after_approval_alone(applied: Mlspec, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    spec = Path("specs/demand.yaml")
    for horizon in (3, 4):
        spec.write_text(spec.read_text().replace(f"horizon: {horizon - 1}", f"horizon: {horizon}"))
        assert applied("apply").code == 0
    keep_little()
    with monkeypatch.context() as later:
        later.setattr("mlspec.cli.target.utc_now", lambda: utc_now() + timedelta(days=60))
        before = everything()
        asked = applied("prune")
        assert (asked.code, everything()) == (1, before)
        assert "add --yes" in asked.err
        said = applied("prune", "--yes", "--output", "json")
        assert said.code == 0, said.err
        (forecast,) = json.loads(said.out)["forecasts"]
        assert forecast["pruned"]["rows"] > 0
    history = json.loads(applied("history", "demand", "--output", "json").out)
    assert [release["release"] for release in history["releases"]] == [3, 2]
    assert history["events"][0]["reason"] == "Pruned"
    assert applied("status", "--check").code == 0
    assert applied("apply").out == "Nothing to do: everything is up to date.\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("retention: {runs: 3d}", "retention.runs: expected at least 1w, found 3d"),
        ("retention: {releases: 0}", "retention.releases"),
        ("retention: {run: 400d}", "unknown key 'run'"),
    ],
)
def test_a_retention_that_removes_what_is_in_use_is_refused(mlspec: Mlspec, line: str, says: str) -> None:  # noqa: F811
    Path("mlspec.yaml").write_text(f"apiVersion: mlspec/v1\nkind: Project\nname: shop\n{line}\n")
    for words in (("validate",), ("prune", "--dry-run")):
        said = mlspec(*words)
        assert said.code == 1
        assert says in said.err + said.out


def test_a_name_that_is_not_on_record_is_answered_with_the_nearest(applied: Mlspec) -> None:  # noqa: F811
    keep_little()
    said = applied("prune", "demnd", "--yes")
    assert said.code == 2
    assert "did you mean 'demand'?" in said.err
