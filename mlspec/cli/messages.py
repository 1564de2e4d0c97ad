"""Messages of a command besides its result: text on stderr, or log records in a job.

Every command imports this module, even `mlspec --version`, so it imports other modules only where they are needed.
"""

from __future__ import annotations

import sys

import click

from mlspec import __version__
from mlspec.cli.escape import printable
from mlspec.errors import LockHeld, MlspecError


def report(message: str, level: str = "INFO", *, forecast: str | None = None, at: str = "") -> None:
    """Print a message that is not part of the result. `at` is the time of a text message; a log record has its own time."""
    import logging

    from mlspec.cli.log_setup import is_json

    if is_json():
        number = logging.getLevelNamesMapping()[level]
        logging.getLogger(__name__).log(number, "%s", click.unstyle(message), extra={"forecast": forecast})
    else:
        click.echo(f"{at}  {message}" if at else message, err=True)


def say_error(error: MlspecError) -> None:
    """Print an error and its hint, with control characters escaped; its causes are logged at debug."""
    import logging

    from mlspec.cli.log_setup import is_json
    from mlspec.log_context import scope_fields, without_known_secrets

    logger = logging.getLogger(__name__)
    if is_json():
        about = {**scope_fields(error), "error": type(error).__name__, "hint": error.hint}
        level = (
            logging.WARNING if isinstance(error, LockHeld) else logging.ERROR
        )  # another run holds the lock: this is not a failure
        logger.log(level, "%s", error.message, extra=about)
    else:
        click.echo(f"{click.style('error', fg='red', bold=True)}: {_shown(error.message)}", err=True)
        if error.hint:
            click.echo(f"{click.style('hint', fg='cyan')}: {_shown(error.hint)}", err=True)
    if error.__traceback__:
        logger.debug("this error and its causes: %s", without_known_secrets(error.message), exc_info=error)


def say_wrong_call(error: click.ClickException) -> None:
    """Print what is wrong with the command line."""
    from mlspec.cli.log_setup import is_json

    if is_json():
        report(error.format_message(), "ERROR")
    else:
        error.show()


def say_defect(error: Exception, command: str) -> None:
    """Print an unexpected exception, with everything that a bug report needs."""
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
