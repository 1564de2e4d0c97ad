"""Formats the findings of `mlspec doctor` as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from mlspec.cli.escape import printable
from mlspec.state.finding import Finding

_WORDS = {"ok": "ok", "missing": "missing", "unknown": "cannot tell"}
_WIDTH = max(len(word) for word in _WORDS.values())


def as_text(findings: Sequence[Finding]) -> str:
    """Return a line for each finding, below a missing item its fix, and a summary at the end."""
    lines = []
    for area, area_findings in groupby(findings, key=lambda finding: finding.area):
        lines += [area, *(printable(line) for finding in area_findings for line in _finding_lines(finding))]
    return "\n".join([*lines, _summary_line(findings)])


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield f"  {_WORDS[finding.status].ljust(_WIDTH)}  {finding.name}: {finding.said}"
    if finding.mend:
        yield f"  {'':{_WIDTH}}  > {finding.mend}"


def _summary_line(findings: Sequence[Finding]) -> str:
    missing = sum(finding.status == "missing" for finding in findings)
    unsure = sum(finding.status == "unknown" for finding in findings)
    if not missing and not unsure:
        return "Everything is there."
    return f"{missing} missing, {unsure} could not be checked, of {len(findings)}."


def as_json(findings: Sequence[Finding], target: str) -> str:
    """Return the findings as JSON."""
    well = all(finding.status == "ok" for finding in findings)
    return json.dumps({"target": target, "ok": well, "checks": [asdict(finding) for finding in findings]}, indent=2)
