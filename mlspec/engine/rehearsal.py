"""A rehearsal: simulates a fault on a copy of a forecast, pass by pass, and reports what the loop does.

The copy is a separate project that replays the last periods of the real history. No notices are sent, and the real state is not
changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

from mlspec.engine.context import Engine
from mlspec.engine.effects import version_name
from mlspec.engine.reconcile import reconcile_one
from mlspec.plan.moments import format_moment, parse_moment
from mlspec.plan.serving import observed_traffic, stable_version
from mlspec.spec.digest import resolved_json, spec_digest
from mlspec.spec.forecast import Forecast
from mlspec.spec.metrics import Metric, find_metric

Fault = Literal["bad-model", "drift", "late-actuals", "outage"]
FAULTS: dict[Fault, str] = {
    "bad-model": "a new version passes the gate, and then its forecasts are three times too high",
    "drift": "from one period on, demand is doubled",
    "late-actuals": "actuals stop arriving for some periods",
    "outage": "the source is missing for two periods",
}
BAD_FACTOR, DRIFT_FACTOR = 3.0, 2.0
FAULT_STARTS_AT = 2  # the period in which the fault begins
SPARE_PERIODS = 6  # periods in addition to those of an alert's windows, for the begin and the end of the fault


class RehearsalStage(Protocol):
    """A copy of a project whose history is replayed."""

    @property
    def spec(self) -> Forecast:
        """The spec of the copy."""
        ...

    @property
    def moments(self) -> tuple[str, ...]:
        """When each period's actuals have arrived; the first is the moment before the rehearsal."""
        ...

    def reveal_periods(self, known: int, *, shift_from: int | None = None, factor: float = 1.0) -> None:
        """Make the actuals of the first `known` periods available; from `shift_from` on they are multiplied by `factor`."""
        ...

    def remove_source(self) -> None:
        """Remove the source."""
        ...


class FaultySteps(Protocol):
    """Steps that make bad forecasts for the versions in `versions`."""

    versions: set[str]


@dataclass(frozen=True, slots=True)
class RehearsalSpec:
    """The spec of a rehearsal, in the form that the engine needs."""

    name: str
    forecast: Forecast
    spec_hash: str


@dataclass(frozen=True, slots=True)
class RehearsalPeriod:
    """One period of the rehearsal: what was done to the forecast (`fault`), and what the loop observed and did (`said`).

    `told` are the notices that would have been sent, each with its receiver.
    """

    moment: str
    period: int
    fault: str
    said: tuple[str, ...]
    traffic: Mapping[str, int]
    alerts: Mapping[str, str]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RehearsalVerdict:
    """The verdict: each expected observation, and whether it was seen."""

    seen: Mapping[str, bool]

    @property
    def is_expected(self) -> bool:
        """Whether every expected observation was seen."""
        return all(self.seen.values())


def periods_for(spec: Forecast) -> int:
    """Return how many periods a rehearsal replays: those that the longest alert needs, and SPARE_PERIODS."""
    needed = [(alert.window or 1) + alert.agreement.evaluations for alert in spec.alerts]
    return max(needed, default=1) + SPARE_PERIODS


def rehearsal_spec(spec: Forecast) -> RehearsalSpec:
    """Return the spec of a rehearsal."""
    return RehearsalSpec(spec.metadata.name, spec, spec_digest(resolved_json(spec)))


@dataclass
class Rehearsal:
    """One fault, simulated on one copy. `engine_at` returns an engine whose clock shows a given moment; `bad` are faulty steps."""

    stage: RehearsalStage
    engine_at: Callable[[str], Engine]
    bad: FaultySteps
    fault: Fault

    def __post_init__(self) -> None:
        """Set the state before the first period."""
        self.spec = rehearsal_spec(self.stage.spec)
        self.over = False
        self.heard: set[str] = set()
        self.alerts: list[Mapping[str, str]] = []
        self.events: list[str] = []
        self.fired: set[str] = set()
        self.gaps = 0

    def play_periods(self) -> Iterator[RehearsalPeriod]:
        """Replay the periods and yield the result of each. Ends early once the fault is over and everything expected was seen."""
        self.stage.reveal_periods(0)
        yield self._run_period(0, "")
        for period in range(1, len(self.stage.moments)):
            yield self._run_period(period, self._apply_fault(period))
            if self.over and self.judge_events().is_expected:
                return

    def judge_events(self) -> RehearsalVerdict:
        """Return what is expected for this fault, and whether it was seen."""
        return RehearsalVerdict({what: seen(self) for what, seen in _EXPECTED[self.fault].items()})

    def _apply_fault(self, period: int) -> str:
        """Change the copy for this period, and return the fault in words; empty if nothing unusual happens."""
        first = period == FAULT_STARTS_AT
        if self.fault == "drift":
            self.over = self.over or period > FAULT_STARTS_AT
            self.stage.reveal_periods(period, shift_from=FAULT_STARTS_AT, factor=DRIFT_FACTOR)
        elif self.fault == "bad-model":
            self.over = self.over or period > FAULT_STARTS_AT
            self.stage.reveal_periods(period)
            if first:
                model = self.stage.spec.model
                changed = model.model_copy(update={"seed": model.seed + 1})
                self.spec = rehearsal_spec(self.stage.spec.model_copy(update={"model": changed}))
        elif period >= FAULT_STARTS_AT and not self.over and not self._is_fault_over(period):
            if self.fault == "outage":
                self.stage.remove_source()
        else:
            was_over, self.over = self.over, period > FAULT_STARTS_AT
            self.stage.reveal_periods(period)
            return "the fault is over" if self.over and not was_over else ""
        return FAULTS[self.fault] if first else ""

    def _is_fault_over(self, period: int) -> bool:
        """Return whether the fault ends: late actuals end once an alert on their age fired, an outage after two periods."""
        fired = _has_fired(self, _is_about_age)
        return fired if self.fault == "late-actuals" else period >= FAULT_STARTS_AT + 2

    def _run_period(self, period: int, fault: str) -> RehearsalPeriod:
        """Make the passes of a period: when its actuals arrive, and an hour before the next ones, so that schedules become due."""
        moments = [self.stage.moments[period]]
        if period + 1 < len(self.stage.moments):
            moments.append(format_moment(parse_moment(self.stage.moments[period + 1]) - timedelta(hours=1)))
        actions = [line for at in moments for line in self._run_pass(at)]
        target = self.engine_at(moments[0]).target
        observed = target.observe_forecast(self.spec.name)
        self.alerts.append({record.name: record.state for record in observed.ledger.alerts})
        notices = [
            f"{record.receiver}: {record.notice.message}"
            for record in reversed(target.load_undelivered_notices(self.spec.name))
        ]
        new = tuple(line for line in notices if line not in self.heard)
        self.heard |= set(new)
        return RehearsalPeriod(
            moments[0], period, fault, tuple(actions), dict(observed_traffic(observed)), self.alerts[-1], new
        )

    def _run_pass(self, at: str) -> list[str]:
        """Make a pass at a moment. The version of the changed spec is the bad one."""
        engine = self.engine_at(at)
        before = {version.version for version in engine.target.load_versions(self.spec.name)}
        if (
            self.fault == "bad-model"
            and before
            and self.spec.spec_hash != rehearsal_spec(self.stage.spec).spec_hash
            and not self.bad.versions
        ):
            self.bad.versions.add(self._next_version_name(engine))
        result = reconcile_one(engine, self.spec)
        events = engine.target.load_events(self.spec.name)
        self.events = [event.reason for event in reversed(events)]
        # From the history: an alert that fires and is answered in one pass does not fire any more when the pass is over.
        self.fired = {event.message.partition(":")[0] for event in events if event.reason == "AlertFiring"}
        self.gaps += "deployment" not in engine.target.observe_forecast(self.spec.name).resources
        error = [f"failed: {result.error.message.splitlines()[0]}"] if result.error else []
        return [*result.actions, *error]

    def _next_version_name(self, engine: Engine) -> str:
        """Return the name of the version that the changed spec will give: it follows from the lineage."""
        return version_name(engine, engine.desired_forecast(self.spec))


def _has_fired(rehearsal: Rehearsal, is_meant: Callable[[Metric], bool]) -> bool:
    """Return whether an alert fired on one of the metrics that are meant."""
    names = [alert.name for alert in rehearsal.spec.forecast.alerts if is_meant(find_metric(alert.metric))]
    return not rehearsal.fired.isdisjoint(names)


def _is_quiet(rehearsal: Rehearsal) -> bool:
    return "firing" not in rehearsal.alerts[-1].values()


def _bad_gave_way(rehearsal: Rehearsal) -> bool:
    observed = rehearsal.engine_at(rehearsal.stage.moments[0]).target.observe_forecast(rehearsal.spec.name)
    return (
        bool(rehearsal.bad.versions & observed.ledger.quarantined_versions)
        and stable_version(observed) not in rehearsal.bad.versions
    )


def _is_about_quality(metric: Metric) -> bool:
    """Return whether a metric says that forecasts, answers or demand are not what they were: a better version would help."""
    return metric.blames_version or metric.asks_training


def _is_about_age(metric: Metric) -> bool:
    return metric.kind == "age"


_SERVES: tuple[str, Callable[[Rehearsal], bool]] = ("a version served all the time", lambda run: run.gaps == 0)
# What is expected for each fault, in order.
_EXPECTED: dict[Fault, dict[str, Callable[[Rehearsal], bool]]] = {
    "bad-model": dict((
        ("an alert noticed it", lambda run: _has_fired(run, _is_about_quality)),
        ("the bad version was rolled back and is in quarantine", _bad_gave_way),
        ("no alert fires any more", _is_quiet),
        _SERVES,
    )),
    "drift": dict((
        ("an alert noticed it", lambda run: _has_fired(run, _is_about_quality)),
        ("the loop rolled back or trained on the newer data",
         lambda run: "RolledBack" in run.events or run.events.count("GatePassed") + run.events.count("GateClosed") > 1),
        _SERVES,
    )),
    "late-actuals": dict((
        ("an alert on the age of the data noticed it", lambda run: _has_fired(run, _is_about_age)),
        ("the alert was resolved when the actuals arrived", lambda run: "AlertResolved" in run.events),
        ("nothing was rolled back", lambda run: "RolledBack" not in run.events),
        _SERVES,
    )),
    "outage": dict((
        ("the loop reported that the source is missing", lambda run: "DataMissing" in run.events),
        ("it continued when the source returned", lambda run: "DataChecked" in run.events[run.events.index("DataMissing"):]
         if "DataMissing" in run.events else False),
        ("nothing was rolled back", lambda run: "RolledBack" not in run.events),
        _SERVES,
    )),
}  # fmt: skip
