"""Two years of the loop in one run: what it found of the faults that are injected, how soon, and what it moved for no reason.

Run: python benchmarks/two_years.py. Exits 1 beyond a bar. 20 forecasts, 104 weeks, two faults in each of 14. The loop, the steps,
the target and the specs are the real ones; the clock is simulated, and the data is made from a seed (benchmarks/_shops.py). Each
week has two passes over all forecasts: when its actuals are mature, and when the schedule's hour has come. For half of the
forecasts the loop makes them, for the others the steps of a rendered DAG, task by task. The clock, the store and the receiver of
notices misbehave meanwhile (benchmarks/_misbehaviour.py): a pass that lost its store is made again, as a loop and a DAG do.

Found within one mature window: a fault is found when its alert begins to fire (a source that is gone: when the loop says so),
counted in the mature periods that it had touched by then. The bar is the alert's `window`, plus m - 1 for `for: m of n`: the first
moment at which m whole windows hold nothing but touched periods. So 5 for accuracy (4, `2 of 3`), 4 for bias, 8 for coverage and
drift, 1 for stale and for a source that is gone. A fault has to have its consequence too:

bad-model     a version forecasts three times what it should: accuracy fires; the version gives way within the same bar, for good
drift         demand is 1.6 times what it was, from one week on: an alert on quality or drift fires; the loop trains or moves back
late-actuals  three to five weeks come late, all at once: stale fires, and is over when they come; nothing is rolled back
outage        the source is gone for two or three weeks: the loop says so, and goes on when it is back; nothing is rolled back

The record grows for two years: a week of the last half-year may take 1.5 times the CPU time of one in the second.

Every notice that was written is delivered, waits for its next attempt, or is told as given up; none is lost.

A rollback (or a rollout that is given back) is false unless the version is a bad one, or demand shifted in the 12 weeks before.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import _misbehaviour as misbehaviour  # noqa: E402
from benchmarks import _shops as shops  # noqa: E402
from benchmarks._faults import KINDS, MOVED, Fault, Outcome, Week, bars, calendar, false_moves, outcome, settled  # noqa: E402
from mlspec.cli.target import open_engine  # noqa: E402
from mlspec.engine.assembly import ignore_progress  # noqa: E402
from mlspec.engine.context import Engine, Spec  # noqa: E402
from mlspec.engine.effects import version_name  # noqa: E402
from mlspec.engine.loop import reconcile_specs  # noqa: E402
from mlspec.engine.process_pool import run_in_processes  # noqa: E402
from mlspec.errors import Exit  # noqa: E402
from mlspec.jobs.rehearsal_project import ScaledForecastSteps  # noqa: E402
from mlspec.spec import read_specs  # noqa: E402
from mlspec.targets.local.target import LocalTarget  # noqa: E402
from tests.engine.dag_run import play_steps  # noqa: E402

SEED = 20261126
FORECASTS, FAULTLESS, HISTORY, WEEKS = 20, 6, 156, 104
HOURS = (1, 7)  # of the Tuesday after a week's end: its actuals are mature at 0:00, its forecast is due at 6:00
BAD, SHIFT = 3.0, 1.6
AT_ONCE = os.cpu_count() or 1
ATTEMPTS = 5  # of a pass whose store fails
HALF_YEAR, MOST_GROWTH = 26, 1.5


@dataclass
class Shop:
    """One forecast on the stage: its demand, its faults, and the record of its weeks."""

    number: int
    root: Path
    faults: list[Fault]
    bad: dict[int, str] = field(default_factory=dict)  # the version that forecasts badly, by the fault's week
    weeks: list[Week] = field(default_factory=list)
    heard: int = 0

    def __post_init__(self) -> None:
        """Make its demand, with the shifts that are to come."""
        self.name = f"shop-{self.number:02}"
        self.units = shops.demand(np.random.default_rng([SEED, self.number]), HISTORY + WEEKS)
        for fault in self.of("drift"):
            self.units[HISTORY + fault.week :] = np.round(self.units[HISTORY + fault.week :] * SHIFT)

    @property
    def by_dag(self) -> bool:
        """Whether the steps of a DAG make its passes, and not the loop: so for every second forecast."""
        return self.number % 2 == 1

    def of(self, *kinds: str) -> list[Fault]:
        """Return its faults of some kinds."""
        return [fault for fault in self.faults if fault.kind in kinds]

    def set(self, week: int) -> None:
        """Let the data and the spec be as they are in a week."""
        away = [each for each in self.of("late-actuals", "outage") if each.week <= week < each.week + each.length]
        known = min([week + 1, *(each.week for each in away)])
        source = self.root / f"data/{self.name}.csv"
        shops.write(self.units, HISTORY + known, source)
        if any(each.kind == "outage" for each in away):
            source.unlink()
        seed = sum(each.week <= week for each in self.of("bad-model"))
        (self.root / f"specs/{self.name}.yaml").write_text(shops.spec_text(self.name, self.number, seed))

    def moved(self) -> int:
        """Return how often traffic moved back."""
        return sum(reason in MOVED for week in self.weeks for reason, _version in week.events)

    def note(self, target: LocalTarget) -> None:
        """Record what the week brought."""
        observed, events = target.observe_forecast(self.name), target.load_events(self.name)
        traffic = observed.find_fact("deployment", "traffic")
        assert sum(traffic.values()) == 100, f"{self.name}: traffic is {traffic}"
        new = events[: len(events) - self.heard]
        self.heard = len(events)
        self.weeks.append(Week.of(observed, new))


def moment(week: int, hour: int) -> str:
    """Return the moment of a week's pass, RFC 3339."""
    day = shops.week_end(HISTORY + week) + timedelta(days=4)
    return f"{datetime(day.year, day.month, day.day, hour, tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}"


def live(engine: Engine, every: list[Shop], post: misbehaviour.Post) -> Iterator[int]:
    """Let the weeks go by, and yield each when it is over."""
    for week in range(WEEKS):
        for shop in every:
            shop.set(week)
        specs = read_specs([engine.root / "specs"], engine.root, "local").specs
        for shop, spec in zip(every, specs, strict=True):
            if any(fault.week == week for fault in shop.of("bad-model")):
                spoil(engine, shop, spec, week)
        for hour in HOURS:
            look(engine, every, specs, week, hour)
            post.send_due(engine.target, moment(week, hour))
        for shop in every:
            shop.note(engine.target)
        yield week


def spoil(engine: Engine, shop: Shop, spec: Spec, week: int) -> None:
    """Let the version that this week will make forecast badly: its name follows from its lineage."""
    shop.bad[week] = version_name(engine, engine.desired_forecast(spec))
    engine.steps.versions.add(shop.bad[week])


def look(engine: Engine, every: list[Shop], specs: Sequence[Spec], week: int, hour: int) -> None:
    """Make a pass over each forecast, and again where the store failed. Another failure ends the run, if the data is there."""
    left = dict(zip((shop.name for shop in every), zip(every, specs, strict=True), strict=True))
    for attempt in range(ATTEMPTS):
        at = later(moment(week, hour), attempt)
        failed = attempt_passes(engine, list(left.values()), at, at_once=AT_ONCE if week else 1)
        for name, error in failed.items():
            gone = any(each.week <= week < each.week + each.length for each in left[name][0].of("outage"))
            assert gone or misbehaviour.LOST in error, f"{at} {name}: {error}"
        left = {name: pair for name, pair in left.items() if misbehaviour.LOST in failed.get(name, "")}
        if not left:
            return
    raise AssertionError(f"{moment(week, hour)}: {', '.join(left)} did not get through in {ATTEMPTS} attempts")


def later(moment_text: str, attempt: int) -> str:
    """Return the moment of a further attempt: the longest pause between two is an hour, far more than the first ones take."""
    return f"{datetime.fromisoformat(moment_text) + timedelta(minutes=10 * attempt):%Y-%m-%dT%H:%M:%SZ}"


def attempt_passes(engine: Engine, pairs: Sequence[tuple[Shop, Spec]], at: str, at_once: int) -> dict[str, str]:
    """Make a pass over each forecast, by the loop or by a DAG, and return what went wrong by name. The clock may be ahead."""
    engine.target.pass_id, engine.target.writes = at, 0
    present = replace(engine, clock=lambda: misbehaviour.clock_of(SEED, at))
    # The first week imports the models into this process, which the others are forked from.
    passes = reconcile_specs(present, [spec for shop, spec in pairs if not shop.by_dag], at_once=at_once)
    failed = {found.forecast: str(found.error) for found in passes if found.error}
    runs = [partial(play_dag, present, spec, at) for shop, spec in pairs if shop.by_dag]
    played = run_in_processes(
        runs, at_once, lambda place, code: (runs[place].args[1].name, f"its process ended with {code}")
    )
    return failed | {name: wrong for name, wrong in played if wrong}


def play_dag(engine: Engine, spec: Spec, at: str) -> tuple[str, str]:
    """Make one run of a forecast's DAG, and return the forecast's name and what went wrong."""
    run = play_steps(lambda: engine, spec, at)
    failed = (task for task, code in run.codes.items() if code in (Exit.FAILED, Exit.MAY_PASS) and task != "kept_out")
    return spec.name, "; ".join(f"{task}: {run.errors.get(task, run.codes[task])}" for task in failed)


def stage(root: Path) -> tuple[Engine, list[Shop]]:
    """Set the stage in a folder: an engine whose steps can be spoilt, and every forecast with its faults."""
    for part in ("data", "specs"):
        (root / part).mkdir()
    (root / "mlspec.yaml").write_text("apiVersion: mlspec/v1\nkind: Project\nname: shops\n")
    target = misbehaviour.LossyTarget(root / ".mlspec")
    target.seed = SEED
    base = open_engine(target, root, ignore_progress)
    faults = [[] for _ in range(FAULTLESS)] + calendar(np.random.default_rng(SEED), FORECASTS - FAULTLESS)
    return replace(base, steps=ScaledForecastSteps(base.steps, BAD)), [
        Shop(place, root, each) for place, each in enumerate(faults)
    ]


def main() -> int:
    """Run it, tell what came of it, and return 1 beyond a bar."""
    start, cpu = time.perf_counter(), [cpu_seconds()]
    os.fsync = lambda _file: None  # the state is thrown away
    with tempfile.TemporaryDirectory() as folder, misbehaviour.posting() as post:
        engine, every = stage(Path(folder))
        for week in live(engine, every, post):
            if week % HALF_YEAR == HALF_YEAR - 1:
                cpu.append(cpu_seconds())
                print(f"     {week + 1} weeks in {time.perf_counter() - start:.0f} s", flush=True)
        told = tell_notices(engine.target, post)
        trained = sum(len(engine.target.load_versions(shop.name)) for shop in every)
        alerts = read_specs([engine.root / "specs"], engine.root, "local").specs[0].json["alerts"]
    print(f"     {FORECASTS} forecasts, {trained} versions trained")
    steady = tell_growth(cpu)
    return int(bool(report(every, bars(alerts))) or not told or not steady)


def cpu_seconds() -> float:
    """Return the CPU time of this process, and of the passes that were made in others."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def tell_growth(cpu: Sequence[float]) -> bool:
    """Print the CPU time of a week by half-years, and return whether the last one is not much slower than the second one.

    The first one is no measure: there are fewer forecasts to evaluate yet than an evaluation reads.
    """
    weekly = [(after - before) / HALF_YEAR for before, after in pairwise(cpu)]
    growth = weekly[-1] / weekly[1]
    print(
        f"{'ok  ' if growth <= MOST_GROWTH else 'MISS'} CPU time of a week in the last half-year / in the second one:"
        f" {growth:.2f} (bar {MOST_GROWTH}); by half-years {', '.join(f'{spent:.1f} s' for spent in weekly)}"
    )
    return growth <= MOST_GROWTH


def tell_notices(target: LocalTarget, post: misbehaviour.Post) -> bool:
    """Print what became of the notices, and return whether none was lost."""
    left = [pending for name in target.forecast_names() for pending in target.load_undelivered_notices(name)]
    given_up = [pending for pending in left if pending.is_given_up]
    taken = post.taken()
    lost = post.delivered - set(taken)
    silent = [pending for pending in given_up if not pending.problem]
    well = not lost and not silent
    print(
        f"{'ok  ' if well else 'MISS'} {len(post.delivered)} notices delivered, {len(left) - len(given_up)} wait,"
        f" {len(given_up)} given up and told, {len(lost)} lost (bar 0)"
        f"; {len(taken) - len(set(taken))} were taken twice, after a hang-up"
    )
    return well


def report(every: list[Shop], limits: dict[str, int]) -> int:
    """Print what was found and what was moved, and return 1 beyond a bar."""
    found = [
        (shop, fault, outcome(fault, shop.weeks, limits, shop.bad.get(fault.week)))
        for shop in every
        for fault in shop.faults
    ]
    bars_met = [tell_kind(kind, [each for _, _, each in found if each.kind == kind]) for kind in KINDS]
    for shop, fault, each in found:
        if not each.well:
            print(f"       {shop.name}: {fault}: {each}")
    shifts = [settled(fault, shop.weeks) for shop, fault, _ in found if fault.kind == "drift"]
    print(f"     drift: accuracy is well again twelve weeks later in {sum(shifts)} of {len(shifts)} (no bar)")
    bars_met += [tell_moves("without a fault", every[:FAULTLESS]), tell_moves("with faults", every[FAULTLESS:])]
    counts = {name: sum(fired(shop, name) for shop in every[:FAULTLESS]) for name in limits}
    said = ", ".join(f"{name} {count}" for name, count in counts.items())
    print(f"     alerts in {FAULTLESS * WEEKS} weeks without a fault, by chance: {said}")
    return int(not all(bars_met))


def tell_kind(kind: str, outcomes: list[Outcome]) -> bool:
    """Print how the faults of one kind turned out, and return whether all were found in time."""
    well = sum(each.well for each in outcomes)
    took = [each.took for each in outcomes if each.took is not None] or [0]
    print(
        f"{'ok  ' if well == len(outcomes) else 'MISS'} {kind}: {well} of {len(outcomes)} found in time, by"
        f" {', '.join(sorted({each.by for each in outcomes}))}; touched periods until then: {statistics.median(took):g} at the"
        f" median, {max(took)} at most"
    )
    return well == len(outcomes)


def tell_moves(what: str, some: list[Shop]) -> bool:
    """Print the false moves of traffic in some forecasts, and return whether there was none."""
    moves = {shop.name: false_moves(shop.faults, shop.weeks, set(shop.bad.values())) for shop in some}
    count, rollbacks = sum(map(len, moves.values())), sum(shop.moved() for shop in some)
    print(
        f"{'MISS' if count else 'ok  '} {len(some)} forecasts {what}: {rollbacks} moves back, {count} of them false (bar 0)"
    )
    print("".join(f"       {name}: in weeks {at}\n" for name, at in moves.items() if at), end="")
    return not count


def fired(shop: Shop, alert: str) -> int:
    """Return how often an alert of a forecast began to fire."""
    states = ["ok", *(week.alerts.get(alert) for week in shop.weeks)]
    return sum(now == "firing" != was for was, now in pairwise(states))


if __name__ == "__main__":
    sys.exit(main())
