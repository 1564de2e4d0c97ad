"""Checks of the rollout, the machines and the budget."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.spec.currencies import CURRENCIES
from mlspec.spec.faults import Path, Problem, did_you_mean, nearest_word
from mlspec.spec.forecast import Forecast, Rollout
from mlspec.spec.metrics import metric_kind

_ROLLOUT: Path = ("deployment", "rollout")
_ENDPOINT: Path = ("deployment", "endpoint")
_NO_BATCH_MACHINE = "drop it: the forecast's own job then makes the forecast"
# Compared with the default instead of `model_fields_set`: a resolved spec holds all defaults, and is a valid spec too.
_UNSAID = Rollout().interval


def check_rollout(forecast: Forecast) -> Iterator[Problem]:
    """Only a canary has steps, which rise to 100. A canary or blue-green rollout has an interval above 0."""
    policy = forecast.deployment.rollout
    path: Path = (*_ROLLOUT, "steps")
    if policy.strategy != "canary" and policy.steps:
        hint = "write strategy: canary, or drop the steps"
        yield Problem(path, "rollout", f"{policy.strategy} has no steps", hint, on_key=True)
    elif policy.strategy == "canary" and not policy.steps:
        yield Problem(_ROLLOUT, "rollout", "a canary needs steps", "such as steps: [10, 50, 100]")
    elif policy.steps and (list(policy.steps) != sorted(set(policy.steps)) or policy.steps[-1] != 100):
        message, hint = f"{list(policy.steps)}: steps rise, and end at 100", f"such as {sorted({*policy.steps, 100})}"
        yield Problem(path, "rollout", message, hint)
    waits = policy.strategy != "all-at-once"
    if waits and not policy.interval:
        yield Problem((*_ROLLOUT, "interval"), "rollout", f"{policy.strategy} waits between steps", "such as 1h")
    elif not waits and policy.interval != _UNSAID:
        message, hint = "all-at-once does not wait", "write strategy: canary or blue-green, or drop the interval"
        yield Problem((*_ROLLOUT, "interval"), "rollout", message, hint, on_key=True)


def check_replicas(forecast: Forecast) -> Iterator[Problem]:
    """min_replicas is not above max_replicas."""
    machine = forecast.deployment.machine
    if machine.min_replicas > machine.max_replicas:
        message = f"min_replicas {machine.min_replicas} is above max_replicas {machine.max_replicas}"
        hint = f"set max_replicas to {machine.min_replicas} or more"
        yield Problem(("deployment", "machine", "min_replicas"), "replicas", message, hint)


def check_batch_machine(forecast: Forecast) -> Iterator[Problem]:
    """batch_machine is given only if serve is batch or both."""
    deployment = forecast.deployment
    if deployment.batch_machine is not None and deployment.serve == "online":
        message, hint = "batch_machine is for a batch forecast, and serve is online", "write serve: both, or drop it"
        yield Problem(("deployment", "batch_machine"), "serve", message, hint, on_key=True)


def check_allowed_projects(forecast: Forecast) -> Iterator[Problem]:
    """allowed_projects are of a private endpoint."""
    endpoint = forecast.deployment.endpoint
    if endpoint.allowed_projects and endpoint.access == "public":
        message = "a public endpoint lets in callers of any project that have aiplatform.endpoints.predict"
        path: Path = (*_ENDPOINT, "allowed_projects")
        yield Problem(path, "endpoint", message, "write access: private, or drop it", on_key=True)


def check_private_endpoint(forecast: Forecast) -> Iterator[Problem]:
    """A private endpoint has no alert on its requests, and its forecast no batch_machine."""
    # Google names no metric of requests for an endpoint by Private Service Connect, and supports no outbound networking there
    # (cloud.google.com/vertex-ai/docs/predictions/choose-endpoint-type), so a registered version cannot read newer data.
    if not forecast.deployment.is_private:
        return
    for index, alert in enumerate(forecast.alerts):
        if metric_kind(alert.metric) == "serving":
            message = (
                f"Google Cloud does not count the requests of a private endpoint, so {alert.metric} would have no value"
            )
            hint = "drop the alert, or write deployment.endpoint.access: public"
            yield Problem(("alerts", index, "metric"), "endpoint", message, hint)
    if forecast.deployment.batch_machine is not None:
        message = (
            "a version that is registered for a private endpoint cannot read newer data, so no job can forecast with it"
        )
        yield Problem(("deployment", "batch_machine"), "endpoint", message, _NO_BATCH_MACHINE, on_key=True)


def check_budget(forecast: Forecast) -> Iterator[Problem]:
    """budget.monthly is in an ISO 4217 currency."""
    monthly = forecast.budget.monthly
    currency = monthly.rpartition(" ")[2] if monthly else None
    if currency is not None and currency not in CURRENCIES:
        hint = did_you_mean(currency, CURRENCIES) if nearest_word(currency, CURRENCIES) else "such as 400 USD"
        yield Problem(("budget", "monthly"), "budget", f"'{currency}' is not an ISO 4217 currency", hint)
