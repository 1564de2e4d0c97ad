"""`mlspec init`: a new project, or the spec for a data file."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mlspec.assets import asset_folder
from mlspec.cli.escape import printable
from mlspec.cli.profiling import print_profile, profile_data, written_form
from mlspec.errors import DataError, StateError, UsageError
from mlspec.installation import LocalPath, read_origin
from mlspec.plain_files import open_new_file, refuse_links
from mlspec.plan.package_source import chosen_package, detected_package, why_unknown
from mlspec.plan.starting_language import propose_language
from mlspec.render.project import CI_FILES, REQUIREMENTS, project_files, spec_file
from mlspec.source_files import PERMISSION
from mlspec.spec.calendar import timezone_problem
from mlspec.spec.checks.addresses import address_problem
from mlspec.spec.checks.table_keys import value_problems
from mlspec.spec.dataset import Source
from mlspec.spec.document import parse_document
from mlspec.spec.fields import PATTERNS
from mlspec.spec.load import PROJECT_FILE
from mlspec.spec.resolve import resolve_spec
from mlspec.spec.schema import json_schema
from mlspec.targets.checkout import published_commit

_EXAMPLE = "demand"
_PATTERN_HINT = "of several files name one, and write a pattern in the spec then: dataset.source.uri: 'data/*.csv'"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # a path has one slash where an address has two
_EXTRAS = ("forecast", "gcp")  # what the builds of a project run: `validate --data`, and `plan` on Google Cloud


def _check_folder(_context: click.Context, _parameter: click.Parameter, folder: Path) -> Path:
    """Return the folder of the project. Raises UsageError for a file, such as one of those that a shell's pattern names."""
    if folder.is_file():
        raise UsageError(
            f"DIR is the folder of the project, and {folder} is a file",
            hint=f"a data file is named with --from: mlspec init --from {shlex.quote(str(folder))}; {_PATTERN_HINT}",
        )
    return folder


@click.command(short_help="Start a project, or write the spec for a data file.")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path), callback=_check_folder)
@click.option(
    "--from",
    "data",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Read this CSV, Parquet, Excel or OpenDocument file and write a spec for it.",
)
@click.option("--name", help="The forecast's name; the file's, if left out.")
@click.option("--time", help="The column that holds dates.")
@click.option("--series", help="Columns that name a series, separated by commas; '' for a single series.")
@click.option("--target", help="The column to forecast.")
@click.option("--frequency", help="The length of a period: D, W-FRI, MS …")
@click.option("--horizon", type=click.IntRange(1, 1000), help="Periods ahead.")
@click.option("--delimiter", help="The sign between two fields of a CSV file: ; or \\t for a tab.")
@click.option("--quote", type=click.Choice(['"', "'"]), help="The sign around fields of a CSV file.")
@click.option("--decimal", type=click.Choice([".", ","]), help="The sign before decimals.")
@click.option("--thousands", type=click.Choice([".", ",", " ", "'"]), help="The sign between groups of three digits.")
@click.option("--currency", help="The sign of the currency beside numbers: R$, € …")
@click.option(
    "--date-format",
    help="How dates are written: iso, iso-week, yyyymm, yyyymmdd, quarter, excel, epoch, or such as %d/%m/%Y.",
)
@click.option(
    "--header-row", type=click.IntRange(1, 1000), help="The row of the columns' names, if there are titles above it."
)
@click.option("--encoding", help="The encoding of a CSV file: utf-8, cp1252 …")
@click.option("--timezone", metavar="ZONE", help="The time zone whose days and hours the rows are: America/Sao_Paulo.")
@click.option("--sheet", help="The sheet of a workbook.")
@click.option(
    "--package",
    metavar="SOURCE",
    help="Where the project's builds get mlspec from; by default the source that this mlspec was installed from.",
)
@click.option(
    "--ci",
    multiple=True,
    type=click.Choice([*CI_FILES, "none"]),
    help="Write the builds of this service only, or none. Can be given more than once; all, if left out.",
)
def command(
    folder: Path, data: Path | None, name: str | None, time: str | None, series: str | None, target: str | None,
    frequency: str | None, horizon: int | None, timezone: str | None, package: str | None, ci: tuple[str, ...],
    **layout: str | int | None,
) -> None:  # fmt: skip
    """Start a project in DIR: mlspec.yaml, a spec, sample data, CI files. Existing files are not overwritten.

    With --from it reads a data file and writes the spec for it, with a reason for each value that it chose.
    """
    if data is None:
        if any(
            word is not None for word in (name, time, series, target, frequency, horizon, timezone, *layout.values())
        ):
            raise UsageError("these options describe a data file", hint="name it: mlspec init --from data.csv")
        files, copies = _example_files()
        spec, held, form = _EXAMPLE, _held_paths(copies), None
    else:
        words = {
            "time": time,
            "target": target,
            "frequency": frequency,
            "horizon": horizon,
            "timezone": _valid_zone(timezone),
        }
        listed = None if series is None else tuple(part for part in series.split(",") if part)
        spec = _valid_name(name or data.stem)
        uri, copies = _locate_data(folder, data)
        _refuse_name(uri)
        held = _held_paths([uri])
        profile = profile_data(data, words, listed, _layout_words(layout))
        print_profile(data, profile)
        form = written_form(profile)
        file, text = f"specs/{spec}.yaml", spec_file({"name": spec, "uri": uri, "profile": profile})
        _refuse_spec(file, text)
        files = {file: text}
    if (folder / _MODELS).is_dir():
        held = tuple(sorted({*held, _MODELS}))
    source = _package(folder, package)
    language = propose_language(os.environ, form)
    facts = {"name": _valid_name(folder.resolve().name or "forecasts"), "spec": spec, "held": held, **source}
    files |= project_files({**facts, "language": language}, _services(ci))
    files["mlspec.schema.json"] = json.dumps(json_schema("any"), indent=2) + "\n"
    kept = _write_files(folder, files, copies)
    if data is not None and f"specs/{spec}.yaml" in kept:
        click.echo(
            f"specs/{spec}.yaml is as it was: what is printed above is not written. "
            "To write it, name another forecast with --name, or remove that file first."
        )
    if language is not None and language.is_sure and PROJECT_FILE not in kept:
        said = f"language: {language.language} in {PROJECT_FILE}"
        click.echo(f"Pages and reports are in Portuguese ({said}): {printable(language.reason)}.")
    if source["package"] is None:
        click.echo(f"{source['why']} Write the source for builds in {REQUIREMENTS}.")
    change_folder = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    click.echo(f"Next: {change_folder}mlspec validate --data && mlspec apply")


def _valid_zone(zone: str | None) -> str | None:
    problem = None if zone is None else timezone_problem(zone)
    if problem is not None:
        raise UsageError(f"--timezone: {problem[0]}", hint=problem[1])
    return zone


def _layout_words(layout: Mapping[str, str | int | None]) -> dict[str, str | int]:
    """Return what the caller says of how a file is written. Raises UsageError for what no spec may say."""
    words = {key: value for key, value in layout.items() if value is not None}
    if "delimiter" in words:
        words["delimiter"] = str(words["delimiter"]).replace("\\t", "\t")
    try:
        Source.model_validate({"uri": "data.csv", **words})
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise UsageError(
            f"--{option} '{first['input']}' is not what a spec may say", hint=f"expected {_expected(first)}"
        ) from error
    problem = next(value_problems({key: str(value) for key, value in words.items()}), None)
    if problem is not None:
        raise UsageError(f"--{str(problem.path[-1]).replace('_', '-')}: {problem.message}", hint=problem.hint)
    return words


def _expected(error: ErrorDetails) -> str:
    """Return in words what a key of a spec may be."""
    pattern = error.get("ctx", {}).get("pattern")
    return PATTERNS.get(str(pattern)) or str(error["msg"])


def _services(ci: tuple[str, ...]) -> tuple[str, ...]:
    """Return the services whose builds are written. Raises UsageError for `none` beside another."""
    if "none" in ci and set(ci) != {"none"}:
        raise UsageError("--ci none stands alone", hint="leave it out, or the others")
    return tuple(service for service in ci or CI_FILES if service != "none")


def _package(folder: Path, package: str | None) -> dict[str, str | None]:
    """Return the requirements line for the project's builds, or why there is none."""
    if package is not None:
        if (folder / REQUIREMENTS).exists():
            raise UsageError(f"{REQUIREMENTS} exists already", hint="write the source in that file, or remove it")
        return {"package": chosen_package(package, _EXTRAS), "why": None}
    origin = read_origin()
    if isinstance(origin, LocalPath):
        origin = published_commit(Path(origin.path)) or origin
    return {"package": detected_package(origin, _EXTRAS), "why": why_unknown(origin)}


def _example_files() -> tuple[dict[str, str], dict[str, Path]]:
    """Return the shipped example: its spec, and the data files that the spec names."""
    text = (asset_folder("specs") / f"{_EXAMPLE}.yaml").read_text(encoding="utf-8")
    dataset = yaml.safe_load(text)["dataset"]
    named = [dataset["source"]["uri"], *([dataset["future"]["uri"]] if dataset.get("future") else [])]
    return {f"specs/{_EXAMPLE}.yaml": text}, {uri: asset_folder("data") / Path(uri).name for uri in named}


def _locate_data(folder: Path, data: Path) -> tuple[str, dict[str, Path]]:
    """Return the file's path for a spec in `folder`, and where to copy the file, if it is outside the folder."""
    try:
        data.stat()
    except PermissionError as error:
        raise DataError(f"--from: cannot read {data}: {error.strerror}", hint=PERMISSION) from error
    except (OSError, ValueError):
        raise _no_file(data) from None
    if data.is_dir() and not data.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"the folder {data} is not in the project", hint=f"put it below {folder.resolve()}")
    try:
        return data.resolve().relative_to(folder.resolve()).as_posix(), {}
    except ValueError:
        return f"data/{data.name}", {f"data/{data.name}": data}


def _refuse_name(uri: str) -> None:
    """Raise UsageError for a file whose name no spec may have: the spec that names it would be refused."""
    problem = address_problem(uri, "csv") or (("* names several files", "") if "*" in uri else None)
    if problem is not None:
        raise UsageError(
            f"--from: a spec cannot name '{printable(uri)}': {problem[0]}",
            hint="give the file, or its folder, a name of letters, digits, hyphens and dots",
        )


def _refuse_spec(file: str, text: str) -> None:
    """Raise DataError for a spec that `validate` would refuse: the data has to change first, such as the name of a column."""
    resolved = resolve_spec(parse_document(Path(file), file, text), None, "local")
    fault = resolved[0] if isinstance(resolved, list) else None
    if fault is not None:
        raise DataError(f"a spec for this file would not be valid: {fault.path}: {fault.message}", hint=fault.hint)


def _no_file(data: Path) -> DataError:
    """Return the error for a path of --from at which nothing is."""
    if _ADDRESS.match(str(data)):
        return DataError(
            f"--from: {str(data).replace(':/', '://', 1)} is an address, and init reads a file of this machine",
            hint="download it, and name the copy",
        )
    hint = _PATTERN_HINT if re.search("[*?[]", str(data)) else "give the path of a CSV, Parquet or xlsx file"
    return DataError(f"there is no file {data}", hint=hint)


_MODELS = "models"  # where a project's own models usually are (docs/own-model.md)


def _held_paths(uris: Iterable[str]) -> tuple[str, ...]:
    """Return what the project's image has to hold for these data files: the specs, and each file, or the folder that it is in."""
    return tuple(sorted({"specs", *(uri.partition("/")[0] for uri in uris)}))


def _valid_name(text: str) -> str:
    """Return the text changed to a valid name of a forecast."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()  # São is sao
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-").lstrip("0123456789-")[:40].strip("-")
    return name or "forecast"


def _write_files(folder: Path, files: dict[str, str], copies: dict[str, Path]) -> set[str]:
    """Write the files that do not exist yet, print what was done with each, and return those that were there.

    A link in the folder is refused first.
    """
    kept = set()
    for path in (path for path in (*files, *copies) if not (folder / path).exists()):
        refuse_links(folder / path, below=folder)  # a link that leads nowhere yet would lead to what is written
    for path in sorted({*files, *copies}):
        place = folder / path
        if place.exists():
            click.echo(f"  kept   {printable(path)}")
            kept.add(path)
            continue
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            source = copies[path].open("rb") if path in copies else io.BytesIO(files[path].encode())
            with (
                source,
                open_new_file(place, 0o666) as stream,
            ):  # less the umask: these files are the project's, and public in it
                shutil.copyfileobj(source, stream)
        except OSError as error:
            raise StateError(f"cannot write {place}: {error.strerror}", hint="choose another folder") from error
        click.echo(f"  wrote  {printable(path)}")
    if kept:
        click.echo("Existing files were not changed.")
    return kept
