"""`mlspec serve`: predictions over HTTP."""

from __future__ import annotations

import importlib.util
import os
import time

import click

from mlspec import jobs
from mlspec.cli import options
from mlspec.cli.escape import printable
from mlspec.cli.messages import report
from mlspec.cli.project import find_root, load_specs
from mlspec.cli.target import timestamp
from mlspec.engine.target_kinds import open_serving_view, open_target
from mlspec.errors import Exit, MissingExtra, Terminated, UsageError
from mlspec.plan.select import known_name
from mlspec.targets.base import Target

_LIBRARIES = ("prometheus_client", "starlette", "uvicorn")


@click.command(short_help="Serve predictions over HTTP, with health and metrics.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options.target
@click.option("--host", metavar="ADDRESS", help="The address to listen on.  [default: 127.0.0.1; 0.0.0.0 on Vertex AI]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="0 finds a free one.  [default: AIP_HTTP_PORT, or 8080]",
)
def command(names: tuple[str, ...], target: str, host: str | None, port: int | None) -> int:
    """Serve predictions over HTTP, in Vertex AI's format, by the versions that serve; without NAME, for every forecast.

    POST /v1/models/NAME:predict, GET /healthz, /readyz and /metrics. A rollout's step, a rollback and new data take effect
    without a restart. Requests, errors and latency are counted for the alerts. AIP_HTTP_PORT, AIP_HEALTH_ROUTE and
    AIP_PREDICT_ROUTE are used on Vertex AI. After SIGTERM it finishes the running requests and exits with 0.
    """
    _require_libraries()
    from mlspec.web import app, server
    from mlspec.web.answer import PredictionHandler
    from mlspec.web.counts import RequestCounter
    from mlspec.web.prediction_cache import PredictionCache

    routes = app.PlatformRoutes(_vertex_route("AIP_PREDICT_ROUTE", names), _vertex_route("AIP_HEALTH_ROUTE", None))
    opened_target = _served_target(names, target)
    on_vertex = "AIP_HTTP_PORT" in os.environ
    listening = server.open_socket(
        host or ("0.0.0.0" if on_vertex else "127.0.0.1"),  # noqa: S104  (Vertex AI's contract asks for it)
        _aip_port() if port is None else port,
    )
    shelf = PredictionCache(opened_target, names, jobs.predict, _log_line)
    counts = RequestCounter(shelf, timestamp)
    answering = PredictionHandler(counts, time.perf_counter, _log_line)
    address, bound_port = listening.getsockname()[:2]
    click.echo(f"mlspec serve: http://{f'[{address}]' if ':' in address else address}:{bound_port}")
    try:
        server.run_server(app.make_app(shelf, answering, routes), listening, shelf, counts, opened_target, _log_line)
    except Terminated:
        report("mlspec serve: ended by SIGTERM")
    return Exit.DONE


def _require_libraries() -> None:
    for needed in _LIBRARIES:
        if importlib.util.find_spec(needed) is None:
            raise MissingExtra(needed, "serve")
    jobs.require_models()


def _served_target(names: tuple[str, ...], target: str) -> Target:
    """Return the target. Raises UsageError for a name that is neither applied nor in a spec."""
    root = find_root()
    loaded = load_specs([root / path for path in options.DEFAULT_PATHS], target)
    if names and (served := open_serving_view(loaded.project, root, target, names)):
        return served  # Vertex AI starts the server with an account that can read only these forecasts
    opened_target = open_target(loaded.project, root, target)
    known = tuple(sorted({*opened_target.forecast_names(), *(spec.name for spec in loaded.specs)}))
    for name in names:
        known_name(name, known)
    return opened_target


def _aip_port() -> int:
    text = os.environ.get("AIP_HTTP_PORT", "8080")
    if not text.isdecimal() or int(text) > 65535:
        raise UsageError(
            f"AIP_HTTP_PORT is '{text}', which is not a port", hint="Vertex AI sets it to a number, such as 8080"
        )
    return int(text)


def _vertex_route(variable: str, names: tuple[str, ...] | None) -> str | None:
    """Return a path that Vertex AI sets. Raises UsageError if it is not a path, or if it could mean several forecasts."""
    path = os.environ.get(variable)
    if path is None:
        return None
    if not path.startswith("/") or "{" in path:
        raise UsageError(
            f"{variable} is '{path}', which is not a path", hint="Vertex AI sets it to a path, such as /predict"
        )
    if names is not None and len(names) != 1:
        raise UsageError(f"{variable} is one path, and it is for one forecast", hint="name one: `mlspec serve NAME`")
    return path


def _log_line(text: str) -> None:
    report(printable(text), "WARNING", at=timestamp())
