"""Two years of the loop in one run: what it found of the faults that are injected, how soon, and what it moved for no reason.

Run: python benchmarks/two_years.py. Exits 1 beyond a bar. 20 forecasts, 104 weeks, two faults in each of 14. The loop, the steps,
the target and the specs are the real ones; the clock is simulated, and the data is made from a seed (benchmarks/_shops.py). Each
week has two passes over all forecasts: when its actuals are mature, and when the schedule's hour has come.

Found within one mature window: a fault is found when its alert begins to fire (a source that is gone: when the loop says so),
counted in the mature periods that it had touched by then. The bar is the alert's `window`, plus m - 1 for `for: m of n`: the first
moment at which m whole windows hold nothing but touched periods. So 5 for accuracy (4, `2 of 3`), 4 for bias, 8 for coverage and
drift, 1 for stale and for a source that is gone. A fault has to have its consequence too:

bad-model     a version forecasts three times what it should: accuracy fires; the version gives way within the same bar, for good
drift         demand is 1.6 times what it was, from one week on: an alert on quality or drift fires; the loop trains or moves back
late-actuals  three to five weeks come late, all at once: stale fires, and is over when they come; nothing is rolled back
outage        the source is gone for two or three weeks: the loop says so, and goes on when it is back; nothing is rolled back

A rollback (or a rollout that is given back) is false unless the version is a bad one, or demand shifted in the 12 weeks before.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import _shops as shops  # noqa: E402
from benchmarks._faults import KINDS, MOVED, Fault, Outcome, Week, bars, calendar, false_moves, outcome, settled  # noqa: E402
from mlspec.cli.planning import ignore_progress  # noqa: E402
from mlspec.cli.target import open_engine  # noqa: E402
from mlspec.engine.context import Engine, Spec  # noqa: E402
from mlspec.engine.effects import version_name  # noqa: E402
from mlspec.engine.loop import reconcile_specs  # noqa: E402
from mlspec.jobs.drill import SpoiltSteps  # noqa: E402
from mlspec.spec import read_specs  # noqa: E402
from mlspec.targets.local.target import LocalTarget  # noqa: E402

SEED = 20261126
FORECASTS, FAULTLESS, HISTORY, WEEKS = 20, 6, 156, 104
HOURS = (1, 7)  # of the Tuesday after a week's end: its actuals are mature at 0:00, its forecast is due at 6:00
BAD, SHIFT = 3.0, 1.6
AT_ONCE = os.cpu_count() or 1


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
        told = {event.message.partition(":")[0] for event in new if event.reason == "AlertFiring"}
        self.weeks.append(
            Week(
                # One that fired in a pass and moved traffic may be over in the next: what the bad version served counts no more.
                {each.name: "firing" if each.name in told else each.state for each in observed.ledger.alerts},
                frozenset(traffic),
                observed.ledger.quarantined_versions,
                [(event.reason, event.version) for event in reversed(new)],
            )
        )


def moment(week: int, hour: int) -> str:
    """Return the moment of a week's pass, RFC 3339."""
    day = shops.week_end(HISTORY + week) + timedelta(days=4)
    return f"{datetime(day.year, day.month, day.day, hour, tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}"


def live(engine: Engine, every: list[Shop]) -> Iterator[int]:
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
        for shop in every:
            shop.note(engine.target)
        yield week


def spoil(engine: Engine, shop: Shop, spec: Spec, week: int) -> None:
    """Let the version that this week will make forecast badly: its name follows from its lineage."""
    shop.bad[week] = version_name(engine, engine.desired_forecast(spec))
    engine.steps.versions.add(shop.bad[week])


def look(engine: Engine, every: list[Shop], specs: Sequence[Spec], week: int, hour: int) -> None:
    """Make a pass. One that fails for anything but a source that is gone ends the run."""
    now = moment(week, hour)
    # The first week imports the models into this process, which the others are forked from.
    passes = reconcile_specs(replace(engine, clock=lambda: now), specs, at_once=AT_ONCE if week else 1)
    for shop, found in zip(every, passes, strict=True):
        gone = any(each.week <= week < each.week + each.length for each in shop.of("outage"))
        assert found.error is None or gone, f"{now} {found.forecast}: {found.error}"


def stage(root: Path) -> tuple[Engine, list[Shop]]:
    """Set the stage in a folder: an engine whose steps can be spoilt, and every forecast with its faults."""
    for part in ("data", "specs"):
        (root / part).mkdir()
    (root / "mlspec.yaml").write_text("apiVersion: mlspec/v1\nkind: Project\nname: shops\n")
    base = open_engine(LocalTarget(root / ".mlspec"), root, ignore_progress)
    faults = [[] for _ in range(FAULTLESS)] + calendar(np.random.default_rng(SEED), FORECASTS - FAULTLESS)
    return replace(base, steps=SpoiltSteps(base.steps, BAD)), [
        Shop(place, root, each) for place, each in enumerate(faults)
    ]


def main() -> int:
    """Run it, tell what came of it, and return 1 beyond a bar."""
    start = time.perf_counter()
    os.fsync = lambda _file: None  # the state is thrown away
    with tempfile.TemporaryDirectory() as folder:
        engine, every = stage(Path(folder))
        for week in live(engine, every):
            if week % 26 == 25:
                print(f"     {week + 1} weeks in {time.perf_counter() - start:.0f} s", flush=True)
        trained = sum(len(engine.target.load_versions(shop.name)) for shop in every)
        alerts = read_specs([engine.root / "specs"], engine.root, "local").specs[0].json["alerts"]
    print(f"     {FORECASTS} forecasts, {trained} versions trained")
    return report(every, bars(alerts))


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
