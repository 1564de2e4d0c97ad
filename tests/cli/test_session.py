"""A team's day on the command line, with the real pipeline on a small history."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mlspec.cli import main as front
from mlspec.plan.ready import DESTROYED
from tests.examples import project, sales, spec_text


class Said(NamedTuple):
    code: int
    out: str
    err: str


Mlspec = Callable[..., Said]


@pytest.fixture
def mlspec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mlspec:
    """Run a command in a fresh project."""
    monkeypatch.chdir(project(tmp_path / "shop"))

    def run(*words: str) -> Said:
        code = front.run(list(words))
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def applied(mlspec: Mlspec) -> Mlspec:
    """The same project, after the first apply."""
    said = mlspec("apply")
    assert said.code == 0, said.err + said.out
    return mlspec


def test_apply_ends_with_what_a_planner_wants(mlspec: Mlspec) -> None:
    said = mlspec("apply", "specs/demand.yaml")
    assert said.code == 0, said.err
    assert "seasonal-naive (champion)" in said.out
    assert "gate pass: wape" in said.out
    assert "release 1 serves v" in said.out
    assert "Next: mlspec status | mlspec forecast demand | mlspec inventory demand | mlspec report demand" in said.out
    assert said.err.startswith("mlspec apply: reading specs/demand.yaml")
    again = mlspec("apply", "specs/demand.yaml")
    assert (again.code, again.out) == (0, "Nothing to do: everything is up to date.\n")


def test_apply_tells_machines_in_json_alone_on_stdout(mlspec: Mlspec) -> None:
    said = mlspec("apply", "--output", "json")
    (forecast,) = json.loads(said.out)["forecasts"]
    assert (forecast["name"], forecast["status"], forecast["release"], forecast["error"]) == (
        "demand",
        "applied",
        1,
        None,
    )


def test_plan_says_what_and_why_and_its_exit_code_says_whether(mlspec: Mlspec) -> None:
    said = mlspec("plan", "--detailed-exitcode")
    assert said.code == 2
    assert "+ model.demand: does not exist yet" in said.out
    value = json.loads(mlspec("plan", "--output", "json").out)
    assert value["summary"] == {"create": 2, "update": 0, "replace": 0, "delete": 0, "run": 2}
    assert set(value["changes"][0]) == {"forecast", "resource", "action", "reason", "before", "after"}
    assert not Path(".mlspec").exists()


def test_a_changed_spec_is_planned_field_by_field(applied: Mlspec) -> None:
    text = (
        Path("specs/demand.yaml")
        .read_text()
        .replace("horizon: 2", "horizon: 3")
        .replace("review_period: 1", "review_period: 2")
    )
    Path("specs/demand.yaml").write_text(text)
    said = applied("plan")
    assert "~ model.demand: model.horizon changed: checks the data, backtests and trains again" in said.out
    assert "model.horizon: 2 -> 3" in said.out
    assert "> forecast.demand: inventory.review_period, version changed" in said.out


def test_a_saved_plan_is_carried_out_once_and_then_refused(mlspec: Mlspec) -> None:
    assert mlspec("plan", "--out", "p.plan").code == 0
    assert mlspec("apply", "p.plan").code == 0
    stale = mlspec("apply", "p.plan")
    assert stale.code == 1
    assert "the saved plan is stale: state lineage was none" in stale.err
    assert mlspec("apply", "p.plan", "specs").code == 2
    Path("junk.plan").write_text("{")
    assert "is not a complete plan file" in mlspec("apply", "junk.plan").err


def test_selectors_choose_by_name_pattern_and_change(applied: Mlspec) -> None:
    Path("specs/second.yaml").write_text(spec_text("second"))
    assert "data.second" in applied("plan", "--select", "new").out
    assert "data.demand" not in applied("plan", "--select", "new").out
    assert applied("plan", "--select", "modified").out.startswith("Nothing to do")
    assert "data.second" in applied("plan", "--select", "sec*").out
    for command in ("plan", "apply", "reconcile"):
        nothing = applied(command, "--select", "third*")
        assert nothing.code == 2
        assert "no forecast's name matches 'third*'" in nothing.err
    unknown = applied("plan", "--select", "secnd")
    assert (unknown.code, "did you mean 'second'?" in unknown.err) == (2, True)


def test_a_forecast_that_is_named_is_looked_at_alone(applied: Mlspec) -> None:
    Path("specs/second.yaml").write_text(spec_text("second").replace("data/sales.csv", "data/not-there.csv"))
    assert applied("plan").code == 1
    for words in (("plan",), ("apply", "--yes"), ("reconcile", "--once")):
        assert applied(*words, "--select", "demand").code == 0
    assert applied("plan", "--select", "new").code == 1


def test_status_says_ready_and_check_exits_3_when_not(applied: Mlspec) -> None:
    assert re.search(r"demand +ready +v[0-9a-f]{10} ", applied("status").out)
    assert applied("status", "--check").code == 0
    Path("specs/second.yaml").write_text(spec_text("second"))
    said = applied("status", "--check")
    assert said.code == 3
    assert "second: nothing is applied" in said.out
    (value,) = json.loads(applied("status", "demand", "--output", "json").out)["forecasts"]
    assert set(value) >= {
        "name", "ready", "conditions", "serving", "champion", "pinned", "metrics", "alerts", "last_run", "next_run",
    }  # fmt: skip


def test_an_unknown_name_is_answered_with_the_nearest(applied: Mlspec) -> None:
    for command in ("forecast", "inventory", "history", "report"):
        said = applied(command, "demnd")
        assert (said.code, "did you mean 'demand'?" in said.err) == (2, True)
    assert "Did you mean 'apply'?" in applied("aply").err


def test_the_forecast_is_in_long_format_under_the_users_names(applied: Mlspec) -> None:
    rows = list(csv.DictReader(io.StringIO(applied("forecast", "demand", "--output", "csv").out)))
    assert [row["shop"] for row in rows] == ["001", "001", "NA", "NA"]
    assert list(rows[0]) == ["shop", "day", "cutoff", "mean", "q0.1", "q0.5", "q0.9", "version"]
    assert rows[0]["day"] == "2024-02-12"
    value = json.loads(applied("forecast", "demand", "--output", "json", "--series", "shop=NA").out)
    assert [row["day"] for row in value["rows"]] == ["2024-02-12", "2024-02-13"]
    assert "more rows" in applied("forecast", "demand", "--limit", "1").out
    assert applied("forecast", "demand", "--series", "shp=NA").code == 2
    assert applied("forecast", "demand", "--series", "NA").code == 2


def test_stock_levels_add_up(applied: Mlspec) -> None:
    for row in json.loads(applied("inventory", "demand", "--output", "json").out)["rows"]:
        assert row["order_up_to"] == pytest.approx(row["protection_demand"] + row["safety_stock"])
        assert row["reorder_point"] <= row["order_up_to"]


def test_history_and_diff_tell_what_changed(applied: Mlspec) -> None:
    text = Path("specs/demand.yaml").read_text().replace("name: demand", "name: demand\n  owner: planner@example.com")
    Path("specs/demand.yaml").write_text(text)
    assert applied("apply").code == 0
    value = json.loads(applied("history", "demand", "--output", "json").out)
    assert [(release["release"], release["state"]) for release in value["releases"]] == [
        (2, "serving"),
        (1, "superseded"),
    ]
    assert len(value["versions"]) == 1
    assert "Deployed: release 2" in applied("history", "demand").out
    assert "metadata.owner: (not set) -> planner@example.com" in applied("diff", "demand", "r1", "2").out
    fields = json.loads(applied("diff", "demand", "1", "2", "--output", "json").out)["fields"]
    assert fields == [{"field": "metadata.owner", "before": None, "after": "planner@example.com"}]
    assert "releases: r1, r2" in applied("diff", "demand", "1", "9").err
    assert "no differences" in applied("diff", "demand", "1", "1").out


def test_the_report_is_one_file_that_asks_the_network_for_nothing(applied: Mlspec) -> None:
    assert applied("report", "demand").code == 0
    page = Path("demand-report.html").read_text()
    assert "<svg" in page
    assert "default-src 'none'; script-src 'sha256-" in html.unescape(page)
    outside = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)  # uPlot's names its home
    assert not re.search(r"(src|href)=", outside)
    assert "http" not in outside.replace("http-equiv", "")
    assert applied("report", "demand", "--language", "pt-BR").code == 0
    assert "Como vai a previsão" in Path("demand-report.html").read_text()
    refused = applied("report", "demand", "--out", "no such/folder.html")
    assert (refused.code, "hint: make its folder first: mkdir -p 'no such'" in refused.err) == (1, True)


def test_destroy_asks_and_keeps_history(applied: Mlspec) -> None:
    refused = applied("destroy", "demand")
    assert (refused.code, "add --yes" in refused.err) == (1, True)
    assert applied("destroy", "demand", "--yes").code == 0
    assert "nothing is applied" in applied("status").out
    assert "Destroyed" in applied("history", "demand").out
    again = applied("apply")
    assert "release 2 serves" in again.out
    assert applied("destroy", "demand", "--yes", "--purge").code == 0
    assert applied("history", "demand").code == 2


def test_a_protected_target_is_not_touched_without_a_yes(mlspec: Mlspec) -> None:
    Path("mlspec.yaml").write_text(Path("mlspec.yaml").read_text() + "targets: {local: {type: local, protect: true}}\n")
    said = mlspec("apply")
    assert (said.code, "target 'local' is protected" in said.err) == (1, True)
    assert not Path(".mlspec").exists()
    assert mlspec("apply", "--yes").code == 0


def test_a_cloud_target_without_credentials_says_how_to_sign_in(
    mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # nobody is asked whether this machine is Google's
    Path("mlspec.yaml").write_text(
        Path("mlspec.yaml").read_text() + "targets: {dev: {type: gcp, project: acme-dev, region: europe-west1}}\n"
    )
    assert mlspec("validate", "--target", "dev").code == 0
    for words in (
        ("status",),
        ("forecast", "demand"),
        ("history", "demand"),
    ):
        said = mlspec(*words, "--target", "dev")
        assert (said.code, "gcloud auth application-default login" in said.err) == (1, True)
    # In a container the credentials come from a server, which may be away for a moment: a step may be tried again.
    said = mlspec("step", "check", "--spec", "specs/demand.yaml", "--target", "dev")
    assert (said.code, "gcloud auth application-default login" in said.err) == (75, True)
    assert "did you mean 'dev'?" in mlspec("plan", "--target", "dv").err


def test_an_invalid_spec_changes_nothing(applied: Mlspec) -> None:
    Path("specs/broken.yaml").write_text(spec_text("broken").replace("horizon", "horzion"))
    said = applied("apply")
    assert said.code == 1
    assert "did you mean 'horizon'?" in said.err
    assert "nothing was changed" in said.err


def test_data_that_breaks_its_contract_is_refused_and_the_old_version_serves_on(applied: Mlspec) -> None:
    lines = sales().splitlines()
    Path("data/sales.csv").write_text(
        "\n".join([*lines[:20], lines[20].rsplit(",", 1)[0] + ',"1,5"', *lines[22:]]) + "\n"
    )
    said = applied("apply")
    assert said.code == 1
    assert "the data breaks its contract" in said.out
    assert "keeps serving" in said.out
    assert applied("status", "--check").code == 3
    assert len(applied("forecast", "demand", "--output", "csv").out.splitlines()) == 5


def test_the_gate_keeps_out_what_it_should_and_says_so_again(mlspec: Mlspec) -> None:
    Path("specs/demand.yaml").write_text(spec_text(gate="[{metric: wape, below: 0.0001}]"))
    first, second = mlspec("apply"), mlspec("apply")
    assert (first.code, second.code) == (3, 3)
    assert "gate fail: wape" in first.out
    assert "the gate kept v" in second.out
    assert all("out; no version serves yet." in said.out for said in (first, second))
    assert mlspec("forecast", "demand").code == 1


def test_the_loop_says_once_whose_version_the_gate_kept_out(mlspec: Mlspec) -> None:
    Path("specs/demand.yaml").write_text(spec_text(gate="[{metric: wape, below: 0.0001}]"))
    (line,) = [line for line in mlspec("reconcile", "--once").out.splitlines() if "the gate kept v" in line]
    assert line.partition("  ")[2].startswith("demand: the gate kept v")


def test_a_release_may_be_named_as_history_shows_it(applied: Mlspec) -> None:
    for name in ("1", "r1"):
        said = applied("rollback", "demand", "--to", name, "--reason", "a drill")
        assert "release 1 cannot serve" in said.err
    assert (
        "'first' is not a release, such as 1 or r1"
        in applied("rollback", "demand", "--to", "first", "--reason", "x").err
    )
    said = applied("rollback", "demand", "--reason", "a drill")
    assert "no earlier good release to roll back to (release 1: " in said.err
    assert "is what serves now" in said.err


def test_a_forecast_that_was_destroyed_is_printed_with_a_note_and_is_no_surprise_to_plan(applied: Mlspec) -> None:
    assert "Next" not in applied("plan").err
    Path("specs/demand.yaml").rename("demand.yaml")
    Path("specs/other.yaml").write_text(spec_text("other"))
    gone = "demand: no spec under specs/ describes it any more; `mlspec destroy demand` removes it"
    assert gone in applied("plan").err
    assert gone in applied("status").out
    stated = {each["name"]: each for each in json.loads(applied("status", "--output", "json").out)["forecasts"]}
    assert [f"demand: {problem}" for problem in stated["demand"]["problems"]] == [gone]
    assert applied("destroy", "demand", "--yes").code == 0
    assert gone not in applied("plan").err
    retired = "nothing is applied, and no spec under specs/ describes it: its history is kept until"
    for words in (("status",), ("get", "demand")):
        said = applied(*words)
        assert f"{retired} `mlspec destroy demand --purge`" in said.out
    assert "demand: nothing is applied: run" not in applied("status").out
    assert gone not in applied("status").out
    assert [applied("status", name, "--check").code for name in ("demand", "other")] == [0, 3]
    said = applied("forecast", "demand")
    assert said.code == 0
    assert "demand was destroyed: this is the last forecast that was made before" in said.err
    Path("demand.yaml").rename("specs/demand.yaml")
    assert f"demand: {DESTROYED}" in applied("status").out


def test_a_command_runs_in_the_folder_that_is_named(
    applied: Mlspec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "demand" in applied("-C", "shop", "status").out
    monkeypatch.chdir(tmp_path)
    wrong = applied("-C", "nowhere", "status")
    assert wrong.code == 2
    assert "cannot enter nowhere" in wrong.err


def test_a_forecast_without_inventory_says_what_to_add(mlspec: Mlspec) -> None:
    text = "\n".join(line for line in spec_text().splitlines() if not line.startswith("inventory"))
    Path("specs/demand.yaml").write_text(text)
    assert mlspec("apply").code == 0
    said = mlspec("inventory", "demand")
    assert (said.code, "add `inventory:` to its spec" in said.err) == (1, True)


def test_nothing_yet_is_no_error(mlspec: Mlspec) -> None:
    assert "demand: nothing is applied" in mlspec("status").out
    Path("specs/demand.yaml").unlink()
    assert "No forecasts yet" in mlspec("status").out


def test_outside_of_a_project_nothing_is_shown_as_broken_and_nothing_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert front.run(["status"]) == 0
    assert capsys.readouterr() == (
        "No forecasts yet: `mlspec init` starts a project, `mlspec apply` makes its forecasts.\n", "",
    )  # fmt: skip
    assert front.run(["serve", "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert f"error: there is nothing to serve: {tmp_path} has no spec and no forecast" in said
    assert "hint: run it in a project's folder, or name one: mlspec -C DIR serve" in said
