"""What a forecast costs a month, roughly: each part by a price that is written down, and what has none is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlspec.plan.gcp.cost import (
    AS_OF,
    CONDITION,
    HOURS,
    JOB_CPU,
    JOB_MEMORY,
    JOB_SECOND,
    MACHINES,
    MILLION_SERIES,
    QUERY_SECONDS,
    SECRET,
    cost_sentences,
    hourly_price,
    monthly_cost,
    series_price,
)  # fmt: skip
from mlspec.plan.gcp.endpoint import endpoint_sentences
from mlspec.spec.forecast import Forecast
from tests.examples import forecast_spec

DAILY = {"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"}
MONTHLY = {"forecast": None, "retrain": "0 4 1 * *", "timezone": "UTC"}


def test_nothing_that_is_billed_by_the_month_costs_nothing() -> None:
    assert monthly_cost(forecast_spec()).usd == 0
    (said,) = cost_sentences("demand", forecast_spec())
    assert "nothing that is billed by the month" in said


def test_a_plan_says_what_a_private_endpoint_cannot_do_and_leaves_to_its_callers() -> None:
    private = {"serve": "online", "endpoint": {"access": "private", "allowed_projects": ["acme-web"]}}
    anew, copies, rule = endpoint_sentences("demand", forecast_spec(deployment=private))
    assert "each new forecast is deployed anew" in anew
    assert "does not count its requests" in anew
    assert "each new forecast keeps a copy of the data" in copies
    assert (
        "a forwarding rule to the endpoint's service attachment, in a network of its own project and of acme-web"
        in rule
    )
    assert list(endpoint_sentences("demand", forecast_spec(deployment={"serve": "online"}))) == []
    assert list(endpoint_sentences("demand", forecast_spec(deployment={"endpoint": {"access": "private"}}))) == []


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
    assert "and training's a2-highgpu-1g, which is not known here" in said
    assert f"list prices of us-central1 as of {AS_OF}" in said
    alert = {"name": "accuracy", "metric": "wape", "above": 0.2, "by": ["shop"]}
    several = forecast_spec(schedule=MONTHLY, training={"machine": "a2-highgpu-1g"}, alerts=[alert])
    assert "that the alert 'accuracy' watches, which are not known here" in cost_sentences("demand", several)[0]


def test_each_condition_and_each_secret_has_its_price() -> None:
    alerts = [
        {"name": "accuracy", "metric": "wape", "above": 0.2},
        {"name": "bias", "metric": "bias", "outside": [-1.0, 1.0]},
    ]
    spec = forecast_spec(alerts=alerts, notify=[{"webhook": {"secret": "a"}}])
    assert monthly_cost(spec).usd == pytest.approx(3 * CONDITION + 3 * series_price(QUERY_SECONDS) + SECRET)


def test_a_condition_costs_more_the_more_time_series_it_returns() -> None:
    """Google counts what each query returns, every half minute: a thousand stores are dearer than their condition."""
    assert series_price(QUERY_SECONDS) == pytest.approx(0.0307, rel=0.01)
    spec = forecast_spec(alerts=[{"name": "accuracy", "metric": "wape", "above": 0.2, "by": ["shop"]}])
    found = monthly_cost(spec, 1000)
    assert found.usd == pytest.approx(CONDITION + 1000 * series_price(QUERY_SECONDS))
    assert found.parts[-1].endswith("at most 1000 time series that the alert 'accuracy' watches")
    (said,) = cost_sentences("demand", spec)  # no data was checked yet
    assert ", and 0.03 USD for each shop that the alert 'accuracy' watches, which is not known here" in said


def test_each_price_stands_in_the_page_with_its_source() -> None:
    page = (
        (Path(__file__).parents[2] / "docs" / "google-cloud-parts.md")
        .read_text()
        .split("## Prices\n")[1]
        .split("\n## ")[0]
    )
    assert f"as of {AS_OF}" in page
    prices = [
        *(price for pair in MACHINES.values() for price in pair),
        JOB_CPU,
        JOB_MEMORY,
        CONDITION,
        MILLION_SERIES,
        SECRET,
    ]
    assert [price for price in prices if f"{price:f}".rstrip("0") not in page] == []
    assert page.count("cloud.google.com/") == 4


def test_above_its_budget_is_said() -> None:
    def budgeted(monthly: str) -> Forecast:
        deployment = {"serve": "online", "machine": {"type": "n1-standard-4", "min_replicas": 1}}
        return forecast_spec(deployment=deployment, budget={"monthly": monthly})

    said = cost_sentences("demand", budgeted("100 USD"))
    assert said[-1] == "demand: that is above its budget of 100 USD a month"
    assert len(cost_sentences("demand", budgeted("1000 USD"))) == 1
