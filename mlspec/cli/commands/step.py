"""`mlspec step`: runs one step of the pipeline, in a DAG's task or a container, with the same code as `apply`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import click

from mlspec.cli import options as shared
from mlspec.cli.escape import printable
from mlspec.cli.messages import report, say_error
from mlspec.cli.output_file import refuse_linked_output
from mlspec.cli.senders import NoticeSettings, notice_settings
from mlspec.clock import utc_now
from mlspec.errors import Exit, MlspecError, SpecError, StalePlan, UsageError, may_pass
from mlspec.plain_files import make_private_folder
from mlspec.spec import ResolvedSpec
from mlspec.spec.object_address import is_object_address
from mlspec.state.pass_steps import STEP_NAMES
from mlspec.state.step import PANEL, StepName, StepRequest, panel_parts
from mlspec.targets.base import OpenedTarget

# With --out a step runs on files; without, on the target's record.
FILE_STEPS: tuple[StepName, ...] = get_args(StepName)
PUBLISH_ALERTS = "publish-alerts"  # no step of a pass: it tells other systems of incidents that a step found
TARGET_STEPS = (*STEP_NAMES, PUBLISH_ALERTS)
_ALL = tuple(dict.fromkeys((*TARGET_STEPS, *FILE_STEPS)))


def _parse_pairs(_context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(value.split("=", 1) for value in values if "=" in value)
    wrong = [value for value in values if "=" not in value or value.startswith("=")]
    if wrong:
        raise click.BadParameter(f"'{wrong[0]}' is not of the form NAME=VALUE", param=parameter)
    return pairs


def _parse_inputs(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return the files by role. A folder stands for its files: a step gives each the name of its role."""
    found: dict[str, str] = {}
    for value in values:
        if "=" not in value and Path(value).is_dir():
            found |= {file.stem: str(file) for file in sorted(Path(value).iterdir()) if file.is_file()}
        elif "=" not in value:
            raise click.BadParameter(
                f"there is no folder '{value}', and it is not of the form ROLE=FILE", param=parameter
            )
        else:
            found |= _parse_pairs(context, parameter, (value,))
    return found


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
@click.option(
    "--topic",
    metavar="PATH",
    help="publish-alerts, finish: the Pub/Sub topic for incidents, projects/PROJECT/topics/TOPIC.",
)
@shared.lock_timeout
@click.option("--out", metavar="DIR", help="Run on files instead: folder for the outputs.")
@click.option(
    "--in",
    "inputs",
    multiple=True,
    callback=_parse_inputs,
    metavar="DIR|ROLE=FILE",
    help="On files: the folder of an earlier step, or one file. Can be given more than once.",
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
    topic: str | None,
    lock_timeout: float,
    out: str | None,
    inputs: dict[str, str],
    options: dict[str, str],
    root: str,
) -> int:
    """Run one step: check, evaluate, move-traffic, backtest, gate, train, register, roll-out, forecast, finish; publish-alerts.

    Without --out it is a step of the loop's pass, made on the target's record with the loop's decisions. All steps in this order
    are one pass. A step whose work is not due does nothing. `publish-alerts` prints a message for each incident that began since
    --at, and publishes it to --topic. A moment --at that is older than what is recorded changes nothing newer; `forecast` then
    fills a forecast that is missing.

    Exit codes: 0 done; 3 not well (the gate kept a version out, an incident began, the data is missing, or a pass could not do all
    of its work); 1 failed for good, until an input changes; 75 may pass, so the same call may be tried again.

    With --out it runs only on files, and records nothing: check, backtest, train, forecast, inventory, evaluate. It prints the
    step's facts as JSON. Files may be objects (gs://…): these are downloaded, and the outputs are uploaded below --out, with the
    facts in result.json.

    \b
    mlspec step gate --spec specs/demand.yaml
    mlspec step check --spec specs/demand.yaml --out run/check
    mlspec step backtest --spec specs/demand.yaml --in run/check --out run/backtest
    """
    if out is None:
        if inputs or options:
            raise UsageError("--in and --option are for a step on files", hint="add --out DIR, or leave them out")
        return _run_on_target(_TargetCall(name, spec_file, target, moment, release, topic, lock_timeout))
    if name not in FILE_STEPS:
        raise UsageError(f"step {name} works on a target's record", hint="leave out --out")
    words = _step_options(name, options, moment)
    if is_object_address(out):
        from mlspec.cli import far_step

        return far_step.run_in_container(name, spec=spec_file, target=target, inputs=inputs, options=words, out=out)
    return _run_on_files(name, _load_spec(spec_file, target), inputs, words, Path(out), Path(root))


@dataclass(frozen=True, slots=True)
class _TargetCall:
    """The options of a step on a target's record."""

    name: str
    spec_file: str
    target: str
    moment: str | None
    release: str | None
    topic: str | None
    lock_timeout: float


def _run_on_target(call: _TargetCall) -> int:
    """Run a step of a pass. An error that may pass has an exit code of its own, so that a scheduler knows what to retry."""
    if call.name not in TARGET_STEPS:
        raise UsageError(f"step {call.name} works on files", hint="add --out DIR")
    try:
        return _make_step(call)
    except MlspecError as error:
        if not may_pass(error):
            raise
        say_error(error)
        return Exit.MAY_PASS


def _make_step(call: _TargetCall) -> int:
    from mlspec.cli.project import find_root, open_specs
    from mlspec.cli.target import open_engine
    from mlspec.engine import steps
    from mlspec.engine.target_kinds import open_target

    loaded = open_specs((call.spec_file,), call.target)
    spec = _only_spec(call.spec_file, loaded.specs)
    _refuse_other_release(spec, call.release)
    root = find_root()
    opened_target = open_target(loaded.project, root, call.target)
    notices = notice_settings(loaded.project)
    if call.name == PUBLISH_ALERTS:
        return _publish_alerts(call, spec, opened_target)
    retention = loaded.project.retention if loaded.project else None
    engine = open_engine(
        opened_target, root, lambda _forecast, _step, _done, _total, text: report(printable(text)), retention
    )
    try:
        facts = steps.run_on_target(engine, spec, cast("Any", call.name), call.moment, call.lock_timeout)
    except MlspecError:
        _send_notices(call, opened_target, notices)  # what failed may have left one
        raise
    _send_notices(call, opened_target, notices)
    click.echo(json.dumps({"forecast": spec.name, "step": call.name, **facts}, indent=2, allow_nan=False))
    for alert in facts.get(steps.BEGAN, ()):  # no later task of the run would tell them
        _publish_alert(call, spec, alert, report)
    return Exit.DONE if facts["well"] else Exit.NOT_WELL


def _send_notices(call: _TargetCall, target: OpenedTarget, notices: NoticeSettings) -> None:
    """Send the due notices at the end of a pass: after the last of its steps."""
    from mlspec.cli.notices import send_due_notices

    if call.name == "finish":
        send_due_notices(target, report, notices)


def _refuse_other_release(spec: ResolvedSpec, release: str | None) -> None:
    if release is not None and not spec.spec_hash.startswith(release):
        raise StalePlan(
            f"{spec.name}: this run is for release {release}, and the spec has changed to {spec.spec_hash[: len(release)]}",
            hint="render and deploy the DAG again: mlspec render",
        )


def _publish_alerts(call: _TargetCall, spec: ResolvedSpec, target: OpenedTarget) -> int:
    """Print a message for each incident that began in this run, and publish it, if there is a topic."""
    from mlspec.engine import steps

    alerts = target.observe_forecast(spec.name).ledger.alerts
    for alert in steps.new_incidents(alerts, call.moment):
        _publish_alert(call, spec, steps.alert_facts(alert), click.echo)
    return Exit.DONE


def _publish_alert(call: _TargetCall, spec: ResolvedSpec, alert: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Say the message of one incident, and publish it, if there is a topic."""
    from mlspec.cli.senders import publish_message

    message = {
        "version": 1, "forecast": spec.name, "event": "threshold-broken", "about": alert["message"], "alert": dict(alert),
        "release": call.release or spec.spec_hash, "run": call.moment,
    }  # fmt: skip
    text = json.dumps(message, sort_keys=True, allow_nan=False)
    say(text)
    if call.topic:
        publish_message(call.topic, text, spec.name)


def _run_on_files(
    name: StepName,
    spec: dict[str, Any],
    inputs: dict[str, str],
    words: dict[str, Any],
    out: Path,
    root: Path,
) -> int:
    from mlspec import jobs

    files = {role: _existing_file(path) for role, path in inputs.items()}
    _refuse_partial_panel(files)
    request = StepRequest(name, spec, root, _make_folder(out), files, words)
    result = jobs.run(request, lambda _done, _total, text: report(printable(text)))
    outputs = {role: str(path) for role, path in result.outputs.items()}
    click.echo(json.dumps({"facts": dict(result.facts), "outputs": outputs}, indent=2, allow_nan=False))
    return Exit.DONE


def _refuse_partial_panel(files: Mapping[str, Path]) -> None:
    """Raise UsageError if the panel is more files than are named: the step would take a part of the history for all of it."""
    if PANEL not in files:
        return
    folder = files[PANEL].parent
    written = panel_parts({file.stem: file for file in folder.glob(f"{PANEL}*.parquet")})
    if left_out := written.keys() - files.keys():
        raise UsageError(
            f"the panel in '{folder}' is {len(written)} files, and {len(left_out)} of them are not named",
            hint=f"name the folder: --in {folder}",
        )


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
            f"'{file}' is not JSON: {error}",
            hint="give a spec file, or the `spec` of one forecast in the output of `mlspec show --output json`",
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
    refuse_linked_output(folder)
    try:
        make_private_folder(folder)
    except OSError as error:
        raise UsageError(
            f"the folder '{folder}' cannot be made: {error.strerror}", hint="choose another --out"
        ) from error
    return folder
