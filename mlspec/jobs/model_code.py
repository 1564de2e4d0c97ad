"""The code of the custom candidates of a step: of the project, and of the version that serves, whose code may be an older one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mlspec.errors import BrokenModel, SpecError
from mlspec.forecast.artifact import load_model
from mlspec.forecast.candidates import ChosenCandidate
from mlspec.models.code import ModelCode, find_model_code
from mlspec.spec.candidates import Candidate, Custom
from mlspec.spec.forecast import Forecast, Model

INCUMBENT = "incumbent"  # the input with the model file of the version that serves


def locate_candidates(spec: Forecast, root: Path) -> Model:
    """Return the `model` part of a spec, its custom candidates with their code. Raises SpecError if one has none."""
    candidates = spec.model.candidates
    if isinstance(candidates, str) or not any(isinstance(candidate, Custom) for candidate in candidates):
        return spec.model
    located = tuple(_locate(candidate, spec, root) for candidate in candidates)
    return spec.model.model_copy(update={"candidates": located})


def copy_model_code(spec: Forecast, root: Path, folder: Path) -> None:
    """Copy the code of a spec's custom candidates from the project at `root` into another folder, under the same paths."""
    candidates = () if isinstance(spec.model.candidates, str) else spec.model.candidates
    for candidate in candidates:
        if isinstance(candidate, Custom):
            for path, data in find_model_code(root, candidate.class_).files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)


def _locate(candidate: Candidate, spec: Forecast, root: Path) -> Candidate:
    if not isinstance(candidate, Custom):
        return candidate
    return _with_code(candidate, find_model_code(root, candidate.class_), spec)


def locate_chosen(chosen: ChosenCandidate, spec: Forecast, root: Path, files: Mapping[str, Path]) -> ChosenCandidate:
    """Return a chosen candidate with the code that it was judged with: the project's, or that of the input `incumbent`.

    Raises BrokenModel if neither is that code.
    """
    if not any(isinstance(part, Custom) for part in chosen.parts):
        return chosen
    codes = dict(_known_codes(chosen, root, files))
    parts = tuple(_with_known_code(part, codes, spec) for part in chosen.parts)
    return replace(chosen, members=parts) if chosen.members else ChosenCandidate(parts[0])


def _with_known_code(part: Candidate, codes: Mapping[str, ModelCode], spec: Forecast) -> Candidate:
    if not isinstance(part, Custom):
        return part
    digest = getattr(part, "digest", "")
    if digest not in codes:
        raise BrokenModel(
            f"candidate '{part.label}': the code that it was judged with (sha256 {digest[:10]}) is not here",
            hint="run the same command again: it is judged with the code that is here now",
        )
    return _with_code(part, codes[digest], spec)


def _with_code(candidate: Custom, code: ModelCode, spec: Forecast) -> Custom:
    from mlspec.forecast.candidates.custom import locate

    return locate(candidate, code, spec.model.quantiles, spec.dataset.series)


def _known_codes(chosen: ChosenCandidate, root: Path, files: Mapping[str, Path]) -> Iterator[tuple[str, ModelCode]]:
    """Yield the codes that may be meant, by digest: those that the project has now, and those in the serving version's file."""
    from mlspec.forecast.candidates.custom import code_in

    if INCUMBENT in files:
        for member, data in load_model(files[INCUMBENT].read_bytes()).members:
            if isinstance(member, Custom) and data is not None:
                code = code_in(data)
                yield code.digest, code
    for part in chosen.parts:
        if isinstance(part, Custom):
            try:
                code = find_model_code(root, part.class_)
            except SpecError:  # the class of a version of the past may be gone
                continue
            yield code.digest, code
