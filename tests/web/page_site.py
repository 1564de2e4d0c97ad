"""A project whose forecasts have a history, and the server's pages of it, in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from mlspec import jobs
from mlspec.cli.target import open_engine
from mlspec.clock import utc_now
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.loop import reconcile_specs
from mlspec.engine.overview import load_overview
from mlspec.plan.moments import format_moment
from mlspec.spec import read_specs
from mlspec.state.notice import Notice, PendingNotice
from mlspec.state.observed import Settlement
from mlspec.state.overview import ForecastOverview
from mlspec.targets.local.target import LocalTarget
from mlspec.web.access import Access
from mlspec.web.action_pages import action_routes
from mlspec.web.actions import ActionRunner
from mlspec.web.admission import AdmissionMiddleware
from mlspec.web.app import _answer_client_error, _answer_http_error
from mlspec.web.page_source import PageSource
from mlspec.web.pages import page_routes
from mlspec.web.problem import ClientError
from mlspec.web.server import open_socket
from mlspec.web.what_if import WhatIfAnswers
from tests.examples import project, spec_text

SHOPS = 14
HOSTILE = '</script><script>alert("x")</script>'  # a description, as somebody could write it
OWNERS = {"demand": "planning@example.com", "orders": "stores@example.com"}


def page_spec(name: str) -> str:
    """A spec with two kinds of segments and an alert that fires."""
    text = spec_text(name)
    for old, new in (
        (f"  name: {name}\n", f"  name: {name}\n  owner: {OWNERS[name]}\n  description: '{HOSTILE}'\n"),
        ("  frequency: D\n", "  frequency: D\n  covariates: {static: [region]}\n"),
        ("inventory:", "alerts: [{name: accuracy, metric: wape, above: 0.0001, window: 2, by: [region]}]\ninventory:"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def page_sales(days: int) -> str:
    """Sales of shops in three regions, with a weekly season."""
    lines = ["shop,region,day,units"]
    for shop in range(SHOPS):
        for day in range(days):
            when = date(2024, 1, 1) + timedelta(days=day)
            units = 10 * (shop + 1) + 3 * (day % 7) + (day * 7919 * (shop + 1)) % 5
            lines.append(f"shop {shop},R{shop % 3},{when},{units}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class PageProject:
    """A project with the forecasts `demand`, made three times, and `orders`, made once."""

    root: Path

    @property
    def target(self) -> LocalTarget:
        return LocalTarget(self.root / ".mlspec")

    def overview(self, name: str = "demand") -> ForecastOverview:
        return load_overview(self.target, name, format_moment(utc_now()), self.root, jobs.measure_overview)


def make_project(folder: Path) -> PageProject:
    root = project(folder / "pages", demand=page_spec("demand"), orders=page_spec("orders"))
    made = PageProject(root)
    now = utc_now()
    for days in (42, 43, 44):
        (root / "data/sales.csv").write_text(page_sales(days))
        engine = replace(open_engine(made.target, root, ignore_progress), clock=partial(format_moment, now))
        loaded = read_specs([root / "specs"], root, "local")
        assert not loaded.faults, loaded.faults
        wanted = [spec for spec in loaded.specs if spec.name == "demand" or days == 42]
        assert [found.error for found in reconcile_specs(engine, wanted)] == [None] * len(wanted)
        now += timedelta(hours=1)
    _lose_a_notice(made.target, format_moment(now))
    return made


def add_release(made: PageProject) -> PageProject:
    """Let another kind of model take over in the forecast `demand`, as a person who changes its spec does."""
    file = made.root / "specs/demand.yaml"
    text = file.read_text()
    assert text.count("{kind: seasonal-naive, season: 7}") == 1
    file.write_text(text.replace("{kind: seasonal-naive, season: 7}", "{kind: croston}"))
    later = format_moment(utc_now() + timedelta(hours=4))
    engine = replace(open_engine(made.target, made.root, ignore_progress), clock=lambda: later)
    specs = [spec for spec in read_specs([made.root / "specs"], made.root, "local").specs if spec.name == "demand"]
    (found,) = reconcile_specs(engine, specs)
    assert found.error is None, found.error
    assert [release.release for release in made.target.load_releases("demand")] == [3, 2, 1]
    return made


def _lose_a_notice(target: LocalTarget, at: str) -> None:
    notice = Notice("lost", "demand", "accuracy", "alert", "firing", "critical", at, at, "accuracy: wape is 0.3")
    lost = PendingNotice(notice, "webhook:hook", 4, None, "400 Bad Request")
    with target.lock_forecast("demand", "test", at, 1.0):
        target.record_settlement(Settlement("demand", notices=(lost,)), at)


@contextmanager
def serving_pages(
    made: PageProject, token: str | None = None, run: ActionRunner | None = None, what_if: WhatIfAnswers | None = None
) -> Iterator[str]:
    """Serve the pages, and yield their address. With `run` they have actions, with `what_if` what-ifs."""
    source = PageSource(made.target, made.root, (), jobs.measure_overview, utc_now)
    actions = action_routes(source, run) if run else []
    router = Starlette(
        routes=[*page_routes(source, with_actions=bool(run), what_if=what_if), *actions],
        exception_handlers={HTTPException: _answer_http_error, ClientError: _answer_client_error},
    )
    listening = open_socket("127.0.0.1", 0)
    config = uvicorn.Config(
        AdmissionMiddleware(router, Access(token=token)), lifespan="off", log_config=None, access_log=False, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
