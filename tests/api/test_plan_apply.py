"""Plan and apply from Python: what the command line does, silently, with the process of the caller left alone."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import mlspec
import mlspec.api.project
from mlspec.errors import DataError, LockHeld, Refused, SpecError, StalePlan, UsageError
from tests.api.conftest import Shop, apply_here
from tests.examples import project, sales, spec_text

pytestmark = pytest.mark.xdist_group("api")  # one project is applied for all of them


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_plan_says_what_changes_and_why(shop: Shop) -> None:
    changes = [(change.resource, change.action, change.reason) for change in shop.plan.changes]
    assert changes == [
        ("data.demand", "run", "does not exist yet"), ("model.demand", "create", "does not exist yet"),
        ("deployment.demand", "create", "does not exist yet"), ("forecast.demand", "run", "does not exist yet"),
    ]  # fmt: skip
    assert "backtests and trains 1: demand" in shop.plan.impact
    assert "_plan" not in repr(shop.plan)


def test_an_apply_in_a_thread_reports_each_forecast_and_its_progress(shop: Shop) -> None:
    assert shop.report.ok
    (applied,) = shop.report.forecasts
    assert (applied.forecast, applied.status, applied.release, applied.cutoff) == ("demand", "applied", 1, "2024-02-11")
    assert applied.gate[0].startswith("pass: wape")
    assert {step for _name, step in shop.progress} >= {"check", "backtest", "train", "forecast"}


def test_a_second_apply_changes_nothing(shop: Shop) -> None:
    assert shop.project.plan().is_empty
    before = content(shop.project.root)
    report = shop.project.apply()
    assert [applied.status for applied in report.forecasts] == ["nothing"]
    assert content(shop.project.root) == before


def test_a_plan_that_was_reviewed_is_applied_as_reviewed_or_refused(shop: Shop) -> None:
    before = content(shop.project.root / ".mlspec")
    with pytest.raises(StalePlan):
        shop.project.apply(plan=shop.plan)
    assert content(shop.project.root / ".mlspec") == before


@pytest.mark.usefixtures("in_this_process")
def test_what_fails_is_in_the_report_and_raised_on_request(tmp_path: Path) -> None:
    shop = mlspec.open(project(tmp_path / "shop"))
    (shop.root / "data" / "sales.csv").write_text("shop,day,units\n001,2024-01-01,x\n")
    report = shop.apply("demand")
    assert not report.ok
    assert report.forecasts[0].status == "failed"
    with pytest.raises(DataError, match=r"^demand: ") as error:
        report.raise_for_errors()
    assert error.value.hint


def test_what_was_not_approved_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    root = project(tmp_path / "shop")
    with (root / "mlspec.yaml").open("a") as file:
        file.write("targets:\n  live: {type: local, path: .mlspec-live, protect: true}\n")
    shop = mlspec.open(root, target="live")
    before = content(root)
    with pytest.raises(Refused, match="'live' is protected") as error:
        shop.apply(destroy=True)
    assert "apply(protected=True)" in str(error.value.hint)
    assert content(root) == before


@pytest.mark.usefixtures("in_this_process")
def test_errors_of_specs_are_in_the_message_each_at_its_line(shop: Shop) -> None:
    spec = shop.project.root / "specs" / "demand.yaml"
    spec.write_text(spec.read_text().replace("horizon", "horzion"))
    for call in (shop.project.plan, shop.project.apply):
        with pytest.raises(SpecError, match=r"demand.yaml:12:3: model.horzion: unknown key"):
            call()
    assert "demand" in shop.project  # its record can still be read
    assert len(shop.project["demand"].forecast()) == 4
    with pytest.raises(SpecError, match="horzion"):
        shop.project["other"]


@pytest.mark.usefixtures("in_this_process")
def test_a_selector_that_matches_nothing_is_refused(shop: Shop) -> None:
    for call in (shop.project.plan, shop.project.apply):
        with pytest.raises(UsageError, match="no forecast 'x'"):
            call("x")


def test_a_lock_of_another_run_is_an_error_of_the_forecast(shop: Shop) -> None:
    (shop.project.root / "data" / "sales.csv").write_text(sales(46))
    target = shop.project._target.open(shop.project.root)
    with target.lock_forecast("demand", "apply", "2024-02-15T00:00:00Z", 0.0):
        report = shop.project.apply()
    assert isinstance(report.forecasts[0].error, LockHeld)


def test_the_callers_process_stays_as_it_is_and_nothing_is_printed(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    (shop.project.root / "specs" / "second.yaml").write_text(
        spec_text("second", gate="[{metric: wape, below: 0.0001}]")
    )
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    environment, folder = dict(os.environ), Path.cwd()
    threads = threading.active_count()
    report = shop.project.apply("second")
    assert [applied.status for applied in report.forecasts] == ["kept-out"]
    assert report.ok
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert (dict(os.environ), Path.cwd(), threading.active_count()) == (environment, folder, threads)
    assert capfd.readouterr() == ("", "")


def test_a_raise_in_the_callers_progress_ends_the_apply_in_order(tmp_path: Path) -> None:
    shop = mlspec.open(project(tmp_path / "shop"))

    def fail(*_words: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        shop.apply(progress=fail)
    assert list(shop) == ["demand"]
    target = shop._target.open(shop.root)
    with target.lock_forecast("demand", "apply", "2024-02-15T00:00:00Z", 0.0):  # nobody holds it any more
        pass


def test_an_interrupt_ends_the_apply_in_order_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = mlspec.open(project(tmp_path / "shop"))

    def interrupt(_name: str, step: str, *_words: object) -> None:
        if step == "backtest":
            raise KeyboardInterrupt

    with pytest.raises(mlspec.errors.StoppedPartWay, match="what was done is recorded"):
        shop.apply(progress=interrupt)
    monkeypatch.setattr(mlspec.api.project, "run_apply", apply_here)
    assert shop.apply().forecasts[0].status == "applied"


@pytest.mark.no_cover
def test_a_script_without_a_main_guard_can_apply_and_a_library_logs_nothing_by_itself(
    shop: Shop, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import mlspec\nproject = mlspec.open({str(shop.project.root)!r})\n"
        "assert project.apply().ok\nassert len(project['demand'].forecast()) == 4\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("mlspec").handlers)
