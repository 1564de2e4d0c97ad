"""The rule of what a run for a scheduled moment may change: one that is older than what is recorded changes nothing newer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from mlspec.plan.moments import parse_moment
from mlspec.plan.schedule import next_run
from mlspec.spec.forecast import Forecast
from mlspec.state.ledger import Ledger
from mlspec.state.record import ForecastRun, Release
from mlspec.state.resource import Json

# The time that a run may take: the timeout of a rendered DAG's run. A forecast that was made within it may be this run's own.
RUN_SPAN = timedelta(hours=24)
_MOMENT = "moment"  # the fact of a forecast that was made in a run for a moment that was long past


def is_older_moment(moment: str, ledger: Ledger, newest_run: ForecastRun | None, now: str) -> bool:
    """Return whether a run's moment is older than what was handled: than a schedule's newest handled moment, or than a forecast
    (`newest_run`) that was made after the run's own time.

    The newest handled moment itself is not older: its run may be repeated. A recorded
    moment of the future is no evidence: a clock was wrong when it was written.
    """
    at = parse_moment(moment)
    return any(at < handled for handled in _handled_moments(ledger, newest_run) if handled <= parse_moment(now))


def _handled_moments(ledger: Ledger, newest_run: ForecastRun | None) -> Iterator[datetime]:
    yield from map(parse_moment, ledger.slots.values())
    if newest_run:
        moment = newest_run.facts.get(_MOMENT)
        yield parse_moment(moment) if moment else parse_moment(newest_run.created) - RUN_SPAN


def moment_facts(moment: str | None, now: str) -> dict[str, Json]:
    """Return what a forecast records of the moment of its run: nothing, unless the run is for a moment that is long past.

    Such a run is the first of its project: a later step of it must not take its own forecast for one of a newer moment.
    """
    long_past = moment is not None and parse_moment(moment) < parse_moment(now) - RUN_SPAN
    return {_MOMENT: moment} if long_past else {}


def is_since(happened: str, moment: str | None) -> bool:
    """Return whether something happened at a moment or later; with no moment, always."""
    return moment is None or parse_moment(happened) >= parse_moment(moment)


def forecast_of(moment: str, spec: Forecast, runs: Sequence[ForecastRun]) -> ForecastRun | None:
    """Return the forecast that was made for a past moment: between it and the next run of schedule.forecast; None if none was."""
    start = parse_moment(moment)
    end = next_run(spec.schedule.forecast, spec.schedule.timezone, start) or start + RUN_SPAN
    return next((run for run in reversed(runs) if start <= parse_moment(run.created) < end), None)


def backfill_of(moment: str, backfills: Sequence[ForecastRun]) -> ForecastRun | None:
    """Return the forecast that a backfill made for a past moment; None if none did."""
    return next((run for run in backfills if run.backfill_of == moment), None)


def release_at(moment: str, releases: Sequence[Release]) -> Release | None:
    """Return the release that served at a moment; the first one, if none did yet. `releases` are newest first."""
    served = (release for release in releases if not is_since(release.created, moment) or release.created == moment)
    return next(served, releases[-1] if releases else None)
