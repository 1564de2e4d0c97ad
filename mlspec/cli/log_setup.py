"""Sets up logging for one run of a command: which records are shown, in which form, and with every secret replaced.

Importing a module sets up nothing. Records go to stderr, one event a line. In a job on Google Cloud a line is JSON with the
fields that Cloud Logging knows; elsewhere it is text.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from datetime import UTC, datetime

import click

from mlspec.cli.escape import printable
from mlspec.cli.log_options import FORMS, LEVELS
from mlspec.log_context import hide_secret, scope_fields, without_known_secrets

# Set by Cloud Run in a job's containers and in a service's (a function is one), and by Vertex AI in a custom job's and a server's.
# Sources: cloud.google.com/run/docs/container-contract, cloud.google.com/vertex-ai/docs/training/code-requirements and
# cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements, each under "Environment variables".
_JOB = ("CLOUD_RUN_JOB", "K_SERVICE", "CLOUD_ML_JOB_ID", "AIP_HTTP_PORT")
# What names the run that a line comes from, as the entry's labels.
_RUN = ("CLOUD_RUN_EXECUTION", "CLOUD_ML_JOB_ID")
# What a record may carry beside its message: `extra={"step": "train"}`.
_FIELDS = ("forecast", "step", "error", "hint", "seconds")
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|ACCESS_KEY")
_NO_SECRET_NAME = re.compile(r"_(FILE|PATH|DIR|NAME|ID|URI)$")
_ROOT, _OWN, _GOOGLE = logging.getLogger(), logging.getLogger("mlspec"), logging.getLogger("google")
_WARNINGS = logging.getLogger(
    "py.warnings"
)  # what Python code warns of, in mlspec or in a library: for who writes code
_VERBOSE = ("numba", "asyncio", "matplotlib")  # libraries with thousands of debug records that say nothing about mlspec


class StderrHandler(logging.Handler):
    """Writes to the present `sys.stderr`. Keeps the levels that were set before, so that they can be restored."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.levels = {logger: logger.level for logger in (_ROOT, _OWN, _GOOGLE, _WARNINGS)}

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            click.echo(self.format(record), err=True)
        except Exception:  # noqa: BLE001  (a record that cannot be written must not end the work that it is about)
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the standard library's name)
        """Report a lost record. The standard library's message would print its arguments, with secrets."""
        if logging.raiseExceptions:
            click.echo(f"a log record of {record.name} could not be written", err=True)


class TextFormatter(logging.Formatter):
    """Time, level, logger, forecast and message, for a person; the traceback below it, where a record has one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        forecast = _fields(record).get("forecast")
        about = f"{forecast}: " if forecast else ""
        head = f"{_time(record)} {record.levelname.lower():<7} {record.name}: {about}{record.getMessage()}"
        return printable(clean("\n".join([head, *_traceback(self, record)])))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the fields that Cloud Logging takes for its own.

    Sources: cloud.google.com/logging/docs/structured-logging (severity, message, time, labels) and
    cloud.google.com/error-reporting/docs/formatting-error-messages (stack_trace). A log-based metric counts failures by
    `mlspec.forecast`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        trace = _traceback(self, record)
        line = {
            "severity": record.levelname,
            "message": clean(record.getMessage()),
            "time": _time(record),
            "logger": record.name,
            "mlspec": {name: clean(value) for name, value in _fields(record).items()},
            **({"stack_trace": clean("\n".join(trace))} if trace else {}),
            "logging.googleapis.com/labels": {name: os.environ[name] for name in _RUN if os.environ.get(name)},
        }
        return json.dumps(line)


def clean(text: str) -> str:
    """Return a text without secrets: without those that were read in this run, and without anything that looks like a key."""
    from mlspec.spec.secrecy import redact_secrets

    return redact_secrets(without_known_secrets(text))


def set_up(level: str | None = None, form: str | None = None) -> None:
    """Show records from `level` on, as `text` or `json`. The defaults depend on where this process runs.

    The libraries' own records are shown from `warning` on, and with `debug` all of them; Python's warnings with `debug` alone.
    """
    take_down()
    form = form or default_form()
    number = logging.getLevelNamesMapping()[(level or default_level(form)).upper()]
    _ROOT.addHandler(StderrHandler(JsonFormatter() if form == "json" else TextFormatter()))
    _ROOT.setLevel(number if number == logging.DEBUG else max(number, logging.WARNING))
    _OWN.setLevel(number)
    for name in _VERBOSE:
        logging.getLogger(name).setLevel(logging.WARNING)
    if number == logging.DEBUG:
        _GOOGLE.setLevel(number)  # google-api-core does not propagate its records unless a level is set
    _WARNINGS.setLevel(number if number == logging.DEBUG else logging.ERROR)
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_defect
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name.upper()) and not _NO_SECRET_NAME.search(name.upper()):
            hide_secret(value)


def take_down() -> None:
    """Undo `set_up`, for a process that runs more than one command."""
    handler = _handler()
    if handler is not None:
        _ROOT.removeHandler(handler)
        logging.captureWarnings(False)
        threading.excepthook = threading.__excepthook__
        for logger, level in handler.levels.items():
            logger.setLevel(level)


def _log_thread_defect(defect: threading.ExceptHookArgs) -> None:
    """Log what ended a thread. Python's own hook would print it with every secret in it."""
    if defect.exc_value is None:
        return
    name = defect.thread.name if defect.thread else "a thread"
    said = f"{type(defect.exc_value).__name__}: {defect.exc_value}"
    _OWN.error("a defect of mlspec ended %s: %s", name, said, exc_info=defect.exc_value)


def is_json() -> bool:
    """Return whether records are written as JSON. Sets up the default logging, if a command ended before it did."""
    if _handler() is None:
        set_up()
    handler = _handler()
    return handler is not None and isinstance(handler.formatter, JsonFormatter)


def default_form() -> str:
    """Return the default form of records: JSON in a job on Google Cloud, else text."""
    chosen = os.environ.get("MLSPEC_LOG_FORMAT", "").lower()
    return chosen if chosen in FORMS else "json" if any(os.environ.get(name) for name in _JOB) else "text"


def default_level(form: str) -> str:
    """Return the default level. In text form it is higher, because the command itself prints what happens."""
    chosen = os.environ.get("MLSPEC_LOG_LEVEL", "").lower()
    return chosen if chosen in LEVELS else "info" if form == "json" else "warning"


def _handler() -> StderrHandler | None:
    return next((handler for handler in _ROOT.handlers if isinstance(handler, StderrHandler)), None)


def _fields(record: logging.LogRecord) -> dict[str, str]:
    error = record.exc_info[1] if record.exc_info else None
    own = {name: getattr(record, name) for name in _FIELDS if getattr(record, name, None) is not None}
    return {**scope_fields(error), **{name: str(value) for name, value in own.items()}}


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    return [formatter.formatException(record.exc_info)] if record.exc_info and record.exc_info[1] else []


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
