"""What benchmarks of several sets share: figures beside their bars, and the results of the sets that an earlier run measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# What was measured, its figure, whether the bar is met, and the bar.
Judged = tuple[str, str, bool, str]


def bar_table(judged: Sequence[Judged]) -> Iterator[str]:
    """Yield the lines of a section in Markdown."""
    yield from ["", "## Bars", "", "| what | measured | bar | met |", "| --- | --- | --- | --- |"]
    for what, value, met, bar in judged:
        yield f"| {what} | {value} | {bar} | {'yes' if met else 'no'} |"


def print_bars(judged: Sequence[Judged]) -> int:
    """Print a line for each bar, and return 1 where one is not met."""
    for what, value, met, bar in judged:
        print(f"{'ok  ' if met else 'MISS'} {what}: {value} (bar {bar})", flush=True)
    return int(not all(met for _what, _value, met, _bar in judged))


def read_results(file: Path | None) -> dict[str, dict[str, Any]]:
    """Return the results that an earlier run wrote, by set; none without a file."""
    return json.loads(file.read_text()) if file and file.exists() else {}


def write_results(file: Path | None, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the results so far, if there is a file for them."""
    if file:
        file.write_text(json.dumps(results, indent=1) + "\n")
