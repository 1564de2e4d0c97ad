"""Estimates what a forecast costs a month on Google Cloud: list prices times the quantities in the spec.

It is a rough figure with its assumptions, not a quote. Prices are list prices of us-central1 in USD of the year `AS_OF`; other
regions differ by up to a half. Each has its page beside it. docs/google-cloud-parts.md shows the same table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mlspec.plan.schedule import runs_per_month
from mlspec.spec.alerts import Alert
from mlspec.spec.forecast import Forecast
from mlspec.spec.metrics import metric_names

AS_OF = "2025"
HOURS = 730.0  # hours of a month, as Google bills
# Family of machines: USD an hour for one vCPU, and for one GiB, as a Vertex AI endpoint is billed:
# cloud.google.com/vertex-ai/pricing
MACHINES = {"e2": (0.0251, 0.0034), "n1": (0.0364, 0.0049), "n2": (0.0364, 0.0049), "c2": (0.0391, 0.0052)}
# Kind of machine: GiB for one vCPU.
_MEMORY = {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0}
_MACHINE = re.compile(r"([a-z][0-9]+)-(standard|highmem|highcpu)-([0-9]+)")
# The job of the pipeline's steps: USD a second for one vCPU, of which it has 4, and for one GiB, of which it has 16:
# cloud.google.com/run/pricing
JOB_CPU, JOB_MEMORY = 0.000018, 0.000002
JOB_SECOND = 4 * JOB_CPU + 16 * JOB_MEMORY
RUN_MINUTES = 30.0  # our own guess: the time of a run, and of its work on a separate machine
# An alert's condition a month, and each million time series that its query returns:
# cloud.google.com/products/observability/pricing. Monitoring runs the
# query of a threshold every 30 seconds, and one in PromQL at the interval that our policies say.
CONDITION, MILLION_SERIES = 0.10, 0.35
QUERY_SECONDS, PROMQL_SECONDS = 30, 60
SECRET = 0.06  # a version of a secret a month: cloud.google.com/secret-manager/pricing
CostPart = tuple[float | None, str]  # USD a month and the purpose; None if the price is not known here


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """USD a month, its parts as sentences, and the parts without a known price."""

    usd: float
    parts: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def monthly_cost(spec: Forecast, series: int | None = None) -> MonthlyCost:
    """Return the rough cost of one resolved spec. `series`: how many its data has, None if no data was checked yet."""
    parts = [
        (price, purpose)
        for list_parts in (_endpoint_parts, _job_parts, _machine_parts, _monitoring_parts)
        for price, purpose in list_parts(spec)
    ]
    parts += _watched_parts(spec, series)
    priced_parts = [(price, purpose) for price, purpose in parts if price is not None]
    return MonthlyCost(
        sum(price for price, _ in priced_parts), tuple(f"{price:.2f} USD: {purpose}" for price, purpose in priced_parts),
        tuple(purpose for price, purpose in parts if price is None),
    )  # fmt: skip


def _endpoint_parts(spec: Forecast) -> Iterator[CostPart]:
    if spec.deployment.serve == "batch":
        return
    machine = spec.deployment.machine
    hourly, count = hourly_price(machine.type), machine.min_replicas
    if hourly is None:
        yield None, f"the endpoint's {machine.type}"
    else:
        yield hourly * count * HOURS, f"{count} x {machine.type} all month for the endpoint"


def _job_parts(spec: Forecast) -> Iterator[CostPart]:
    runs = sum(runs_per_month(cron) for cron in (spec.schedule.forecast, spec.schedule.retrain) if cron)
    if runs:
        yield runs * RUN_MINUTES * 60 * JOB_SECOND, f"{runs:.0f} runs of {RUN_MINUTES:.0f} minutes on 4 vCPU, 16 GiB"


def _machine_parts(spec: Forecast) -> Iterator[CostPart]:
    """Yield the cost of work on separate machines, beside the job that starts them."""
    for machine, cron, task in (
        (spec.training.machine, spec.schedule.retrain, "training"),
        (spec.deployment.batch_machine, spec.schedule.forecast, "the batch forecast"),
    ):
        if not machine or not cron:
            continue
        hourly, runs = hourly_price(machine), runs_per_month(cron)
        if hourly is None:
            yield None, f"{task}'s {machine}"
        else:
            purpose = f"{runs:.0f} x {RUN_MINUTES:.0f} minutes of {machine} for {task}"
            yield hourly * runs * RUN_MINUTES / 60, purpose


def _monitoring_parts(spec: Forecast) -> Iterator[CostPart]:
    conditions = sum(map(_condition_count, spec.alerts))
    if conditions:
        yield conditions * CONDITION, f"{conditions} condition{'s' if conditions > 1 else ''} of alerts"
    secrets = len({receiver.secret_name for receiver in spec.notify} - {None})
    if secrets:
        yield secrets * SECRET, f"{secrets} secret{'s' if secrets > 1 else ''}"


def _condition_count(alert: Alert) -> int:
    return 2 if alert.outside and not alert.for_ else 1


def _watched_parts(spec: Forecast, series: int | None) -> Iterator[CostPart]:
    """Yield the cost of the time series that the alerts' conditions return: one, or with `by` one for each segment.

    There are at most as many segments as series.
    """
    single, many = 0.0, 0
    for alert in spec.alerts:
        online = spec.deployment.serve != "batch" and alert.metric in metric_names("serving")
        price = _condition_count(alert) * series_price(PROMQL_SECONDS if online else QUERY_SECONDS)
        if not alert.by:
            single += price
        elif series is None:
            yield None, f"{price:.2f} USD for each {' and '.join(alert.by)} that the alert '{alert.name}' watches"
        else:
            yield price * series, f"at most {series} time series that the alert '{alert.name}' watches"
        many += not alert.by
    if many:
        yield single, f"the time series of {many} alert{'s' if many > 1 else ''} without `by`"


def series_price(seconds: int) -> float:
    """Return USD a month for one time series of a condition whose query runs every so many seconds."""
    return HOURS * 3600 / seconds * MILLION_SERIES / 1_000_000


def hourly_price(machine: str) -> float | None:
    """Return USD an hour for one machine of a type; None if the type is not in the table."""
    match = _MACHINE.fullmatch(machine)
    if not match or match[1] not in MACHINES:
        return None
    cpu, memory = MACHINES[match[1]]
    count = int(match[3])
    return count * (cpu + memory * _MEMORY[match[2]])


def cost_sentences(name: str, spec: Forecast, series: int | None = None) -> tuple[str, ...]:
    """Return the sentences of `plan` on cost: the sum with its parts, what is left out, and the budget if it is exceeded."""
    cost = monthly_cost(spec, series)
    breakdown = "; ".join(cost.parts) or "nothing that is billed by the month"
    verb = "is" if len(cost.unknown) == 1 else "are"
    unpriced = f", and {' and '.join(cost.unknown)}, which {verb} not known here" if cost.unknown else ""
    basis = f"list prices of us-central1 as of {AS_OF}, without storage and traffic"
    lines = [f"{name}: roughly {cost.usd:.0f} USD a month{unpriced} ({breakdown}; {basis})"]
    budget = spec.budget.monthly
    if budget and budget.endswith(" USD") and cost.usd > float(budget.split(" ", maxsplit=1)[0]):
        lines.append(f"{name}: that is above its budget of {budget} a month")
    return tuple(lines)
