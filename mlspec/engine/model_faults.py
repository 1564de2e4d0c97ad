"""Checks the custom candidates of specs against their code, which is read and never run: its file, its class, its parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mlspec.errors import SpecError
from mlspec.models.code import ModelCode, find_model_code, parameter_names
from mlspec.spec import Fault, LoadedSpecs, Problem, ResolvedSpec
from mlspec.spec.candidates import Custom
from mlspec.spec.faults import Path as Field
from mlspec.spec.faults import did_you_mean, limit_faults


def with_model_faults(loaded: LoadedSpecs, root: Path) -> LoadedSpecs:
    """Return the specs with the faults of the code that they name. Reads nothing where no spec names any."""
    faults = [fault for spec in loaded.specs for fault in _model_faults(loaded, spec, root)]
    return replace(loaded, faults=limit_faults([*loaded.faults, *faults])) if faults else loaded


def _model_faults(loaded: LoadedSpecs, spec: ResolvedSpec, root: Path) -> Iterator[Fault]:
    candidates = spec.forecast.model.candidates
    if isinstance(candidates, str):
        return
    for index, candidate in enumerate(candidates):
        if isinstance(candidate, Custom):
            for problem in _find_problems(
                candidate, ("model", "candidates", index), root, _image_file(loaded, spec, root)
            ):
                yield spec.layers.make_fault(problem)


def _image_file(loaded: LoadedSpecs, spec: ResolvedSpec, root: Path) -> Path | None:
    """Return the Dockerfile of the image that runs the steps; None if they run in this folder, or the image is built elsewhere."""
    from mlspec.engine.target_kinds import find_target

    dockerfile = root / "Dockerfile"
    if not dockerfile.is_file() or loaded.project is None or spec.layers.target not in loaded.project.targets:
        return None
    return dockerfile if find_target(loaded.project, spec.layers.target).kind.infrastructure else None


def _find_problems(candidate: Custom, path: Field, root: Path, image: Path | None) -> Iterator[Problem]:
    try:
        code = find_model_code(root, candidate.class_)
    except SpecError as error:
        yield Problem((*path, "class"), "model-code", error.message, error.hint)
        return
    outside = None if image is None else _not_in_image(code, image)
    if outside is not None:
        absent = f"{outside} is not in the image of the target: its Dockerfile copies it nowhere"
        line = f'add COPY ["{outside}", "{outside}"] to Dockerfile, and !{outside} to .dockerignore'
        yield Problem((*path, "class"), "model-code", absent, line)
    known = parameter_names(code)
    for name in candidate.params:
        if known is not None and name not in known:
            message = f"{code.describe_place('__init__')}: {code.class_name} takes no parameter '{name}'"
            hint = did_you_mean(name, sorted(known))
            yield Problem((*path, "params", name), "model-code", message, hint, on_key=True)


def _not_in_image(code: ModelCode, image: Path) -> str | None:
    """Return the first folder or file of the code that no COPY of the last stage of a Dockerfile names; None if all are copied."""
    lines = image.read_text(encoding="utf-8", errors="replace").splitlines()
    last = max((number for number, line in enumerate(lines) if line.startswith("FROM ")), default=0)
    words = " ".join(line for line in lines[last:] if line.startswith("COPY ") and "--from" not in line)
    copied = {word.strip("./") for word in re.findall(r"[^\s\",\[\]]+", words)}
    tops = sorted({path.partition("/")[0] for path in code.files})
    return None if "" in copied else next((top for top in tops if top not in copied), None)
