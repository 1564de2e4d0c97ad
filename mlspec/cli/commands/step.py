"""`mlspec step`: runs one step of the pipeline, in a DAG's task or a container, with the same code as `apply`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast, get_args

import click

from mlspec.cli import options as shared
from mlspec.cli.clock import utc_now
from mlspec.cli.escape import printable
from mlspec.cli.messages import report
from mlspec.errors import Exit, SpecError, StalePlan, UsageError
from mlspec.log_context import forecast_scope
from mlspec.spec import ResolvedSpec
from mlspec.spec.object_address import is_object_address
from mlspec.state.step import StepName, StepRequest

# With --out a step runs on files; without, on the target's record.
FILE_STEPS: tuple[StepName, ...] = get_args(StepName)
TARGET_STEPS = ("check", "backtest", "gate", "train", "register", "roll-out", "forecast", "evaluate")
_ALL = tuple(dict.fromkeys((*TARGET_STEPS, *FILE_STEPS)))


def _parse_pairs(_context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(value.split("=", 1) for value in values if "=" in value)
    wrong = [value for value in values if "=" not in value or value.startswith("=")]
    if wrong:
        raise click.BadParameter(f"'{wrong[0]}' is not of the form NAME=VALUE", param=parameter)
    return pairs


def _parse_moment(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    from datetime import datetime

    if value is None:
        return None
    try:
        zone = datetime.fromisoformat(value).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise click.BadParameter(f"'{value}' is not an RFC 3339 time, such as 2026-02-01T06:00:00Z", param=parameter)
    return value


@click.command(short_help="Run one step of the pipeline, as a task or a container does.")
@click.argument("name", metavar="STEP", type=click.Choice(_ALL))
@click.option("--spec", "spec_file", required=True, metavar="FILE", help="A spec, or a resolved spec as JSON.")
@click.option("--target", default="local", help="The target: for the spec's overrides, and for the record.")
@click.option(
    "--at", "moment", callback=_parse_moment, metavar="TIME", help="The scheduled moment of the run; now, if left out."
)
@click.option("--release", metavar="ID", help="Refuse to run if the spec has changed since the DAG was rendered.")
@shared.lock_timeout
@click.option("--out", metavar="DIR", help="Run on files instead: folder for the outputs.")
@click.option(
    "--in",
    "inputs",
    multiple=True,
    callback=_parse_pairs,
    metavar="ROLE=FILE",
    help="On files: a file of an earlier step.",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    callback=_parse_pairs,
    metavar="NAME=VALUE",
    help="On files: an option of the step.",
)
@click.option("--root", default=".", metavar="DIR", help="On files: the project's root, for relative data paths.")
def command(
    name: str,
    spec_file: str,
    target: str,
    moment: str | None,
    release: str | None,
    lock_timeout: float,
    out: str | None,
    inputs: dict[str, str],
    options: dict[str, str],
    root: str,
) -> int:
    """Run one step: check, backtest, gate, train, register, roll-out, forecast, evaluate; on files also inventory.

    Without --out the step runs on the target's record: it uses the stored results of earlier steps, runs missing ones first,
    and repeats nothing. Exit code 3 means that the gate rejected the version, or that a threshold is broken.

    With --out it runs only on files, and records nothing. It prints the step's facts as JSON. Files may be objects (gs://…):
    these are downloaded, and the outputs are uploaded below --out, with the facts in result.json.

    \b
    mlspec step gate --spec specs/demand.yaml
    mlspec step check --spec specs/demand.yaml --out run/check
    mlspec step backtest --spec specs/demand.yaml --in panel=run/check/panel.parquet \\
        --in series=run/check/series.parquet --out run/backtest
    """
    if out is None:
        if inputs or options:
            raise UsageError("--in and --option are for a step on files", hint="add --out DIR, or leave them out")
        return _run_on_target(
            name, spec_file=spec_file, target=target, moment=moment, release=release, lock_timeout=lock_timeout
        )
    if name not in FILE_STEPS:
        raise UsageError(f"step {name} works on a target's record", hint="leave out --out")
    words = _step_options(name, options, moment)
    if is_object_address(out):
        from mlspec.cli import far_step

        return far_step.run_in_container(name, spec=spec_file, target=target, inputs=inputs, options=words, out=out)
    return _run_on_files(name, _load_spec(spec_file, target), inputs, words, Path(out), Path(root))


def _run_on_target(
    name: str, *, spec_file: str, target: str, moment: str | None, release: str | None, lock_timeout: float
) -> int:
    from mlspec.cli.project import find_root, open_specs
    from mlspec.cli.target import open_engine, timestamp
    from mlspec.engine import steps
    from mlspec.engine.target_kinds import open_target

    if name not in steps.TARGET_STEPS:
        raise UsageError(f"step {name} works on files", hint="add --out DIR")
    loaded = open_specs((spec_file,), target)
    spec = _only_spec(spec_file, loaded.specs)
    if release is not None and not spec.spec_hash.startswith(release):
        raise StalePlan(
            f"{spec.name}: this run is for release {release}, and the spec has changed to {spec.spec_hash[: len(release)]}",
            hint="render and deploy the DAG again: mlspec render",
        )
    root = find_root()
    opened_target = open_target(loaded.project, root, target)
    engine = open_engine(opened_target, root, lambda _forecast, _step, _done, _total, text: report(printable(text)))
    with forecast_scope(spec.name, name):
        facts = steps.run_on_target(engine, spec, cast("Any", name), moment or timestamp(), lock_timeout)
    click.echo(json.dumps({"forecast": spec.name, "step": name, **facts}, indent=2, allow_nan=False))
    return Exit.DONE if facts["well"] else Exit.NOT_WELL


def _run_on_files(
    name: StepName,
    spec: dict[str, Any],
    inputs: dict[str, str],
    words: dict[str, Any],
    out: Path,
    root: Path,
) -> int:
    from mlspec import jobs

    request = StepRequest(
        name, spec, root, _make_folder(out), {role: _existing_file(path) for role, path in inputs.items()}, words
    )
    result = jobs.run(request, lambda _done, _total, text: report(printable(text)))
    outputs = {role: str(path) for role, path in result.outputs.items()}
    click.echo(json.dumps({"facts": dict(result.facts), "outputs": outputs}, indent=2, allow_nan=False))
    return Exit.DONE


def _step_options(name: str, options: dict[str, str], moment: str | None) -> dict[str, Any]:
    """Return the options of a step; for a step that needs the time, with `now`."""
    words: dict[str, Any] = {key: _parse_value(value) for key, value in options.items()}
    if name in {"check", "evaluate"}:
        words.setdefault("now", moment or utc_now().isoformat())
    return words


def _parse_value(value: str) -> Any:
    """Return a value as JSON if it begins like an object or a list (a candidate, versions), else as text."""
    if not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise UsageError(f"the value '{value[:60]}' is not JSON: {error}", hint="quote it for the shell") from error


def _only_spec(file: str, specs: tuple[ResolvedSpec, ...]) -> ResolvedSpec:
    if len(specs) != 1:
        raise UsageError(f"'{file}' holds {len(specs)} forecasts; a step runs one", hint="name one spec file")
    return specs[0]


def _load_spec(file: str, target: str) -> dict[str, Any]:
    if not file.endswith(".json"):
        from mlspec.cli.project import open_specs

        return dict(_only_spec(file, open_specs((file,), target).specs).json)
    try:
        value = json.loads(_existing_file(file).read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise SpecError(
            f"'{file}' is not JSON: {error}", hint="give a spec file, or the output of `mlspec show --output json`"
        ) from error
    if not isinstance(value, dict):
        raise SpecError(
            f"'{file}' is not a resolved spec", hint="give a spec file, or one resolved spec as a JSON object"
        )
    return value


def _existing_file(path: str) -> Path:
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"there is no file '{path}'", hint="name a file that an earlier step wrote")
    return file


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder '{folder}' cannot be made: {error.strerror}", hint="choose another --out"
        ) from error
    return folder
