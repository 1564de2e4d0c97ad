"""Reads the specs under the given paths, resolves them, and collects every fault of every file in one pass."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlspec.spec.collisions import find_collisions
from mlspec.spec.document import Document, open_document
from mlspec.spec.faults import Fault, Problem, did_you_mean, fault_order, limit_faults, nearest_word
from mlspec.spec.project import Project
from mlspec.spec.resolve import ResolvedSpec, overlay_faults, project_of, resolve_spec
from mlspec.spec.table_files import named_format

PROJECT_FILE = "mlspec.yaml"
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class LoadedSpecs:
    """The result of reading. `specs` are sorted by name, and complete only if `faults` is empty; `files` counts spec files.

    Specs that share a name are not among `specs`: which of them is meant is not known.

    `faults` are by file, and at most those that `limit_faults` shows.
    """

    specs: tuple[ResolvedSpec, ...]
    project: Project | None
    faults: tuple[Fault, ...]
    files: int
    names: tuple[str, ...] = ()


def read_specs(paths: Sequence[Path], root: Path, target: str) -> LoadedSpecs:
    """Read, resolve and check all specs under `paths` for `target`. No content of a file makes it raise.

    `root` is the project's root: the folder of mlspec.yaml, which names the targets.
    """
    faults: list[Fault] = []
    project_document, project = _load_project(root, faults)
    known = {"local", *(project.targets if project else _declared_targets(project_document))}
    if target not in known:
        name = PROJECT_FILE if project_document else str(root / PROJECT_FILE)
        hint = did_you_mean(target, sorted(known))
        faults.append(Fault(name, 1, 1, "targets", "unknown-target", f"there is no target '{target}'", hint))
    resolved_specs: list[tuple[Document, ResolvedSpec]] = []
    files = _spec_files(paths, faults)
    for file in files:
        document = open_document(file, _display_name(file))
        outcome = [] if document.faults else _resolve_document(document, project_document, known, target)
        if isinstance(outcome, list):
            faults += [*document.faults, *outcome]
        else:
            resolved_specs.append((document, outcome))
    faults += find_collisions(resolved_specs)
    uses = Counter(resolved.name for _, resolved in resolved_specs)
    clear_specs = (resolved for _, resolved in resolved_specs if uses[resolved.name] == 1)
    specs = tuple(sorted(clear_specs, key=lambda resolved: resolved.name))
    return LoadedSpecs(
        specs,
        project,
        limit_faults(sorted(set(faults), key=fault_order)),
        len(files),
        tuple(_display_name(file) for file in files),
    )


def _declared_targets(document: Document | None) -> Collection[str]:
    """Return the targets of a project file that is not valid, so that the specs that use them get no further fault."""
    targets = document.value.get("targets") if document else None
    return targets if isinstance(targets, dict) else ()


def _resolve_document(
    document: Document, project: Document | None, known: Collection[str], target: str
) -> ResolvedSpec | list[Fault]:
    kind = document.value.get("kind")
    if isinstance(kind, str) and kind != "Forecast" and not nearest_word(kind, ["Forecast"]):
        thing = "the project's file" if kind == "Project" else f"a {kind[:40]}"
        hint = "a folder of specs holds forecasts only"
        return [document.make_fault(Problem(("kind",), "wrong-kind", f"this is {thing}, not a Forecast", hint))]
    outcome = resolve_spec(document, project, target)
    faults = overlay_faults(document, project, known)
    if isinstance(outcome, list):
        return [*outcome, *faults]
    return faults or outcome


def _load_project(root: Path, faults: list[Fault]) -> tuple[Document | None, Project | None]:
    file = root / PROJECT_FILE
    if not file.exists():
        return None, None
    document = open_document(file, PROJECT_FILE)
    outcome = document.faults or project_of(document)
    if isinstance(outcome, list):
        faults += outcome
        return document, None
    return document, outcome


def _spec_files(paths: Iterable[Path], faults: list[Fault]) -> list[Path]:
    """Return every spec file once: the given files, and the files in the given folders."""
    files_by_path: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            before = len(faults)
            folder_files = list(_files_inside(path, faults))
            if not folder_files and len(faults) == before:
                faults.append(
                    Fault(
                        _display_name(path), 1, 1, "", "no-specs", "the folder holds no .yaml file", "try `mlspec init`"
                    )
                )
            for file in folder_files:
                files_by_path.setdefault(os.path.realpath(file), file)
        elif path.exists() and named_format(path.name) is not None:
            hint = f"`mlspec init --from {shlex.quote(str(path))}` writes a spec for it"
            faults.append(Fault(_display_name(path), 1, 1, "", "data-file", "this is a file of data, not a spec", hint))
        elif path.exists():
            files_by_path.setdefault(os.path.realpath(path), path)
        else:
            faults.append(
                Fault(
                    _display_name(path),
                    1,
                    1,
                    "",
                    "no-such-file",
                    "there is no such file or folder",
                    _suggest_path(path),
                )
            )
    return list(files_by_path.values())


def _files_inside(folder: Path, faults: list[Fault]) -> Iterable[Path]:
    def refuse_folder(error: OSError) -> None:
        message = f"cannot read the folder: {error.strerror}"
        faults.append(Fault(_display_name(Path(error.filename)), 1, 1, "", "unreadable", message))

    for parent, folders, files in os.walk(
        folder, onerror=refuse_folder
    ):  # does not follow links to folders, so there are no loops
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(_SUFFIXES) and not name.startswith(".") and name != PROJECT_FILE:
                yield Path(parent) / name


def _suggest_path(path: Path) -> str:
    """Return what to write for a path at which nothing is: the nearest file, the spec of a forecast, or how a project begins."""
    names = sorted(child.name for child in path.parent.iterdir()) if path.parent.is_dir() else []
    near = nearest_word(path.name, [name for name in names if name.endswith(_SUFFIXES) and name != PROJECT_FILE])
    if near:
        return f"did you mean '{near}'?"
    here = Path.cwd()
    project = next((folder for folder in (here, *here.parents) if (folder / PROJECT_FILE).is_file()), None)
    if project is None or path.name == "specs":
        return "a project begins with `mlspec init`"
    spec = project / "specs" / f"{path.stem}.yaml"
    if spec.is_file():
        return f"a spec is named by its file: {_display_name(spec)}"
    return "name a spec or a folder of specs, such as specs"


def _display_name(path: Path) -> str:
    """Return a path relative to the working directory, if it is inside; else the whole path."""
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix() or "."
    except ValueError:
        return path.as_posix()
