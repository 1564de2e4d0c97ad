"""`mlspec init`: a new project, or the spec for a data file."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import click
import yaml

from mlspec.assets import asset_folder
from mlspec.cli.escape import printable
from mlspec.cli.profiling import profile_data
from mlspec.errors import DataError, StateError, UsageError
from mlspec.installation import LocalPath, read_origin
from mlspec.plan.package_source import chosen_package, detected_package, why_unknown
from mlspec.render.project import REQUIREMENTS, project_files, spec_file
from mlspec.spec.schema import json_schema
from mlspec.targets.checkout import published_commit

_EXAMPLE = "demand"
_EXTRAS = ("forecast", "gcp")  # what the builds of a project run: `validate --data`, and `plan` on Google Cloud


@click.command(short_help="Start a project, or write the spec for a data file.")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--from",
    "data",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Read this CSV or Parquet file and write a spec for it.",
)
@click.option("--name", help="The forecast's name; the file's, if left out.")
@click.option("--time", help="The column that holds dates.")
@click.option("--series", help="Columns that name a series, separated by commas; '' for a single series.")
@click.option("--target", help="The column to forecast.")
@click.option("--frequency", help="The length of a period: D, W-FRI, MS …")
@click.option("--horizon", type=click.IntRange(1, 1000), help="Periods ahead.")
@click.option(
    "--package",
    metavar="SOURCE",
    help="Where the project's builds get mlspec from; by default the source that this mlspec was installed from.",
)
def command(
    folder: Path, data: Path | None, name: str | None, time: str | None, series: str | None, target: str | None,
    frequency: str | None, horizon: int | None, package: str | None,
) -> None:  # fmt: skip
    """Start a project in DIR: mlspec.yaml, a spec, sample data, CI files. Existing files are not overwritten.

    With --from it reads a data file and writes the spec for it, with a reason for each value that it chose.
    """
    if data is None:
        if any(word is not None for word in (name, time, series, target, frequency, horizon)):
            raise UsageError("these options describe a data file", hint="name it: mlspec init --from data.csv")
        files, copies = _example_files()
        spec = _EXAMPLE
    else:
        words = {"time": time, "target": target, "frequency": frequency, "horizon": horizon}
        listed = None if series is None else tuple(part for part in series.split(",") if part)
        spec = _valid_name(name or data.stem)
        uri, copies = _locate_data(folder, data)
        files = {
            f"specs/{spec}.yaml": spec_file({"name": spec, "uri": uri, "profile": profile_data(data, words, listed)})
        }
    source = _package(folder, package)
    files |= project_files({"name": _valid_name(folder.resolve().name or "forecasts"), "spec": spec, **source})
    files["mlspec.schema.json"] = json.dumps(json_schema("any"), indent=2) + "\n"
    _write_files(folder, files, copies)
    if source["package"] is None:
        click.echo(f"{source['why']} Write the source for builds in {REQUIREMENTS}.")
    change_folder = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"Next: {change_folder}mlspec validate --data && mlspec apply")


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
    if not data.is_file():
        raise DataError(f"there is no file {data}", hint="give the path of a CSV or Parquet file")
    if data.suffix.lower() not in (".csv", ".parquet"):
        raise DataError(f"{data.name} is neither .csv nor .parquet", hint="export it as one of them")
    try:
        return data.resolve().relative_to(folder.resolve()).as_posix(), {}
    except ValueError:
        return f"data/{data.name}", {f"data/{data.name}": data}


def _valid_name(text: str) -> str:
    """Return the text changed to a valid name of a forecast."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-").lstrip("0123456789-")[:40].strip("-")
    return name or "forecast"


def _write_files(folder: Path, files: dict[str, str], copies: dict[str, Path]) -> None:
    """Write the files that do not exist yet, and print what was done with each file."""
    kept_count = 0
    for path in sorted({*files, *copies}):
        place = folder / path
        if place.exists():
            click.echo(f"  kept   {printable(path)}")
            kept_count += 1
            continue
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if path in copies:
                shutil.copyfile(copies[path], place)
            else:
                place.write_text(files[path], encoding="utf-8")
        except OSError as error:
            raise StateError(f"cannot write {place}: {error.strerror}", hint="choose another folder") from error
        click.echo(f"  wrote  {printable(path)}")
    if kept_count:
        click.echo("Existing files were not changed.")
