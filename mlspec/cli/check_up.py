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
from mlspec.spec import Loaded
from mlspec.spec.gcp.location import Place
from mlspec.spec.project import LocalTarget
from mlspec.state.finding import CloudNeeds, Finding
from mlspec.targets import machine

_WORDS = {"ok": "ok", "missing": "missing", "unknown": "cannot tell"}
_IMAGES = ("TF_VAR_image", "MLSPEC_IMAGE")  # what terraform is given, and what the loop's job is
_WIDTH = max(len(word) for word in _WORDS.values())


def checked(loaded: Loaded, root: Path, target: str) -> Iterator[Finding]:
    """Yield what is found, machine first."""
    place = place_of(loaded.project, target)
    settings = loaded.project.targets.get(target) if loaded.project else None
    postgres = isinstance(settings, LocalTarget) and settings.state is not None
    specs = [spec.json for spec in loaded.specs]
    yield machine.python()
    for name in requirements.extras(specs, gcp=place is not None, postgres=postgres):
        yield machine.part(name)
    folder = cache_folder() if place else root / (settings.path if isinstance(settings, LocalTarget) else ".mlspec")
    yield machine.folder(folder)
    yield machine.room(folder)
    if place is not None:
        yield machine.terraform()
    yield _specs(loaded)
    if place is None:
        yield _record(loaded, root, target)
    else:
        yield from _cloud(place, requirements.on_google_cloud(specs, place))


def _specs(loaded: Loaded) -> Finding:
    if loaded.faults:
        said = f"{len(loaded.faults)} errors; what they need is left out"
        return Finding("project", "specs", "missing", said, "mlspec validate")
    return Finding("project", "specs", "ok", f"{len(loaded.specs)} read")


def _record(loaded: Loaded, root: Path, target: str) -> Finding:
    try:
        count = len(open_target(loaded.project, root, target).names())
    except MlspecError as error:
        return Finding("target", "state", "missing", error.message, error.hint or "")
    return Finding("target", "state", "ok", f"{count} forecasts on record")


def _cloud(place: Place, wanted: CloudNeeds) -> Iterator[Finding]:
    from mlspec.targets.gcp.doctor.checks import check_up

    images = (os.environ.get(name) for name in _IMAGES)
    yield from check_up(place, wanted, next(filter(None, images), None))


def as_text(found: Sequence[Finding]) -> str:
    """Return a line for each thing, under each miss what mends it, and at the end how it stands."""
    lines = []
    for area, each in groupby(found, key=lambda finding: finding.area):
        lines += [area, *(printable(line) for finding in each for line in _lines(finding))]
    return "\n".join([*lines, _sum(found)])


def _lines(finding: Finding) -> Iterator[str]:
    yield f"  {_WORDS[finding.status].ljust(_WIDTH)}  {finding.name}: {finding.said}"
    if finding.mend:
        yield f"  {'':{_WIDTH}}  > {finding.mend}"


def _sum(found: Sequence[Finding]) -> str:
    missing = sum(each.status == "missing" for each in found)
    unsure = sum(each.status == "unknown" for each in found)
    if not missing and not unsure:
        return "Everything is there."
    return f"{missing} missing, {unsure} that nobody could tell, of {len(found)}."


def as_json(found: Sequence[Finding], target: str) -> str:
    """Return the same as JSON."""
    well = all(each.status == "ok" for each in found)
    return json.dumps({"target": target, "ok": well, "checks": [asdict(each) for each in found]}, indent=2)
