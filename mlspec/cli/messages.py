"""What a command tells a person beside its result: words on stderr; in a job, records of its log.

Every command imports this module, `mlspec --version` too: what only some need is imported where they need it.
"""

from __future__ import annotations

import sys

import click

from mlspec import __version__
from mlspec.cli.escape import printable
from mlspec.errors import LockHeld, MlspecError


def report(message: str, level: str = "INFO", *, forecast: str | None = None, at: str = "") -> None:
    """Tell something that is no part of the result. `at` is when it happened: a record has a time of its own."""
    import logging

    from mlspec.cli.log_setup import is_json

    if is_json():
        number = logging.getLevelNamesMapping()[level]
        logging.getLogger(__name__).log(number, "%s", click.unstyle(message), extra={"forecast": forecast})
    else:
        click.echo(f"{at}  {message}" if at else message, err=True)


def say_error(error: MlspecError) -> None:
    """Tell an error and what to do about it, with control characters of user text made visible; its causes at debug."""
    import logging

    from mlspec.cli.log_setup import is_json
    from mlspec.log_context import scope_fields, without_known_secrets

    logger = logging.getLogger(__name__)
    if is_json():
        about = {**scope_fields(error), "error": type(error).__name__, "hint": error.hint}
        level = (
            logging.WARNING if isinstance(error, LockHeld) else logging.ERROR
        )  # somebody else is at work: no failure
        logger.log(level, "%s", error.message, extra=about)
    else:
        click.echo(f"{click.style('error', fg='red', bold=True)}: {_shown(error.message)}", err=True)
        if error.hint:
            click.echo(f"{click.style('hint', fg='cyan')}: {_shown(error.hint)}", err=True)
    if error.__traceback__:
        logger.debug("this error and its causes: %s", without_known_secrets(error.message), exc_info=error)


def say_wrong_call(error: click.ClickException) -> None:
    """Tell what is wrong with the call."""
    from mlspec.cli.log_setup import is_json

    if is_json():
        report(error.format_message(), "ERROR")
    else:
        error.show()


def say_defect(error: Exception, command: str) -> None:
    """Tell an exception that nobody expected, with all that a report of it needs."""
    import logging
    import traceback

    from mlspec.cli.log_setup import clean, is_json

    words = "this is a defect of mlspec, not of your input. Please report it with the text below."
    where = f"mlspec {__version__}, Python {sys.version.split()[0]}, {sys.platform}; command: {command}"
    if is_json():
        said = f"{type(error).__name__}: {error}"
        logging.getLogger(__name__).error("a defect of mlspec: %s (%s)", said, where, exc_info=error)
    else:
        click.echo(f"error: {words}\n{where}", err=True)
        click.echo(clean("".join(traceback.format_exception(error))), err=True, nl=False)


def _shown(text: str) -> str:
    from mlspec.log_context import without_known_secrets

    return printable(without_known_secrets(text))
