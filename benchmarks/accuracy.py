"""How accurate `candidates: auto` is, beside the library models that a data scientist would pick, on the same splits.

Run: python benchmarks/accuracy.py [--results FILE] [--page FILE] [FOLDER ...]. Measured are the two sets that the project ships,
and those of the folders: NAME.csv with NAME.json beside it, which has `freq`, `season`, `horizon`, `time`, `target`, `series`
(columns), `known` (columns), `source`, and `cutoffs` (how many, one horizon apart, from the newest back). `_accuracy_sets.py`
writes eleven from packages. `--results` keeps what was measured, set by set, and measures no set again that it holds; `--page`
writes the tables.

From each cutoff mlspec runs its backtest on the history, and its champion forecasts what was hidden. The others are statsforecast's
models with their defaults and the frequency's season, the median of ETS, CES, dynamic optimised theta and ARIMA (SCUM, Petropoulos
& Svetunkov 2020), and LightGBM by mlforecast. All run on one thread. Exits 1 beyond a bar:

auto / SCUM   geometric mean of the ratio of WAPE over the sets: 0.97
auto / seasonal naive   the same: 0.90
auto / the best single model   the largest ratio of a set: 1.02
coverage of the 80 % intervals, over all: 0.77 to 0.83
series with at least 65 % of their values inside: 0.80
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from _accuracy_data import DataSet, read_sets  # noqa: E402
from _accuracy_methods import AUTO, HIGH, LOW, NAIVE, SCUM, SINGLES, make_all  # noqa: E402
from _judged import Judged, bar_table, print_bars, read_results, write_results  # noqa: E402

from mlspec.clock import utc_now  # noqa: E402
from mlspec.forecast.frame import ID, TARGET, TIME  # noqa: E402
from mlspec.forecast.scales import series_scales  # noqa: E402
from mlspec.forecast.scores import score_rows  # noqa: E402
from mlspec.jobs.runtime import single_threaded  # noqa: E402

METHODS = (AUTO, SCUM, *SINGLES)
# Share of a series' values inside its 80 % interval from which the interval is said to be right for it.
ENOUGH = 0.65
SCUM_BAR, NAIVE_BAR, BEST_BAR, COVERAGE_BAR, SERIES_BAR = 0.97, 0.90, 1.02, (0.77, 0.83), 0.80
Result = dict[str, Any]


def measure(data: DataSet) -> Result:
    """Return what is kept of a set: scores and CPU seconds by method, champions, and how often the intervals held."""
    parts: dict[str, list[pd.DataFrame]] = {method: [] for method in METHODS}
    seconds, champions = dict.fromkeys(METHODS, 0.0), []
    for cutoff in data.cutoffs():
        panel = data.panel(cutoff)
        with single_threaded():
            made = make_all(panel, data.facts["season"])
        scales = series_scales(panel)
        champions.append(made.champion)
        for method in METHODS:
            rows = made.forecasts[method].merge(data.rows[[ID, TIME, TARGET]], on=[ID, TIME])
            parts[method].append(rows.merge(scales, on=ID))
            seconds[method] += made.seconds[method]
    rows = {method: pd.concat(part, ignore_index=True) for method, part in parts.items()}
    own = rows[AUTO]
    inside = own[TARGET].between(own[LOW], own[HIGH])
    return {
        "series": int(own[ID].nunique()), "horizon": data.facts["horizon"], "freq": data.facts["freq"],
        "source": data.facts["source"], "rows": len(own), "champions": champions, "inside": int(inside.sum()),
        "series_enough": int((inside.groupby(own[ID]).mean() >= ENOUGH).sum()),
        "scores": {method: score_rows(part, (0.1, 0.9)) for method, part in rows.items()}, "seconds": seconds,
        "date": f"{utc_now():%Y-%m-%d}",
    }  # fmt: skip


def ratio(result: Result, other: str) -> float:
    """Return the WAPE of auto over that of another method."""
    return float(result["scores"][AUTO]["wape"] / result["scores"][other]["wape"])


def best_single(result: Result) -> str:
    """Return the single model with the lowest WAPE, as only hindsight knows it."""
    return min(SINGLES, key=lambda name: result["scores"][name]["wape"])


def geometric_mean(results: dict[str, Result], other: str) -> float:
    """Return the mean over sets of the ratio of WAPE of auto and of another method."""
    return float(np.exp(np.mean([np.log(ratio(result, other)) for result in results.values()])))


def judge(results: dict[str, Result]) -> list[Judged]:
    """Return what was measured against each bar: what, the figure, whether it is met, the bar."""
    by_best = {name: ratio(result, best_single(result)) for name, result in results.items()}
    worst = max(by_best, key=lambda name: by_best[name])
    covered = sum(result["inside"] for result in results.values()) / sum(result["rows"] for result in results.values())
    enough = sum(result["series_enough"] for result in results.values()) / sum(
        result["series"] for result in results.values()
    )
    scum, naive, (low, high) = geometric_mean(results, SCUM), geometric_mean(results, NAIVE), COVERAGE_BAR
    figures = [
        (f"WAPE of auto / of SCUM, geometric mean over {len(results)} sets", scum, scum <= SCUM_BAR, f"{SCUM_BAR}"),
        ("the same / of seasonal naive", naive, naive <= NAIVE_BAR, f"{NAIVE_BAR}"),
        (f"the same / of the best single, the largest ({worst})", by_best[worst], by_best[worst] <= BEST_BAR, f"{BEST_BAR}"),
        ("coverage of the 80 % intervals", covered, low <= covered <= high, f"{low} to {high}"),
        (f"share of series with {ENOUGH:.0%} or more of their values inside", enough, enough >= SERIES_BAR, f"{SERIES_BAR}"),
    ]  # fmt: skip
    return [(what, f"{value:.3f}", met, bar) for what, value, met, bar in figures]


def page(results: dict[str, Result]) -> str:
    """Return the tables as Markdown."""
    return "\n".join(_page_lines(results)) + "\n"


def _page_lines(results: dict[str, Result]) -> Iterator[str]:
    yield "# Accuracy, beside the models of libraries"
    yield ""
    yield "Written by `benchmarks/accuracy.py`, whose docstring says how it is measured. Lower is better, but for coverage."
    yield "What these figures do not say stands on the page about [models](models.md#the-champion)."
    yield ""
    yield "| set | series | frequency | horizon | champions | source | measured |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, result in sorted(results.items()):
        champions = ", ".join(dict.fromkeys(result["champions"]))
        facts = [name, result["series"], result["freq"], result["horizon"], champions, result["source"], result["date"]]
        yield f"| {' | '.join(map(str, facts))} |"
    for metric, title in (("wape", "WAPE"), ("mase", "MASE"), ("rmsse", "RMSSE"), ("pinball", "Pinball loss of 10 % and 90 %"),
                          ("coverage", "Coverage of the 80 % interval")):  # fmt: skip
        yield from _table(title, {n: {m: r["scores"][m][metric] for m in METHODS} for n, r in results.items()}, ".3f")
    yield from _table("Seconds of a processor", {n: r["seconds"] for n, r in results.items()}, ",.1f")
    yield from bar_table(judge(results))


def _table(title: str, figures: dict[str, dict[str, float | None]], form: str) -> Iterator[str]:
    yield from ["", f"## {title}", "", f"| set | {' | '.join(METHODS)} |", f"| --- |{' --- |' * len(METHODS)}"]
    for name, by_method in sorted(figures.items()):
        values = [by_method[method] for method in METHODS]
        cells = ["-" if value is None else format(value, form) for value in values]
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> int:
    """Measure, print, and return 1 where a bar is not met."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args()
    results: dict[str, Result] = read_results(asked.results)
    for data in read_sets(asked.folders):
        if data.name in results:
            continue
        results[data.name] = result = measure(data)
        write_results(asked.results, results)
        wapes = ", ".join(f"{method} {result['scores'][method]['wape']:.4f}" for method in METHODS)
        print(f"     {data.name}: WAPE {wapes}; champions {result['champions']}", flush=True)
    if asked.page:
        asked.page.write_text(page(results))
    return print_bars(judge(results))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
