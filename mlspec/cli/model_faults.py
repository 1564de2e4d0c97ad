"""Checks the custom candidates of specs against their code, which is read and never run: its file, its class, its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mlspec.errors import SpecError
from mlspec.models.code import find_model_code, parameter_names
from mlspec.spec import Fault, LoadedSpecs, Problem, ResolvedSpec
from mlspec.spec.candidates import Custom
from mlspec.spec.faults import Path as Field
from mlspec.spec.faults import did_you_mean, limit_faults


def with_model_faults(loaded: LoadedSpecs, root: Path) -> LoadedSpecs:
    """Return the specs with the faults of the code that they name. Reads nothing where no spec names any."""
    faults = [fault for spec in loaded.specs for fault in _model_faults(spec, root)]
    return replace(loaded, faults=limit_faults([*loaded.faults, *faults])) if faults else loaded


def _model_faults(spec: ResolvedSpec, root: Path) -> Iterator[Fault]:
    candidates = spec.forecast.model.candidates
    if isinstance(candidates, str):
        return
    for index, candidate in enumerate(candidates):
        if isinstance(candidate, Custom):
            for problem in _find_problems(candidate, ("model", "candidates", index), root):
                yield spec.layers.make_fault(problem)


def _find_problems(candidate: Custom, path: Field, root: Path) -> Iterator[Problem]:
    try:
        code = find_model_code(root, candidate.class_)
    except SpecError as error:
        yield Problem((*path, "class"), "model-code", error.message, error.hint)
        return
    known = parameter_names(code)
    for name in candidate.params if known is not None else ():
        if name not in (known or ()):
            message = f"{code.describe_place('__init__')}: {code.class_name} takes no parameter '{name}'"
            hint = did_you_mean(name, sorted(known or ()))
            yield Problem((*path, "params", name), "model-code", message, hint, on_key=True)
