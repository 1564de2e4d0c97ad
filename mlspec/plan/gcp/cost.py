"""Estimates what a forecast costs a month on Google Cloud: list prices times the quantities in the spec.

It is a rough figure with its assumptions, not a quote. Prices are list prices of us-central1 in USD
(cloud.google.com/vertex-ai/pricing, /run/pricing, /stackdriver/pricing, /secret-manager/pricing), as of 2025; other regions
differ by up to a half.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mlspec.plan.schedule import runs_per_month
from mlspec.spec.forecast import Forecast

HOURS = 730.0  # hours of a month, as Google bills
# Family of machines: USD an hour for one vCPU, and for one GiB, as a Vertex AI endpoint is billed.
MACHINES = {"e2": (0.0251, 0.0034), "n1": (0.0364, 0.0049), "n2": (0.0364, 0.0049), "c2": (0.0391, 0.0052)}
# Kind of machine: GiB for one vCPU.
_MEMORY = {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0}
_MACHINE = re.compile(r"([a-z][0-9]+)-(standard|highmem|highcpu)-([0-9]+)")
# The job of the pipeline's steps: 4 vCPU at 0.000018 and 16 GiB at 0.000002 USD a second.
JOB_SECOND = 4 * 0.000018 + 16 * 0.000002
RUN_MINUTES = 30.0  # our own guess: the time of a run, and of its work on a separate machine
CONDITION = 0.10  # an alert's condition a month
SECRET = 0.06  # a version of a secret a month
CostPart = tuple[float | None, str]  # USD a month and the purpose; None if the price is not known here


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """USD a month, its parts as sentences, and the parts without a known price."""

    usd: float
    parts: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def monthly_cost(spec: Forecast) -> MonthlyCost:
    """Return the rough cost of one resolved spec."""
    parts = [
        (price, purpose)
        for list_parts in (_endpoint_parts, _job_parts, _machine_parts, _monitoring_parts)
        for price, purpose in list_parts(spec)
    ]
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
    conditions = sum(2 if alert.outside and not alert.for_ else 1 for alert in spec.alerts)
    if conditions:
        yield conditions * CONDITION, f"{conditions} conditions of alerts"
    secrets = sum(bool(receiver.webhook) for receiver in spec.notify)
    if secrets:
        yield secrets * SECRET, f"{secrets} secret{'s' if secrets > 1 else ''}"


def hourly_price(machine: str) -> float | None:
    """Return USD an hour for one machine of a type; None if the type is not in the table."""
    match = _MACHINE.fullmatch(machine)
    if not match or match[1] not in MACHINES:
        return None
    cpu, memory = MACHINES[match[1]]
    count = int(match[3])
    return count * (cpu + memory * _MEMORY[match[2]])


def cost_sentences(name: str, spec: Forecast) -> tuple[str, ...]:
    """Return the sentences of `plan` on cost: the sum with its parts, what is left out, and the budget if it is exceeded."""
    cost = monthly_cost(spec)
    breakdown = "; ".join(cost.parts) or "nothing that is billed by the month"
    unpriced = f", and {' and '.join(cost.unknown)}, whose price is not known here" if cost.unknown else ""
    lines = [
        f"{name}: roughly {cost.usd:.0f} USD a month{unpriced} ({breakdown}; list prices, without storage and traffic)"
    ]
    budget = spec.budget.monthly
    if budget and budget.endswith(" USD") and cost.usd > float(budget.split(" ", maxsplit=1)[0]):
        lines.append(f"{name}: that is above its budget of {budget} a month")
    return tuple(lines)
