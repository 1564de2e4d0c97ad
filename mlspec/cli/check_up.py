"""A check-up of a machine and a target: which questions are asked, and what the answers look like."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from mlspec.cli.escape import printable
from mlspec.cli.rendering import place_of
from mlspec.cli.target import cache_folder, open_target
from mlspec.errors import MlspecError
from mlspec.plan.gcp import requirements
from mlspec.spec import LoadedSpecs
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.project import LocalTargetSettings
from mlspec.state.finding import CloudRequirements, Finding
from mlspec.targets import machine

_WORDS = {"ok": "ok", "missing": "missing", "unknown": "cannot tell"}
_IMAGES = ("TF_VAR_image", "MLSPEC_IMAGE")  # what terraform is given, and what the loop's job is
_WIDTH = max(len(word) for word in _WORDS.values())


def run_checks(loaded: LoadedSpecs, root: Path, target: str) -> Iterator[Finding]:
    """Yield what is found, machine first."""
    place = place_of(loaded.project, target)
    settings = loaded.project.targets.get(target) if loaded.project else None
    postgres = isinstance(settings, LocalTargetSettings) and settings.state is not None
    specs = [spec.forecast for spec in loaded.specs]
    yield machine.check_python()
    for name in requirements.needed_extras(specs, gcp=place is not None, postgres=postgres):
        yield machine.check_extra(name)
    folder = (
        cache_folder() if place else root / (settings.path if isinstance(settings, LocalTargetSettings) else ".mlspec")
    )
    yield machine.check_folder(folder)
    yield machine.check_disk(folder)
    if place is not None:
        yield machine.check_terraform()
    yield _check_specs(loaded)
    if place is None:
        yield _check_record(loaded, root, target)
    else:
        yield from _check_cloud(place, requirements.cloud_requirements(specs, place))


def _check_specs(loaded: LoadedSpecs) -> Finding:
    if loaded.faults:
        message = f"{len(loaded.faults)} errors; what they need is left out"
        return Finding("project", "specs", "missing", message, "mlspec validate")
    return Finding("project", "specs", "ok", f"{len(loaded.specs)} read")


def _check_record(loaded: LoadedSpecs, root: Path, target: str) -> Finding:
    try:
        count = len(open_target(loaded.project, root, target).forecast_names())
    except MlspecError as error:
        return Finding("target", "state", "missing", error.message, error.hint or "")
    return Finding("target", "state", "ok", f"{count} forecasts on record")


def _check_cloud(place: GcpLocation, wanted: CloudRequirements) -> Iterator[Finding]:
    from mlspec.targets.gcp.doctor.checks import check_up

    images = (os.environ.get(name) for name in _IMAGES)
    yield from check_up(place, wanted, next(filter(None, images), None))


def as_text(findings: Sequence[Finding]) -> str:
    """Return a line for each thing, under each miss what mends it, and at the end how it stands."""
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
    return f"{missing} missing, {unsure} that nobody could tell, of {len(findings)}."


def as_json(findings: Sequence[Finding], target: str) -> str:
    """Return the same as JSON."""
    well = all(finding.status == "ok" for finding in findings)
    return json.dumps({"target": target, "ok": well, "checks": [asdict(finding) for finding in findings]}, indent=2)
