"""How forecasts turned out, and what the alerts make of it: the evidence on which the loop acts, and a person looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from mlspec.engine.effects import Work, panel
from mlspec.engine.pipeline import run_step
from mlspec.errors import StateError, TargetError
from mlspec.plan import answered, telling
from mlspec.plan.alerting import Moved, active, advance, settled, still
from mlspec.plan.health import healthy
from mlspec.plan.moments import day_or_hour
from mlspec.plan.points import points
from mlspec.plan.rollback import cool_at, proved
from mlspec.plan.rollout import judges
from mlspec.plan.serving import stable, traffic
from mlspec.plan.thresholds import Judged, judge
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.state.observed import Observed, Settlement
from mlspec.state.point import Point
from mlspec.state.record import Event, FileRef
from mlspec.state.resource import Json, digest

_NEWEST = 60  # forecasts are held against their actuals
_SAID = {"firing": "AlertFiring", "resolved": "AlertResolved", "no-data": "AlertNoData"}


def key(work: Work, observed: Observed) -> str:
    """Return the digest of all that an evaluation depends on: where it is as it was, there is nothing new to judge."""
    now = work.engine.clock()
    return _key(work, observed, _served(work, observed, now), now)


def _key(work: Work, observed: Observed, served: Sequence[Mapping[str, Json]], now: str) -> str:
    data = observed.seen.get("data")
    return digest(
        [
            {role: ref.sha256 for role, ref in data.files.items()} if data else None,
            work.wanted.spec_hash,
            day_or_hour(now, work.wanted.spec["dataset"]["frequency"]),
            sorted(observed.ledger.bad),
            sorted(traffic(observed)),
            sorted(each.alert for each in active(observed.ledger.silences, now)),
            observed.ledger.hold is not None,
            *served,
        ],
        32,
    )


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What each alert says, and a sentence for each that fires now, is over, or has lost its data."""

    judged: tuple[Judged, ...]
    heard: tuple[str, ...]


def evaluate(work: Work) -> Evaluated:
    """Hold the forecasts that were made against what came, move every alert on, and record it with what people are told."""
    at, observed = work.engine.clock(), work.engine.target.observe(work.name)
    facts, served = measured(work, observed), _served(work, observed, at)
    found = {each["name"]: each for each in (*facts["alerts"], *served)}
    ledger = replace(
        observed.ledger,
        evaluated=_key(work, observed, served, at),
        metrics=facts["metrics"],
        by_horizon=tuple(facts.get("by_horizon", ())),
        made_with=_made_with(work),
    )
    return _move_on(work, observed, found, ledger, at, whole=True)


def _made_with(work: Work) -> dict[str, Json]:
    """Return what the steps of an evaluation are filed under, beside their inputs: `answering` looks for them."""
    engine = work.engine
    return {"code": engine.code, "mlspec": engine.mlspec, "libraries": dict(engine.libraries)}


def evaluate_served(work: Work) -> Evaluated:
    """Move the alerts on a server's errors and latency on, by what it counted; the others stay, and are still to be evaluated."""
    at, observed = work.engine.clock(), work.engine.target.observe(work.name)
    found = {each["name"]: each for each in _served(work, observed, at)}
    return _move_on(work, observed, found, observed.ledger, at, whole=False)


def server_alarms(work: Work, observed: Observed) -> bool:
    """Return whether a server's counts make an alert fire, in all or on a version, that the record does not say fires."""
    ledger = observed.ledger
    found = {each["name"]: each for each in _served(work, observed, work.engine.clock())}
    for alert in work.wanted.spec["alerts"]:
        if (name := alert["name"]) not in found:
            continue
        known = {"": still(name, ledger.alert(name)).state, **ledger.own.get(name, {})}
        parts = {"": found[name]["segments"], **found[name]["by_version"]}
        if any(judge(alert, part).state == "firing" != known.get(who) for who, part in parts.items()):
            return True
    return False


def _move_on(
    work: Work, observed: Observed, found: Mapping[str, Mapping[str, Json]], ledger: Ledger, at: str, *, whole: bool
) -> Evaluated:
    """Move every alert on by what was `found` of it, and record that; one of which nothing was measured says what it said.

    Whether a version has proved good is said by a `whole` evaluation alone.
    """
    spec = work.wanted.spec
    anew = [alert for alert in spec["alerts"] if alert["name"] in found]
    judged = {alert["name"]: still(alert["name"], ledger.alert(alert["name"])) for alert in spec["alerts"]}
    judged |= {alert["name"]: judge(alert, found[alert["name"]]["segments"]) for alert in anew}
    own = {alert["name"]: ledger.own.get(alert["name"], {}) for alert in spec["alerts"]}
    own |= {
        alert["name"]: {
            version: judge(alert, segments).state
            for version, segments in found[alert["name"]].get("by_version", {}).items()
        }
        for alert in anew
    }
    moved = advance(work.name, spec["alerts"], judged, ledger, at)
    ledger = replace(settled(moved, ledger, at), own=own, spec=work.wanted.spec_hash)
    news = _news(moved, observed.ledger)
    work.settle(
        Settlement(
            work.name,
            events=tuple(_event(work.name, each, at) for each in news),
            conditions=(healthy(work.name, ledger, at),),
            ledger=_trusted(spec, observed, ledger, at) if whole else ledger,
            notices=telling.pending(spec, telling.of_alerts(spec, moved, stable(observed), at), at),
        )
    )
    _tell_monitors(work, points(anew, found), at)
    return Evaluated(tuple(judged.values()), tuple(f"alert {each.name} is {each.state}: {each.said}" for each in news))


def _tell_monitors(work: Work, found: Sequence[Point], at: str) -> None:
    """Hand what was measured to whoever watches outside. One that cannot be told holds up no decision."""
    try:
        work.engine.target.measured(work.name, found, at)
    except TargetError as error:
        event = Event(work.name, at, "Warning", "MonitorsNotTold", error.message)
        work.settle(Settlement(work.name, events=(event,)))


def measured(
    work: Work,
    observed: Observed,
    inputs: Mapping[str, FileRef] = MappingProxyType({}),
    options: Mapping[str, Json] = MappingProxyType({}),
) -> Mapping[str, Json]:
    """Return the facts of the step `evaluate`, on the newest forecasts and the data that was checked last."""
    runs = [run for run in work.engine.target.runs(work.name) if "forecast" in run.files][:_NEWEST]
    read = panel(work)
    if not read:
        raise StateError(f"{work.name}: there is no checked data to evaluate on", hint="run the step check before it")
    for number, run in enumerate(runs, 1):
        read |= {f"{role}-{number}": run.files[role] for role in ("forecast", "shadow") if role in run.files}
    usual = {
        "now": work.moment or work.engine.clock(),
        "quarantined": sorted(observed.ledger.bad),
        "versions": sorted(traffic(observed)),
    }
    return run_step(work.engine, work.wanted, "evaluate", {**read, **inputs}, {**usual, **options}).facts


def _served(work: Work, observed: Observed, now: str) -> tuple[Mapping[str, Json], ...]:
    """Return the values of the alerts on errors and latency: of what servers counted, and of no forecast."""
    alerts = [alert for alert in work.wanted.spec["alerts"] if alert["metric"] in answered.METRICS]
    if not alerts:
        return ()
    counted = work.engine.target.served(work.name, min(answered.since(alert, now) for alert in alerts))
    good = [each for each in counted if each.version not in observed.ledger.bad]
    return tuple(answered.measured(alert, good, traffic(observed), now) for alert in alerts)


def _trusted(spec: Mapping[str, Json], observed: Observed, ledger: Ledger, now: str) -> Ledger:
    """Return the ledger with the count of rollbacks begun anew, where a version that came in after them has proved good.

    Not before the cooldown of the last one is over: it is measured from that record.
    """
    serves = stable(observed)
    if not ledger.rollbacks or serves is None or now < cool_at(ledger, spec["rollback"]):
        return ledger
    gave_way = {name for each in ledger.rollbacks for name in (each.version, each.to)}
    good = serves not in gave_way and proved(judges(spec), ledger, serves)
    return replace(ledger, rollbacks=()) if good else ledger


def _news(moved: Sequence[Moved], before: Ledger) -> tuple[AlertRecord, ...]:
    """Return the alerts that fire now, are over, or have lost their data; the first evaluation of all tells no loss."""
    found = []
    for each in moved:
        was, state = before.alert(each.record.name), each.record.state
        if state in _SAID and (was.state != state if was else state == "firing"):
            found.append(each.record)
    return tuple(found)


def _event(name: str, alert: AlertRecord, at: str) -> Event:
    return Event(name, at, "Normal" if alert.state == "resolved" else "Warning", _SAID[alert.state], alert.message)
