"""The entry point of the command line: the table of commands, and the one place where errors become messages and exit codes.

A command's module is imported only when that command runs, so that `mlspec --version` is as fast as importing click.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from mlspec import __version__
from mlspec.cli import messages
from mlspec.cli.log_options import log_options, set_up_logging
from mlspec.cli.streams import find_lost_output, open_standard_streams
from mlspec.errors import Exit, MlspecError, Terminated
from mlspec.stop_signals import handle_signal

# The commands and their texts in --help. The module is mlspec.cli.commands.<name>, with _ for -, and `command` in it the command.
COMMANDS = {
    "init": "Start a project, or write the spec for a data file.",
    "validate": "Check spec files; report every error at once.",
    "check-model": "Try a model of your own on the project's data, in seconds.",
    "schema": "Print the JSON Schema of the spec language.",
    "explain": "Explain a field of a spec, a metric or a term.",
    "show": "Show the resolved specs, and where each value came from.",
    "render": "Write the Terraform and the DAGs of specs.",
    "plan": "Show what apply would do, and why.",
    "apply": "Apply specs: check, backtest, gate, train, deploy, forecast.",
    "reconcile": "Run the loop: monitor, forecast, retrain, roll out and roll back.",
    "status": "Show whether each forecast is ready, and why.",
    "get": "Show all of one forecast: conditions, traffic, errors, alerts, versions.",
    "forecast": "Print the newest forecast, an earlier one, or what changed.",
    "errors": "Print realised errors beside those of the backtest.",
    "drivers": "Show what each covariate is worth to the model that serves.",
    "what-if": "Forecast with other promotions or prices, beside the plan as it is.",
    "inventory": "Print safety stock, reorder point and order-up-to level.",
    "history": "List releases, versions and events, newest first.",
    "export": "Export versions and metrics to MLflow.",
    "diff": "Compare two releases field by field.",
    "rollback": "Move a forecast to an earlier good release, and hold it there.",
    "hold": "Keep the release that serves, until a person resumes.",
    "resume": "End a hold, so that the loop continues.",
    "silence": "Mute an alert for a while.",
    "notify": "Try the receivers of notices.",
    "rehearse": "Simulate a fault on a copy: alert, rollback, recovery.",
    "report": "Write an HTML report with charts.",
    "serve": "Serve predictions over HTTP, with health and metrics.",
    "step": "Run one step of the pipeline, as a task or a container does.",
    "doctor": "Check what this machine and a target need, and how to fix what is missing.",
    "migrate": "Upgrade specs and state of an older version, with a backup.",
    "completion": "Print the script by which a shell completes mlspec's words.",
    "prune": "Remove from the record what nothing needs any more.",
    "destroy": "Remove what apply made, and nothing else.",
}


class LazyGroup(click.Group):
    """A group whose commands are modules that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which a new user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mlspec.cli.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        if not any(each.name == "log_level" for each in command.params) and not isinstance(command, click.Group):
            command.params += log_options(of_group=False)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Resolve a command as click does; the error for an unknown name suggests the nearest one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"{error.message}{hint}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing their modules."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _change_folder(folders: tuple[str, ...]) -> None:
    for folder in folders:
        try:
            os.chdir(folder)
        except OSError as error:
            raise click.BadParameter(f"cannot enter {folder}: {error.strerror}") from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="mlspec", message="%(prog)s %(version)s")
@click.option(
    "-C",
    "folder",
    metavar="DIR",
    type=click.Path(),
    help="Run as if started in DIR. Can be given more than once; each is relative to the one before.",
    multiple=True,
    expose_value=False,
    is_eager=True,
    callback=lambda _context, _parameter, folders: _change_folder(folders),
)
@click.pass_context
def cli(context: click.Context) -> None:
    """Run demand forecasts by writing YAML.

    One spec file describes a forecast. Start with `mlspec init`, then `mlspec apply`.
    """
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        context.color = False
    set_up_logging(context)


cli.params += log_options(of_group=True)


def run(argv: list[str]) -> int:
    """Run one command and return its exit code; errors are printed on stderr."""
    with _keep_signal_handlers(), open_standard_streams() as output:
        code = _run_command(argv)
        lost = find_lost_output(output)
        if lost is not None:
            messages.say_error(lost)
    return code if lost is None else code or Exit.FAILED


def _run_command(argv: list[str]) -> int:
    try:
        with _stop_by_exceptions():
            result = cli.main(args=argv, prog_name="mlspec", standalone_mode=False)
    except click.ClickException as error:
        messages.say_wrong_call(error)
        return Exit.USAGE if isinstance(error, click.UsageError) else Exit.FAILED
    except MlspecError as error:
        messages.say_error(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        messages.report("stopped by SIGINT; the same command can be run again", "WARNING")
        return Exit.INTERRUPTED
    except Terminated:
        messages.report("stopped by SIGTERM; the same command can be run again", "WARNING")
        return Exit.TERMINATED
    except Exception as error:  # noqa: BLE001  (whatever arrives here is a defect; say so with what a report needs)
        messages.say_defect(error, argv[0] if argv else "-")
        return Exit.FAILED
    finally:
        _end_logging()
    return int(result or 0)


@contextmanager
def _keep_signal_handlers() -> Iterator[None]:
    """Put the handlers of signals to stop back after a block."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _stop_by_exceptions() -> Iterator[None]:
    """Let signals to stop end a block by an exception, and be ignored after it: what the command has to say is said in a moment.

    SIGINT stays ignored where it was, and with the program that calls `run` if that handles it.
    """
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) in (signal.SIG_DFL, signal.default_int_handler):
        numbers.append(signal.SIGINT)
    try:
        for number in numbers:
            handle_signal(number)
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)


def _end_logging() -> None:
    """Undo the command's logging setup, if there is one: the caller of `run` may have its own."""
    if setup := sys.modules.get("mlspec.cli.log_setup"):
        setup.take_down()
