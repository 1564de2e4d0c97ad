"""Checks that the files and columns in a spec exist. Reads only file names and headers, no data."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from mlspec.errors import MissingExtra
from mlspec.source_files import list_source_files
from mlspec.spec import Fault, Problem, ResolvedSpec
from mlspec.spec.faults import Path as Field
from mlspec.spec.faults import did_you_mean


def data_faults(spec: ResolvedSpec, root: Path) -> Iterator[Fault]:
    """Yield a fault for each named file and column that does not exist. Addresses in the cloud are not checked."""
    for problem in _find_problems(spec, root):
        yield spec.layers.make_fault(problem)


def _find_problems(spec: ResolvedSpec, root: Path) -> Iterator[Problem]:
    dataset = spec.forecast.dataset
    roles: list[tuple[Field, str]] = [(("dataset", "time"), dataset.time), (("dataset", "target"), dataset.target)]
    roles += [(("dataset", "series", index), name) for index, name in enumerate(dataset.series)]
    for kind in ("past", "static", "known"):
        roles += [
            (("dataset", "covariates", kind, index), name)
            for index, name in enumerate(getattr(dataset.covariates, kind))
        ]
    yield from _check_file(dataset.source.uri, ("dataset", "source", "uri"), roles, root)
    if dataset.future is not None:
        known = [row for row in roles if row[0][:3] == ("dataset", "covariates", "known")] + roles[:1]
        yield from _check_file(dataset.future.uri, ("dataset", "future", "uri"), known, root)


def _check_file(uri: str | None, field: Field, roles: list[tuple[Field, str]], root: Path) -> Iterator[Problem]:
    if uri is None or "://" in uri:
        return
    files = list_source_files(root, uri)
    if not files or not files[0].is_file():
        folder = (root / uri).parent
        near = did_you_mean(Path(uri).name, [path.name for path in sorted(folder.glob("*"))] if folder.is_dir() else [])
        yield Problem(field, "no-such-file", f"there is no file {uri}", near or "paths start at the project's root")
        return
    for file in files:
        if not file.resolve().is_relative_to(root.resolve()):
            yield Problem(field, "uri", f"{uri} leads out of the project", "copy the file into the project")
            return
        try:
            columns = _read_columns(file)
        except (OSError, ValueError, UnicodeDecodeError, csv.Error) as error:
            yield Problem(
                field,
                "unreadable",
                f"cannot read the header of {file.name}: {error}",
                "a CSV file is UTF-8, comma-separated",
            )
            return
        for path, name in roles:
            if name not in columns:
                yield Problem(
                    path, "no-such-column", f"{file.name} has no column '{name}'", did_you_mean(name, columns)
                )


def _read_columns(file: Path) -> list[str]:
    if file.suffix.lower() == ".parquet":
        try:
            import pyarrow.parquet
        except ImportError as error:
            raise MissingExtra("pyarrow", "forecast") from error
        names: list[str] = pyarrow.parquet.read_schema(file).names
        return names
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return next(csv.reader([opened.readline(1 << 20)]), [])
