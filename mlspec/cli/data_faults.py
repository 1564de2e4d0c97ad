"""Checks the files that a spec names: whether they exist, and by `jobs.review` what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlspec.errors import DataError, MissingExtra
from mlspec.source_files import list_source_files
from mlspec.spec import Fault, Problem, ResolvedSpec
from mlspec.spec.faults import Path as Field
from mlspec.spec.faults import did_you_mean


def data_faults(spec: ResolvedSpec, root: Path) -> Iterator[Fault]:
    """Yield a fault for each file, column and cell that cannot be read. Addresses in the cloud are not checked.

    Raises MissingExtra without pandas.
    """
    for problem in _find_problems(spec, root):
        yield spec.layers.make_fault(problem)


def _find_problems(spec: ResolvedSpec, root: Path) -> Iterator[Problem]:
    dataset = spec.forecast.dataset
    named: list[tuple[Field, str | None]] = [(("dataset", "source", "uri"), dataset.source.uri)]
    if dataset.future is not None:
        named.append((("dataset", "future", "uri"), dataset.future.uri))
    events = dataset.covariates.event_files
    named += [(("dataset", "covariates", "events", name, "uri"), file.uri) for name, file in events.items()]
    inventory = spec.forecast.inventory
    terms = inventory.term_columns if inventory else ()
    named += [((*table.path[:2], "uri"), table.uri) for table in (inventory.term_tables if inventory else ())]
    missing = [problem for field, uri in named for problem in _check_files(uri, field, root)]
    if missing:
        yield from missing
        return
    try:
        from mlspec.jobs.review import review_data
    except ImportError as error:
        raise MissingExtra(error.name or "pandas", "forecast") from error
    history, plan = _roles(spec)
    history += [(column.path, column.column) for column in terms if column.uri is None]
    yield from review_data(dataset, spec.forecast.model.horizon, root, history, plan, inventory=inventory)


def _roles(spec: ResolvedSpec) -> tuple[list[tuple[Field, str]], list[tuple[Field, str]]]:
    """Return the fields that name columns of the history, and those that name columns of the plan."""
    dataset = spec.forecast.dataset
    roles: list[tuple[Field, str]] = [(("dataset", "time"), dataset.time), (("dataset", "target"), dataset.target)]
    if dataset.available is not None:
        roles.append((("dataset", "available"), dataset.available))
    roles += [(("dataset", "series", place), name) for place, name in enumerate(dataset.series)]
    for kind in ("past", "static", "known"):
        names = getattr(dataset.covariates, kind)
        roles += [(("dataset", "covariates", kind, place), name) for place, name in enumerate(names)]
    known = [row for row in roles if row[0][:3] == ("dataset", "covariates", "known")]
    return roles, [*known, *roles[:1]]


def _check_files(uri: str | None, field: Field, root: Path) -> Iterator[Problem]:
    if uri is None or "://" in uri:
        return
    try:
        files = list_source_files(root, uri)
    except DataError as error:
        yield Problem(field, "unreadable", error.message, error.hint or "")
        return
    if not files or not files[0].is_file():
        folder = (root / uri).parent
        near = did_you_mean(Path(uri).name, [path.name for path in sorted(folder.glob("*"))] if folder.is_dir() else [])
        yield Problem(field, "no-such-file", f"there is no file {uri}", near or "paths start at the project's root")
    elif not all(file.resolve().is_relative_to(root.resolve()) for file in files):
        yield Problem(field, "uri", f"{uri} leads out of the project", "copy the file into the project")
