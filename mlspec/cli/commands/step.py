"""`mlspec step`: one step of the pipeline, as a task of a DAG or a container runs it; the same code as in `apply`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mlspec.cli.clock import now
from mlspec.errors import SpecError, UsageError
from mlspec.state.step import StepName, StepRequest

STEPS: tuple[StepName, ...] = ("check", "backtest", "train", "forecast", "inventory")


def _pairs(_context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(value.split("=", 1) for value in values if "=" in value)
    wrong = [value for value in values if "=" not in value or value.startswith("=")]
    if wrong:
        raise click.BadParameter(f"'{wrong[0]}' is not of the form NAME=VALUE", param=parameter)
    return pairs


@click.command(short_help="Run one step of the pipeline, as a task or a container does.")
@click.argument("name", metavar="STEP", type=click.Choice(STEPS))
@click.option("--spec", "spec_file", required=True, metavar="FILE", help="A spec, or a resolved spec as JSON.")
@click.option("--in", "inputs", multiple=True, callback=_pairs, metavar="ROLE=FILE", help="A file of an earlier step.")
@click.option("--option", "options", multiple=True, callback=_pairs, metavar="NAME=VALUE", help="A word for the step.")
@click.option("--out", required=True, metavar="DIR", help="Folder for the outputs; made where it is not there.")
@click.option("--root", default=".", metavar="DIR", help="The project's root, which data paths are relative to.")
@click.option("--target", default="local", help="Target whose overrides the spec gets.")
def command(
    name: StepName, spec_file: str, inputs: dict[str, str], options: dict[str, str], out: str, root: str, target: str
) -> None:
    """Run one step of the pipeline: check, backtest, train, forecast or inventory.

    Prints the step's facts as JSON; the files that it writes stand under their roles in `outputs`.

    \b
    mlspec step check --spec specs/demand.yaml --out run/check
    mlspec step backtest --spec specs/demand.yaml --in panel=run/check/panel.parquet \\
        --in series=run/check/series.parquet --out run/backtest
    """
    from mlspec import jobs

    folder = Path(out)
    words: dict[str, Any] = {key: _word(value) for key, value in options.items()}
    if name == "check":
        words.setdefault("now", now().isoformat())
    request = StepRequest(
        name,
        _spec(spec_file, target),
        Path(root),
        _made(folder),
        {role: _file(path) for role, path in inputs.items()},
        words,
    )
    result = jobs.run(request, _say)
    outputs = {role: str(path) for role, path in result.outputs.items()}
    click.echo(json.dumps({"facts": dict(result.facts), "outputs": outputs}, indent=2, allow_nan=False))


def _say(_done: int, _total: int, what: str) -> None:
    click.echo(what, err=True)


def _word(value: str) -> Any:
    """Return a value as JSON where it begins as a JSON object does (a candidate), as text otherwise."""
    if not value.startswith("{"):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise UsageError(f"the value '{value[:60]}' is not JSON: {error}", hint="quote it for the shell") from None


def _spec(file: str, target: str) -> dict[str, Any]:
    if not file.endswith(".json"):
        from mlspec.cli.project import open_specs

        found = open_specs((file,), target).specs
        if len(found) != 1:
            raise UsageError(f"'{file}' holds {len(found)} forecasts; a step runs one", hint="name one spec file")
        return dict(found[0].json)
    try:
        value = json.loads(_file(file).read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise SpecError(
            f"'{file}' is not JSON: {error}", hint="give a spec file, or what mlspec show --output json says"
        ) from None
    if not isinstance(value, dict):
        raise SpecError(
            f"'{file}' is not a resolved spec", hint="give a spec file, or one resolved spec as a JSON object"
        )
    return value


def _file(path: str) -> Path:
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"there is no file '{path}'", hint="name a file that an earlier step wrote")
    return file


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder '{folder}' cannot be made: {error.strerror}", hint="choose another --out"
        ) from None
    return folder
