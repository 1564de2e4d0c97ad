"""What a forecast costs a month, roughly: each part by a price that is written down, and what has none is named."""

from __future__ import annotations

from typing import Any

import pytest

from mlspec.plan.gcp.cost import CONDITION, HOURS, JOB_SECOND, SECRET, cost_sentences, hourly_price, monthly_cost
from mlspec.spec.forecast import Forecast
from tests.examples import forecast_spec

DAILY = {"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"}
MONTHLY = {"forecast": None, "retrain": "0 4 1 * *", "timezone": "UTC"}


def test_nothing_that_is_billed_by_the_month_costs_nothing() -> None:
    assert monthly_cost(forecast_spec()).usd == 0
    (said,) = cost_sentences("demand", forecast_spec())
    assert "nothing that is billed by the month" in said


def test_an_endpoint_is_its_fewest_machines_all_month() -> None:
    found = monthly_cost(
        forecast_spec(deployment={"serve": "both", "machine": {"type": "n1-standard-4", "min_replicas": 2}})
    )
    assert found.usd == pytest.approx(2 * HOURS * 4 * (0.0364 + 4 * 0.0049))


def test_a_run_a_day_is_half_an_hour_of_its_job() -> None:
    found = monthly_cost(forecast_spec(schedule=DAILY))
    assert found.usd == pytest.approx(30.4 * 1800 * JOB_SECOND, rel=0.02)


@pytest.mark.parametrize(("parts", "runs", "what"), [
    ({"schedule": DAILY, "deployment": {"batch_machine": "n2-highmem-16"}}, 30.4, "n2-highmem-16 for the batch forecast"),
    ({"schedule": MONTHLY, "training": {"machine": "n2-highmem-16"}}, 1, "n2-highmem-16 for training"),
], ids=["forecast", "retrain"])  # fmt: skip
def test_a_machine_of_its_own_is_paid_for_beside_the_job(parts: dict[str, Any], runs: float, what: str) -> None:
    hourly = hourly_price("n2-highmem-16")
    assert hourly
    job, found = monthly_cost(forecast_spec(schedule=parts["schedule"])), monthly_cost(forecast_spec(**parts))
    assert found.usd - job.usd == pytest.approx(runs * hourly / 2, rel=0.02)
    assert found.parts[-1].endswith(what)


def test_a_machine_that_never_runs_by_itself_and_one_without_a_price_are_not_counted() -> None:
    assert monthly_cost(forecast_spec(training={"machine": "n2-highmem-16"})).usd == 0
    found = monthly_cost(forecast_spec(schedule=MONTHLY, training={"machine": "a2-highgpu-1g"}))
    assert found.unknown == ("training's a2-highgpu-1g",)
    (said,) = cost_sentences("demand", forecast_spec(schedule=MONTHLY, training={"machine": "a2-highgpu-1g"}))
    assert "and training's a2-highgpu-1g, whose price is not known here" in said


def test_each_condition_and_each_secret_has_its_price() -> None:
    alerts = [
        {"name": "accuracy", "metric": "wape", "above": 0.2},
        {"name": "bias", "metric": "bias", "outside": [-1.0, 1.0]},
    ]
    spec = forecast_spec(alerts=alerts, notify=[{"webhook": {"secret": "a"}}])
    assert monthly_cost(spec).usd == pytest.approx(3 * CONDITION + SECRET)


def test_above_its_budget_is_said() -> None:
    def budgeted(monthly: str) -> Forecast:
        deployment = {"serve": "online", "machine": {"type": "n1-standard-4", "min_replicas": 1}}
        return forecast_spec(deployment=deployment, budget={"monthly": monthly})

    said = cost_sentences("demand", budgeted("100 USD"))
    assert said[-1] == "demand: that is above its budget of 100 USD a month"
    assert len(cost_sentences("demand", budgeted("1000 USD"))) == 1
