"""What a container says: one JSON object a line, as Cloud Logging reads it, with the forecast that it is about.

https://cloud.google.com/logging/docs/structured-logging; the log-based metric of a forecast's failures counts by these fields.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mlspec.cli.escape import printable
from mlspec.errors import MlspecError

# Set by Cloud Run in a job's containers, and by Vertex AI in a custom job's.
_CONTAINER = ("CLOUD_RUN_JOB", "CLOUD_ML_JOB_ID")


def in_container() -> bool:
    """Return whether this process is a job on Google Cloud, whose output nobody reads as it comes."""
    return any(os.environ.get(name) for name in _CONTAINER)


def log_line(severity: str, message: str, forecast: str, **fields: str) -> None:
    """Write one line: as JSON in a container, as plain text elsewhere."""
    if not in_container():
        click.echo(printable(message), err=True)
        return
    run = {name: os.environ[name] for name in ("CLOUD_RUN_EXECUTION", "CLOUD_ML_JOB_ID") if os.environ.get(name)}
    line = {"severity": severity, "message": message, "mlspec": {"forecast": forecast, **fields}}
    click.echo(json.dumps({**line, "logging.googleapis.com/labels": run}, ensure_ascii=False), err=True)


@contextmanager
def log_failures(forecast: str, step: str) -> Iterator[None]:
    """Say an error of the block as a container has to, before it goes on its way."""
    try:
        yield
    except MlspecError as error:
        if in_container():
            log_line("ERROR", error.message, forecast, step=step, error=type(error).__name__)
        raise
