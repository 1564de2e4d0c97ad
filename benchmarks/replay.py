"""Real histories through the real loop, period by period: what the monitors say where nothing is wrong, and which faults they find.

Run: python benchmarks/replay.py [--results FILE] [--page FILE] [--jobs N] [--only SET] [FOLDER]. The sets are the two that the
project ships, and those of the folder that `_accuracy_sets.py` writes. Each is lived through over its newest year (four years of
months) where there is one: the rows of a period come in, a pass of the loop is made, with checks, evaluation, forecast, training at
the first of a month, rollback. The alerts are those that `mlspec init` writes. The candidates are cheap ones of several kinds.

Undisturbed, it counts false alarms (an alert begins to fire), trainings, versions, kinds of champion, and false moves: a rollback,
or another kind of champion than before whose forecasts over the horizon after it have a larger error than those of the version
that it replaced. At two moments of each history the record is copied, and each of these faults strikes the copy:

level shift     demand falls to a quarter of what it was
wrong unit      dozens come instead of pieces
drifting share  for two fifths of the series demand is three times what it was; for sets of five series or more
biased model    every version forecasts twice what it should
feed stops      no new rows come

A fault is found when an alert that was calm begins to fire within the alert's own window (plus m - 1 for `for: m of n`), counted
in passes that read periods which the fault had touched; for `data_age` in passes without new rows. Exits 1 beyond a bar:

false alarms a half-year of a forecast, all its alerts together, the worst set: 1
false moves: 0
faults found in their window: all
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from _accuracy_data import DataSet, read_sets  # noqa: E402
from _judged import Judged, bar_table, print_bars, read_results, write_results  # noqa: E402
from _replay_stage import RealFault, ReplayedSet, Stage  # noqa: E402

from benchmarks._faults import MOVED, Week, bars  # noqa: E402
from mlspec.clock import utc_now  # noqa: E402
from mlspec.forecast.starting_alerts import starting_alerts  # noqa: E402
from mlspec.spec import read_specs  # noqa: E402

# The periods before the replay, and those of it: a year (four of months), or what the plan of covariates leaves of one.
# And how many periods come in between two passes: days of a week at once, where a pass for each day would take long.
SETS: Mapping[str, tuple[int, int, int]] = {
    "promotions_weekly": (96, 52, 1),
    "bike_sharing_daily": (366, 350, 7),
    "wikipedia_daily": (172, 364, 7),
    "walmart_sales_weekly": (83, 52, 1),
    "flights_daily": (120, 231, 7),
    "us_employment": (120, 48, 1),
}
MOST_SERIES = 7  # of a set: enough that series share their days, and a year takes minutes
MOMENTS = (0.35, 0.75)  # of a replay, at which faults strike
SHARE, FEWEST_SERIES = 0.4, 5
ALARMS_BAR = 1.0
# The thresholds of the example of the language, as a person would write them before the first backtest.
FIXED = [
    {"name": "accuracy", "metric": "wape", "above": 0.2, "window": 4, "for": "2 of 3"},
    {"name": "bias", "metric": "bias", "outside": [-0.1, 0.1], "window": 4},
    {"name": "drift", "metric": "psi", "above": 0.25, "false_alarms_per_year": "any"},
]
Result = dict[str, Any]


def faults(since: int, series: int) -> list[RealFault]:
    """Return the faults that strike at a period."""
    some = [RealFault("drifting share", since, 3.0, SHARE)] if series >= FEWEST_SERIES else []
    return [
        RealFault("level shift", since, 0.25),
        RealFault("wrong unit", since, 1 / 12),
        *some,
        RealFault("biased model", since),
        RealFault("feed stops", since),
    ]


def fewer_series(data: DataSet) -> DataSet:
    """Return the set with some of its series, spread evenly by name."""
    ids = sorted(data.rows["unique_id"].unique())
    some = ids[:: -(-len(ids) // MOST_SERIES)]
    return replace(data, rows=data.rows[data.rows["unique_id"].isin(some)].reset_index(drop=True))


def measure(replayed: ReplayedSet) -> Result:
    """Live through a set, undisturbed and with each fault, and return what came of it."""
    warnings.simplefilter("ignore")
    os.fsync = lambda _file: None  # the record is thrown away
    with tempfile.TemporaryDirectory() as folder:
        stage, branches = Stage(replayed, Path(folder) / "calm"), []
        moments = [replayed.passes[round(len(replayed.passes) * share)] for share in MOMENTS]
        for known in replayed.passes:
            stage.live(known)
            if known in moments:
                every = faults(known, replayed.data.rows["unique_id"].nunique())
                branches += [stage.branch(Path(folder) / f"{known}-{each.kind}", each) for each in every]
        limits = alert_bars(stage)
        found = [strike(branch, limits) for branch in branches]
        spent = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            **undisturbed(stage), "faults": found, "years": replayed.length / replayed.per_year,
            "series": int(replayed.data.rows["unique_id"].nunique()), "periods": replayed.length,
            "frequency": replayed.data.facts["freq"], "date": f"{utc_now():%Y-%m-%d}",
            "seconds": round(sum(each.ru_utime + each.ru_stime for each in spent)),
        }  # fmt: skip


def alert_bars(stage: Stage) -> dict[str, int]:
    """Return within how many passes each alert has to fire; that on age, within one more than those that may be missing."""
    (spec,) = read_specs([stage.root / "specs"], stage.root, "local").specs
    every = stage.replayed.every
    return {name: -(-bar // every) for name, bar in bars(spec.json["alerts"]).items()} | {"stale": 3}


def undisturbed(stage: Stage) -> Result:
    """Return what was counted while nothing was wrong."""
    weeks, versions = stage.weeks, stage.versions()
    alarms = [
        (stage.replayed.moment(known)[:10], name)
        for known, (before, week) in zip(
            stage.replayed.passes, pairwise([Week({}, frozenset(), frozenset(), []), *weeks]), strict=True
        )
        for name, state in week.alerts.items()
        if state == "firing" != before.alerts.get(name)
    ]
    back = sum(reason in MOVED for week in weeks for reason, _version in week.events)
    served = [version for version in versions if version.state == "passed"]
    changes = [(old, new) for old, new in pairwise(served) if old.candidate != new.candidate]
    worse = [f"{old.candidate} to {new.candidate}" for old, new in changes if not is_justified(stage, old, new)]
    return {
        "alarms": alarms, "rollbacks": back, "changes": len(changes), "worse": worse, "versions": len(versions),
        "kinds": sorted({version.candidate for version in served}),
    }  # fmt: skip


def is_justified(stage: Stage, old: Any, new: Any) -> bool:
    """Return whether the horizon after a change of champion shows that the new version forecasts no worse."""
    replayed = stage.replayed
    known = next(known for known in replayed.passes if replayed.moment(known) == new.created)
    last = replayed.passes[-1] - replayed.data.facts["horizon"]
    return known > last or stage.later_error(new, known) <= stage.later_error(old, known)


def strike(branch: Stage, limits: Mapping[str, int]) -> Result:
    """Let a fault strike, and return which alert found it after how many periods."""
    fault, before = branch.fault, branch.weeks[-1].alerts
    assert fault is not None
    stale = fault.kind == "feed stops"
    able = {name: bar for name, bar in limits.items() if (name == "stale") == stale}
    # What a biased model forecasts in the first pass is mature in the next one.
    late = int(fault.kind == "biased model")
    for number in range(1, max(able.values()) + late + 1):
        branch.live(fault.since + number * branch.replayed.every)
        now = branch.weeks[-1].alerts
        by = [
            name
            for name, bar in able.items()
            if now[name] == "firing" != before.get(name) and number - late <= bar and number > late
        ]
        if by:
            return {"kind": fault.kind, "since": fault.since, "by": by[0], "took": number - late, "bar": able[by[0]]}
    firing = [name for name in able if before.get(name) == "firing"]
    return {
        "kind": fault.kind,
        "since": fault.since,
        "by": None,
        "took": None,
        "bar": max(able.values()),
        "fired": firing,
    }


def rate(result: Result) -> float:
    """Return the false alarms a half-year."""
    return len(result["alarms"]) / (2 * result["years"])


def judge(results: Mapping[str, Result]) -> list[Judged]:
    """Return what was measured against each bar: what, the figure, whether it is met, the bar."""
    worst = max(results, key=lambda name: rate(results[name]))
    moves = sum(result["rollbacks"] + len(result["worse"]) for result in results.values())
    found = [each for result in results.values() for each in result["faults"]]
    well = sum(each["took"] is not None for each in found)
    return [
        (f"false alarms a half-year of a forecast, the worst ({worst})", f"{rate(results[worst]):.2f}",
         rate(results[worst]) <= ALARMS_BAR, f"{ALARMS_BAR:g}"),
        ("false moves", f"{moves}", moves == 0, "0"),
        ("faults found in their window", f"{well} of {len(found)}", well == len(found), "all"),
    ]  # fmt: skip


def page(results: Mapping[str, Result]) -> str:
    """Return the tables as Markdown."""
    return "\n".join(_page_lines(results)) + "\n"


def _page_lines(results: Mapping[str, Result]) -> Iterator[str]:
    yield "# Monitors on real histories"
    yield ""
    yield "Written by `benchmarks/replay.py`, whose docstring says what is replayed, which faults strike, and when one is found."
    yield "[The loop](reconcile.md#alerts) explains the alerts, and"
    yield "[decision 28](decisions/0028-what-is-usual-is-told-by-the-past.md) what these figures mean."
    yield ""
    yield "## Nothing is wrong"
    yield ""
    columns = "set series periods years | false alarms | a half-year | versions | kinds of champion | changes of kind | false moves"
    heads = ["set", "series", "periods", "years", *columns.split(" | ")[1:]]
    yield from [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for name, result in sorted(results.items()):
        cells = [
            name, result["series"], f"{result['periods']} of {result['frequency']}", f"{result['years']:.1f}", alarm_words(result),
            f"{rate(result):.2f}", result["versions"], ", ".join(result["kinds"]), result["changes"],
            result["rollbacks"] + len(result["worse"]),
        ]  # fmt: skip
        yield f"| {' | '.join(map(str, cells))} |"
    yield from [
        "",
        "## Faults",
        "",
        "| fault | found | by | periods until then, at most |",
        "| --- | --- | --- | --- |",
    ]
    every = [each for result in results.values() for each in result["faults"]]
    for kind in dict.fromkeys(each["kind"] for each in every):
        yield f"| {kind} | {' | '.join(_fault_cells([each for each in every if each['kind'] == kind]))} |"
    missed = [
        f"- {each['kind']} in {name}, after period {each['since']}"
        for name, result in sorted(results.items())
        for each in result["faults"]
        if each["took"] is None
    ]
    worse = [f"- {change} in {name}" for name, result in sorted(results.items()) for change in result["worse"]]
    yield from ["", "Not found:", "", *(missed or ["- none"])]
    yield from [
        "",
        "Changes of kind after which the version before would have been better:",
        "",
        *(worse or ["- none"]),
    ]
    yield from bar_table(judge(results))
    dates = sorted({result["date"] for result in results.values()})
    yield from [
        "",
        f"Measured on {' and '.join(dates)}; {sum(r['seconds'] for r in results.values()):,} s of a processor.",
    ]


def alarm_words(result: Result) -> str:
    """Return the false alarms by alert."""
    names = [name for _day, name in result["alarms"]]
    return ", ".join(f"{name} {names.count(name)}" for name in dict.fromkeys(names)) or "none"


def _fault_cells(some: Sequence[Result]) -> list[str]:
    well = [each for each in some if each["took"] is not None]
    by = sorted({each["by"] for each in well})
    most = f"{max((each['took'] for each in well), default=0)}"
    return [f"{len(well)} of {len(some)}", ", ".join(by) or "-", most]


def tell(name: str, result: Result) -> None:
    """Print what came of one set."""
    print(
        f"     {name}: {result['periods']} periods, {result['years']:.1f} years: {rate(result):.2f} false alarms a half-year"
        f" ({alarm_words(result)}), {result['versions']} versions of {', '.join(result['kinds'])}, {result['changes']} changes of"
        f" kind, {len(result['worse'])} of them worse, {result['rollbacks']} moves back; {result['seconds']} s of a processor",
        flush=True,
    )
    for each in result["faults"]:
        mark = "     " if each["took"] is not None else "MISS "
        print(
            f"  {mark}{each['kind']} at {each['since']}: {each['by']} after {each['took']} of {each['bar']}", flush=True
        )


def replayed_set(data: DataSet, *, fixed: bool) -> ReplayedSet:
    """Return a set as it is replayed, with fixed thresholds or the alerts that `init` writes."""
    some = fewer_series(data)
    alerts = FIXED if fixed else starting_alerts(4 * data.facts["horizon"], some.rows["unique_id"].nunique())
    return ReplayedSet(some, *SETS[data.name], alerts)


def main() -> int:
    """Replay, print, and return 1 where a bar is not met."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", action="append")
    parser.add_argument("--fixed", action="store_true", help="the fixed thresholds of the language's example")
    asked = parser.parse_args()
    results: dict[str, Result] = read_results(asked.results)
    found = {data.name: data for data in read_sets([asked.folder] if asked.folder else [])}
    names = [name for name in asked.only or SETS if name in found and name not in results]
    sets = [replayed_set(found[name], fixed=asked.fixed) for name in names]
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        running = {pool.submit(measure, replayed): replayed.data.name for replayed in sets}
        for done in as_completed(running):
            name = running[done]
            results[name] = done.result()
            tell(name, results[name])
            write_results(asked.results, results)
    if asked.page:
        asked.page.write_text(page(results))
    return print_bars(judge(results))


if __name__ == "__main__":
    sys.exit(main())
