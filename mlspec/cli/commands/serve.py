"""`mlspec serve`: predictions over HTTP."""

from __future__ import annotations

import importlib.util
import os
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from mlspec import jobs
from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.messages import report
from mlspec.cli.page_actions import PageActions
from mlspec.cli.project import find_root, known_forecasts, load_default_specs
from mlspec.cli.target import open_here, timestamp
from mlspec.clock import utc_now
from mlspec.engine.project_specs import page_language
from mlspec.engine.target_kinds import open_pinned_view, open_serving_view
from mlspec.engine.what_if import WhatIfComparison, compare_what_if
from mlspec.errors import Exit, MissingExtra, Refused, StateError, UsageError
from mlspec.plan.select import known_name
from mlspec.state.assumptions import Assumptions
from mlspec.targets.base import OpenedTarget, ServedRecord, Target

if TYPE_CHECKING:
    from starlette.routing import Route

    from mlspec.web.access import Access
    from mlspec.web.app import PlatformRoutes
    from mlspec.web.what_if import WhatIfAnswers

_LIBRARIES = ("prometheus_client", "starlette", "uvicorn")


@click.command(short_help="Serve predictions over HTTP, with health and metrics.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)
@options.target
@click.option("--host", metavar="ADDRESS", help="The address to listen on.  [default: 127.0.0.1; 0.0.0.0 on Vertex AI]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="0 finds a free one.  [default: AIP_HTTP_PORT, or 8080]",
)
@click.option(
    "--allowed-host", "allowed_hosts", multiple=True, metavar="NAME", callback=lambda _c, _p, names: _parse_hosts(names),
    help="A name or address under which clients may reach it, beside the one that it listens on. Can be given more than once.",
)  # fmt: skip
@click.option(
    "--token-secret", metavar="NAME",
    help="The secret whose value clients have to send as `Authorization: Bearer`. Needed to listen beyond this machine.",
)  # fmt: skip
@options.language("pages for browsers that ask for neither English nor Portuguese")
@click.option(
    "--allow-actions", is_flag=True,
    help="Pages have forms that silence alerts, roll back, hold, resume and send notices again, for who has the token.",
)  # fmt: skip
@click.option("--insecure", is_flag=True, help="Listen beyond this machine without a token.")
@click.option(
    "--version", metavar="VERSION",
    help="Answer with this version alone, whatever serves: how Vertex AI starts a container, with its files at AIP_STORAGE_URI.",
)  # fmt: skip
def command(
    names: tuple[str, ...], target: str, host: str | None, port: int | None, allowed_hosts: frozenset[str],
    token_secret: str | None, language: str | None, allow_actions: bool, insecure: bool, version: str | None,
) -> int:  # fmt: skip
    """Serve predictions over HTTP, in Vertex AI's and KServe's formats, by the versions that serve; without NAME, of all.

    POST /v1/models/NAME:predict and /v1/timeseries/forecast, GET /v1/models, /healthz, /readyz and /metrics; /docs shows all.
    A rollout's step, a rollback and new data take effect without a restart. Requests, errors and latency are counted for the
    alerts. AIP_HTTP_PORT, AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE are used on Vertex AI, which authenticates the callers. After
    SIGTERM or Ctrl-C it finishes the running requests and exits with 0.
    """
    if allow_actions and not token_secret:
        raise UsageError("--allow-actions needs a token", hint="add --token-secret NAME")
    _require_libraries()
    from mlspec.web import app, server
    from mlspec.web.access import exposure_sentences
    from mlspec.web.admission import AdmissionMiddleware
    from mlspec.web.answer import PredictionHandler
    from mlspec.web.counts import RequestCounter
    from mlspec.web.prediction_cache import PredictionCache
    from mlspec.web.what_if import WhatIfAnswers

    routes = app.PlatformRoutes(_vertex_route("AIP_PREDICT_ROUTE", names), _vertex_route("AIP_HEALTH_ROUTE", None))
    opened_target = _pinned_version(names, target, version) if version else _served_target(names, target)
    read_token = _token_reader(target, token_secret, insecure=insecure)
    access = _access(routes, host, allowed_hosts, read_token() if read_token else None)
    listening = _listen(access, host, port, insecure=insecure)
    address, bound_port = listening.getsockname()[:2]
    shelf = PredictionCache(opened_target, names, jobs.predict_apart, _log_line)
    counts = RequestCounter(shelf, timestamp)
    answering = PredictionHandler(counts, time.perf_counter, _log_line)
    click.echo(f"mlspec serve: http://{f'[{address}]' if ':' in address else address}:{bound_port}")
    for sentence in exposure_sentences(access, address, secret=token_secret):
        report(f"mlspec serve: {sentence}", "WARNING" if insecure else "INFO")
    has_record = not (version or access.platform)
    what_if = WhatIfAnswers(partial(_compare_what_if, target)) if has_record else None
    pages = _page_routes(names, target, language, what_if, allow_actions=allow_actions) if what_if else []
    application = AdmissionMiddleware(app.make_app(shelf, answering, routes, pages, what_if), access)
    renew = (lambda: application.renew_token(read_token())) if read_token else None
    ended_by = server.run_server(application, listening, shelf, counts, opened_target, _log_line, renew)
    report(f"mlspec serve: ended by {ended_by}")
    return Exit.DONE


def _compare_what_if(target: str, name: str, assumed: Assumptions) -> WhatIfComparison:
    return compare_what_if(open_here(target), name, find_root(), assumed, jobs.forecast_what_if_apart)


def _page_routes(
    names: tuple[str, ...], target: str, language: str | None, what_if: WhatIfAnswers, *, allow_actions: bool
) -> list[Route]:
    """Return the routes of the pages. They read the record by a target of their own."""
    from mlspec.web.action_pages import action_routes
    from mlspec.web.page_source import PageSource
    from mlspec.web.pages import page_routes

    language = page_language(find_root(), language)
    source = PageSource(open_here(target), find_root(), names, jobs.measure_overview_apart, utc_now)
    actions = action_routes(source, PageActions(target), language) if allow_actions else []
    return [*page_routes(source, language, with_actions=allow_actions, what_if=what_if), *actions]


def _access(routes: PlatformRoutes, host: str | None, allowed_hosts: frozenset[str], token: str | None) -> Access:
    """Return who may ask. Vertex AI starts a container with all three variables, and authenticates each caller before it.

    Source: cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements, "Environment variables".
    """
    from mlspec.web.access import PROBES, Access, parse_host

    platform = all(os.environ.get(name) for name in ("AIP_HTTP_PORT", "AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE"))
    own = {routes.health} | ({routes.predict} if platform else set())
    named = parse_host(host) if host else None
    return Access(
        hosts=allowed_hosts | ({named} if named else set()),
        token=token,
        open_paths=PROBES | {path for path in own if path},
        platform=platform,
    )


def _token_reader(target: str, secret: str | None, *, insecure: bool) -> Callable[[], str] | None:
    """Return what reads the token that clients have to send, from the target's secrets; None if none is asked for."""
    if secret is None:
        return None
    if insecure:
        raise UsageError("--token-secret and --insecure exclude each other", hint="leave one out")
    return partial(_read_token, open_here(target), secret)


def _read_token(target: OpenedTarget, secret: str) -> str:
    """Return the secret's present value, which is never shown. Raises StateError if it cannot be a token."""
    from mlspec.web.access import find_token_problem

    token = target.read_secret(secret)
    if problem := find_token_problem(token):
        raise StateError(f"the secret '{secret}' cannot be a token: {problem}", hint="make one: openssl rand -hex 32")
    return token


def _listen(access: Access, host: str | None, port: int | None, *, insecure: bool) -> socket.socket:
    """Return the listening socket. Raises Refused if other machines could ask through it without a token."""
    from mlspec.web import server
    from mlspec.web.access import may_listen

    listening = server.open_socket(
        host or ("0.0.0.0" if access.platform else "127.0.0.1"),  # noqa: S104  (Vertex AI's contract asks for it)
        _aip_port() if port is None else port,
    )
    address = listening.getsockname()[0]
    if not (insecure or may_listen(access, address)):
        listening.close()
        raise Refused(
            f"on {address} other machines can reach the server, and it has no token",
            hint="--token-secret NAME asks for one; --insecure does not, for example behind a proxy that authenticates",
        )
    return listening


def _parse_hosts(names: tuple[str, ...]) -> frozenset[str]:
    from mlspec.web.access import parse_host

    hosts = {name: parse_host(name) for name in names}
    if wrong := [name for name, host in hosts.items() if host is None]:
        raise click.BadParameter(
            f"'{wrong[0]}' is not a host: expected a name or an address without a port, such as forecasts.example"
        )
    return frozenset(host for host in hosts.values() if host)


def _require_libraries() -> None:
    for needed in _LIBRARIES:
        if importlib.util.find_spec(needed) is None:
            raise MissingExtra(needed, "serve")
    jobs.require_models()


def _served_target(names: tuple[str, ...], target: str) -> Target:
    """Return the target. Raises UsageError for a name that is neither applied nor in a spec."""
    root = find_root()
    loaded = load_default_specs(root, target)
    if names and (served := open_serving_view(loaded.project, root, target, names)):
        return served  # Vertex AI starts the server with an account that can read only these forecasts
    opened_target = open_here(target)
    known = known_forecasts(loaded, opened_target)
    if not known and not loaded.files:
        hint = "run it in a project's folder, or name one: mlspec -C DIR serve"
        raise UsageError(f"there is nothing to serve: {root} has no spec and no forecast", hint=hint)
    for name in names:
        known_name(name, known)
    return opened_target


def _pinned_version(names: tuple[str, ...], target: str, version: str) -> ServedRecord:
    """Return the one version that a container of an endpoint serves. Raises UsageError if this is none."""
    if len(names) != 1:
        raise UsageError("--version is of one forecast", hint="name it: `mlspec serve NAME --version VERSION`")
    root = find_root()
    loaded = load_default_specs(root, target)
    artifact = os.environ.get("AIP_STORAGE_URI", "")
    return open_pinned_view(loaded.project, root, target, forecast=names[0], version=version, artifact=artifact)


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
