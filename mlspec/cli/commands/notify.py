"""`mlspec notify`: tries the receivers of notices."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.log_options import log_options
from mlspec.cli.manual_operations import described_spec
from mlspec.cli.project import find_root, known_forecasts, open_named_spec
from mlspec.cli.senders import notice_settings, sender_factory
from mlspec.cli.target import timestamp
from mlspec.engine.deliver import ReceiverTrial, try_receivers
from mlspec.engine.target_kinds import open_target
from mlspec.errors import Exit, UsageError
from mlspec.plan.select import known_name
from mlspec.spec.faults import did_you_mean


@click.group(short_help="Try the receivers of notices.")
def command() -> None:
    """Try the receivers that a spec names under `notify`."""


@command.command(name="test", short_help="Send one test notice to each receiver of a forecast.")
@click.argument("name", shell_complete=complete_names)
@options.target
@options.output("text", "json")
@click.option("--receiver", metavar="KIND", help="Only receivers of this kind: slack, say.")
def send_test(name: str, target: str, output: str, receiver: str | None) -> int:
    """Send one test notice to each receiver of a forecast, whatever its severity, and say what was answered.

    The spec is read as it is now, and need not be applied. Nothing is recorded and nothing is tried again. In PagerDuty the test
    is an alert that is resolved at once. Exits with 1 unless every receiver accepted it.
    """
    loaded = open_named_spec(name, target)
    opened = open_target(loaded.project, find_root(), target)
    known_name(name, known_forecasts(loaded, opened))
    spec = described_spec(name, loaded).forecast
    kinds = [kind for one in spec.notify for kind in one.kinds]
    if not kinds:
        raise UsageError(f"{name} names no receiver", hint="add one under `notify`: `mlspec explain notify`")
    if receiver is not None and receiver not in kinds:
        hint = did_you_mean(receiver, kinds) or f"its receivers are of the kinds {', '.join(dict.fromkeys(kinds))}"
        raise UsageError(f"--receiver: {name} has no receiver of the kind '{receiver}'", hint=hint)
    senders = sender_factory(opened.read_secret, timestamp, opened.project, notice_settings(loaded.project))
    wanted = [one for one in spec.notify if receiver is None or receiver in one.kinds]
    trials = try_receivers(spec, wanted, senders, timestamp())
    _print_trials(name, trials, output, click.echo)
    return Exit.FAILED if any(trial.problem for trial in trials) else Exit.DONE


def _print_trials(name: str, trials: Sequence[ReceiverTrial], output: str, say: Callable[[str], None]) -> None:
    if output == "json":
        rows = [
            {"receiver": trial.receiver, "accepted": not trial.problem, "answer": trial.problem or trial.answer}
            for trial in trials
        ]
        say(json.dumps({"forecast": name, "receivers": rows}, indent=2))
        return
    for trial in trials:
        sign = click.style("refused", fg="red") if trial.problem else click.style("accepted", fg="green")
        say(f"{trial.receiver}: {sign}: {printable(trial.problem or trial.answer)}")


send_test.params += log_options(of_group=False)
