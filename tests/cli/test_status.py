"""`mlspec status`: counts first, a table that fits the terminal, colour on a terminal alone, and a view that renews itself."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from mlspec.cli import main
from mlspec.cli.commands import status
from mlspec.cli.status_text import as_text, counts_text, span_text
from mlspec.engine.status import ForecastStatus, not_applied
from mlspec.errors import TargetUnreachable
from mlspec.state.ledger import AlertRecord, Hold, Ledger, RolloutProgress
from mlspec.state.record import ForecastRun
from tests.cli.test_plan_apply import quick
from tests.cli.test_session import Mlspec, mlspec
from tests.engine.steps import Steps
from tests.examples import spec_text

__all__ = ["mlspec", "quick"]  # fixtures
AT = "2026-11-24T11:18:51Z"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def forecast_status(name: str, *, ready: bool = True, ledger: Ledger | None = None) -> ForecastStatus:
    """A forecast that serves, with every cell of the table filled."""
    return replace(
        not_applied(name, AT), ready=ready, why="" if ready else "the data breaks its contract", conditions=(),
        serving=({"version": "v19dcfbb84c", "traffic": 90}, {"version": "v29dcfbb84c", "traffic": 10}),
        candidate="seasonal-naive", metrics={"wape": 0.058}, ledger=ledger or Ledger(metrics={"wape": 0.112}),
        last_run=ForecastRun(name, "v19dcfbb84c", "d", "2012-10-26", AT, {}), next_run="2026-11-30T09:00:00Z",
    )  # fmt: skip


def table_of(text: str) -> list[str]:
    return [line for line in click.unstyle(text).splitlines() if line.startswith(("forecast ", "demand "))]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", ["demand", "store-217-beverages-weekly"])
def test_the_table_fits_the_width_and_says_what_is_left_out(width: int, name: str) -> None:
    text = click.unstyle(as_text([forecast_status(name, ready=False)], width=width, wrap=True, now=NOW))
    assert all(len(line) <= width for line in text.splitlines()), text
    header = next(line for line in text.splitlines() if line.startswith("forecast"))
    for title in ("serving", "realised", "backtest", "data up to", "next run"):
        assert title in header or title in " ".join(text.partition("--wide also shows: ")[2].split())


def test_at_80_columns_a_usual_forecast_loses_no_column() -> None:
    text = as_text([forecast_status("demand")], now=NOW)
    assert "--wide" not in text
    assert table_of(text)[1].split() == [
        "demand", "ready", "v19dcfbb84c", "90", "%", "11.2%", "5.8%", "2012-10-26", "in", "5", "d",
    ]  # fmt: skip


def test_wide_shows_every_column_in_full() -> None:
    header, row = table_of(as_text([forecast_status("demand")], wide=True, now=NOW))
    assert all(title in header for title in ("model", "realised WAPE", "backtest WAPE", "last run", "next run"))
    assert all(
        cell in row for cell in ("v19dcfbb84c 90 %, v29dcfbb84c 10 %", "seasonal-naive", AT, "2026-11-30T09:00:00Z")
    )


def test_counts_come_first_and_name_what_needs_somebody() -> None:
    firing = Ledger(alerts=(AlertRecord("accuracy", "firing", AT),))
    held = Ledger(hold=Hold(1, "v1", "ana", "promotion", AT, "h"))
    rollout = Ledger(rollout=RolloutProgress("v2", 2, "v1", 1, 0, AT, AT))
    found = [
        forecast_status("a", ready=False, ledger=firing), forecast_status("b", ledger=held),
        forecast_status("c", ledger=rollout), not_applied("d", AT),
    ]  # fmt: skip
    expected = "4 forecasts: 2 ready, 2 not ready, 1 with firing alerts, 1 in rollout, 1 held"
    assert as_text(found, now=NOW).splitlines()[0] == counts_text(found) == expected


def test_the_time_to_the_next_run_is_in_its_largest_unit() -> None:
    assert [span_text(seconds) for seconds in (-5, 59, 7_100, 7_300, 171_000, 180_000)] == [
        "0 min", "1 min", "118 min", "2 h", "47 h", "2 d",
    ]  # fmt: skip


def test_names_are_in_natural_order(mlspec: Mlspec) -> None:
    for number in (10, 9, 1):
        Path(f"specs/shop-{number}.yaml").write_text(spec_text(f"shop-{number}"))
    names = [each["name"] for each in json.loads(mlspec("status", "--output", "json").out)["forecasts"]]
    assert names == ["demand", "shop-1", "shop-9", "shop-10"]


def test_select_and_not_ready_narrow_it(mlspec: Mlspec, quick: Steps) -> None:
    assert mlspec("apply").code == 0
    Path("specs/second.yaml").write_text(spec_text("second"))
    assert [line.split()[0] for line in mlspec("status", "--not-ready").out.splitlines()[2:3]] == ["second"]
    assert "second" not in mlspec("status", "--select", "dem*").out
    assert "demand" not in mlspec("status", "--select", "new").out
    assert "No forecast is not ready." in mlspec("status", "demand", "--not-ready").out
    wrong = mlspec("status", "--select", "nothing")
    assert (wrong.code, "no forecast 'nothing'" in wrong.err) == (2, True)


def test_there_is_colour_on_a_terminal_alone_and_never_with_no_color(
    mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[" not in mlspec("status").out
    shown = []
    monkeypatch.setattr(
        status.click, "echo", lambda text, **_words: shown.append((text, status.click.get_current_context().color))
    )
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main.run(["status"]) == 0
    monkeypatch.setenv("NO_COLOR", "1")
    assert main.run(["status"]) == 0
    assert [color for _, color in shown] == [None, False]  # None: click leaves colour to terminals
    assert all("\x1b[31mnot ready" in text for text, _ in shown)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_shows_what_changed_until_it_is_ended(
    mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            Path("specs/second.yaml").write_text(spec_text("second"))
        if len(looks) == 4:
            signal.raise_signal(number)

    monkeypatch.setattr(status.time, "sleep", sleep)
    said = mlspec("status", "--watch", "--interval", "2s")
    assert (said.code, looks) == (0, [2.0] * 4)
    assert said.out.count("1 forecast: 1 not ready") == 1
    assert said.out.count("2 forecasts: 2 not ready") == 1


def test_watch_goes_on_when_the_state_cannot_be_reached(mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([TargetUnreachable("the database does not answer"), KeyboardInterrupt()])

    def fail(*_words: object) -> None:
        raise next(answers)

    monkeypatch.setattr(status, "_load_statuses", fail)
    monkeypatch.setattr(status.time, "sleep", lambda _seconds: None)
    said = mlspec("status", "--watch")
    assert (said.code, "the database does not answer; the next look is in 5s" in said.out) == (0, True)


@pytest.mark.parametrize("words", [("--check",), ("--output", "json")])
def test_watch_refuses_what_would_never_end(mlspec: Mlspec, words: tuple[str, ...]) -> None:
    said = mlspec("status", "--watch", *words)
    assert (said.code, "--watch shows text" in said.err) == (2, True)


def test_the_width_is_that_of_the_terminal(mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status.sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(status.shutil, "get_terminal_size", lambda *_, **_fallback: os.terminal_size((30, 24)))
    assert "--wide also shows" in mlspec("status").out
