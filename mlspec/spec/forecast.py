"""The `kind: Forecast` document: every field of one forecast's spec. Its larger parts have modules of their own.

Each field's description, default and examples are written here once; the JSON Schema, `mlspec explain` and the reference page
are made from them. Rules that need more than one field are in `spec.checks`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from mlspec.spec.alerts import Alert
from mlspec.spec.candidates import Candidate
from mlspec.spec.dataset import Dataset
from mlspec.spec.fields import (
    AlertName,
    Cron,
    Duration,
    LabelKey,
    LabelValue,
    MachineType,
    Many,
    Money,
    Name,
    Owner,
    ProjectId,
    Quantile,
    RankMetric,
    RayAddress,
    RisingSeasons,
    ScoreMetric,
    Text,
    Timezone,
)
from mlspec.spec.inventory import Inventory
from mlspec.spec.metrics import MAIN, names_of_packages
from mlspec.spec.part import Part, text_or
from mlspec.spec.receivers import Notify

# --- metadata ---------------------------------------------------------------------------------------------------------


class Metadata(Part):
    """The forecast's name, from which all other names derive, and its owner."""

    name: Name = Field(description="The forecast's name; it becomes part of the names of all resources.")
    owner: Owner | None = Field(default=None, description="The person to contact, as an e-mail address.")
    description: Text = Field(default="", description="One sentence on the forecast.")
    labels: dict[LabelKey, LabelValue] = Field(default={}, description="Labels on every resource (GCP's label rules).")


# --- model ------------------------------------------------------------------------------------------------------------


class Backtest(Part):
    """Rolling-origin evaluation (Tashman 2000): the last `windows` cutoffs, `step` periods apart."""

    windows: int = Field(default=4, ge=1, le=100, description="Number of cutoffs.")
    step: int | None = Field(
        default=None, ge=1, le=10_000, description="Periods between cutoffs; the horizon, if left out."
    )
    metric: RankMetric = Field(
        default=MAIN.name,
        description="The metric that chooses the champion; packages may bring others. With `candidates: auto`, rmsse stands in for "
        "wape where a quarter of the series or more have intermittent demand.",
    )
    level: float | None = Field(
        default=0.05, gt=0, lt=0.5,
        description="Level of the one-sided paired test by which a candidate has to be better than the one that serves (with "
        "`candidates: auto` and nothing that serves, than the median) to become champion. For what serves it holds for all its "
        "rivals together. With null the metric alone decides.",
    )  # fmt: skip


class Rule(Part):
    """One line of the gate; all lines must hold before a version may serve."""

    metric: ScoreMetric = Field(
        description="The metric of the backtest that the rule judges; packages may bring others."
    )
    below: float | None = Field(default=None, description="The metric must be below this value.")
    above: float | None = Field(default=None, description="The metric must be above this value.")
    within: float | None = Field(
        default=None, gt=0, description="Largest distance from the ideal: nominal coverage, or a bias of 0."
    )
    against: Literal["seasonal-naive", "champion"] | None = Field(
        default=None, description="What the metric is compared with, instead of a fixed value."
    )
    improves_by: float | None = Field(default=None, ge=0, lt=1, description="Relative improvement that is required.")
    not_worse_by: float | None = Field(default=None, ge=0, le=10, description="Relative loss that is tolerated.")


DEFAULT_GATE = (
    Rule(metric=MAIN.name, against="seasonal-naive", not_worse_by=0.0),
    Rule(metric=MAIN.name, against="champion", not_worse_by=0.02),
)


class Model(Part):
    """What is forecast, by which candidates, and which rules a version must pass before it may serve."""

    horizon: int = Field(ge=1, le=1000, description="Periods ahead.")
    quantiles: Many[Quantile] = Field(
        default=(0.1, 0.5, 0.9), min_length=1, max_length=99, description="Quantiles of the forecast, rising."
    )
    season: RisingSeasons | None = Field(
        default=None,
        description="Periods in each season of the data, rising: the first is that of models with one season, of the baseline and "
        "of scaled errors. A candidate's own `season` goes before it; the frequency's seasons, if left out.",
        examples=[[7, 365]],
    )
    candidates: Annotated[
        Annotated[Literal["auto"], Tag("text")]
        | Annotated[Many[Candidate], Field(min_length=1, max_length=20), Tag("list")],
        text_or("list"),
    ] = Field(
        default="auto",
        description="The models that the backtest compares; with `auto` mlspec chooses them from the data.",
    )
    backtest: Backtest = Field(default=Backtest(), description="How candidates are compared.")
    gate: Many[Rule] = Field(
        default=DEFAULT_GATE,
        description="Rules that a version must pass before it may serve; with [] every version passes.",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Seed of all random numbers.")

    @property
    def package_metrics(self) -> tuple[str, ...]:
        """The metrics of packages that a backtest measures: those that choose the champion or that the gate judges."""
        return names_of_packages((self.backtest.metric, *(rule.metric for rule in self.gate)))


# --- when, where, what if ---------------------------------------------------------------------------------------------


class Training(Part):
    """Where a model is backtested and trained: on which machine, or by the workers of a cluster."""

    machine: MachineType | None = Field(
        default=None,
        description="Compute Engine machine type: on Google Cloud backtest and train run on it, as a Vertex AI custom job. "
        "If left out, they run in the forecast's Cloud Run job (4 vCPU, 16 GiB). The local target always uses this machine.",
        examples=["n2-highmem-16"],
    )
    engine: Literal["ray"] | None = Field(
        default=None,
        description="The cluster engine; needs mlspec's extra `ray`. If left out, one machine trains.",
    )
    address: RayAddress | None = Field(
        default=None,
        description="Address of the cluster: ray://host:10001, or vertex_ray:// and a persistent resource of Vertex AI. "
        "If left out, a cluster is started on this machine.",
        examples=["ray://ray-head.example.com:10001"],
    )
    workers: int | None = Field(
        default=None, ge=1, le=1000,
        description="Number of workers, with one CPU each. The series are divided among them, so their number changes the trees. "
        "4, if left out.",
    )  # fmt: skip


class Schedule(Part):
    """When forecasts are made and models retrained."""

    forecast: Cron | None = Field(default=None, description="Cron expression of five fields.", examples=["0 6 * * MON"])
    retrain: Cron | None = Field(default=None, description="Cron expression of five fields.", examples=["0 4 1 * *"])
    timezone: Timezone = Field(default="UTC", description="IANA time zone of the expressions.")
    deadline: Duration | None = Field(
        default=None,
        description="Time within which a run of the DAG has to be done, counted from when Airflow queued it. Airflow 3.3 or "
        "newer tells when a run has missed it. If left out, nobody is told before a task or the run fails.",
        examples=["4h"],
    )


class Rollout(Part):
    """How a new version takes over."""

    strategy: Literal["canary", "blue-green", "all-at-once"] = Field(
        default="all-at-once",
        description="canary moves traffic by steps, blue-green waits once and then moves all, all-at-once does not wait.",
    )
    steps: Many[Annotated[int, Field(ge=1, le=100)]] = Field(
        default=(), description="Percent of series (batch) or traffic (online) at each step; rising, ends at 100."
    )
    interval: Duration = Field(default="1h", validate_default=True, description="Time between steps.")


class Machine(Part):
    """The machine of an online endpoint."""

    type: MachineType = Field(default="n2-standard-2", description="Compute Engine machine type.")
    min_replicas: int = Field(default=1, ge=1, le=100, description="Fewest replicas.")
    max_replicas: int = Field(default=1, ge=1, le=100, description="Most replicas.")


class EndpointSettings(Part):
    """Who reaches an online endpoint on Google Cloud."""

    access: Literal["public", "private"] = Field(
        default="public",
        description="public: a dedicated public endpoint, which lets in callers with the permission "
        "aiplatform.endpoints.predict. private: an endpoint by Private Service Connect, which is reached from the networks of "
        "allowed projects alone; each new forecast is a new deployment there, and it has no error_rate and no latency.",
    )
    allowed_projects: Many[ProjectId] = Field(
        default=(),
        description="Google Cloud projects, beside the endpoint's own, from whose networks a private endpoint is reached. "
        "Google cannot change them: with others the endpoint is made anew.",
        examples=[["acme-web"]],
    )


class Deployment(Part):
    """How a version serves, and how it is rolled out."""

    serve: Literal["batch", "online", "both"] = Field(
        default="batch", description="batch: forecasts in files on a schedule; online: an endpoint; both: both."
    )
    rollout: Rollout = Field(default=Rollout(), description="How a new version takes over.")
    machine: Machine = Field(default=Machine(), description="The machine of an online endpoint.")
    batch_machine: MachineType | None = Field(
        default=None,
        description="Compute Engine machine type: on Google Cloud the batch forecast is made on it, by a Vertex AI batch "
        "prediction job. If left out, the forecast's Cloud Run job makes it (4 vCPU, 16 GiB). The local target uses this machine.",
        examples=["n2-highmem-32"],
    )
    endpoint: EndpointSettings = Field(
        default=EndpointSettings(), description="Who reaches an online endpoint on Google Cloud."
    )

    @property
    def is_private(self) -> bool:
        """Whether its endpoint is private: then its containers can read nothing, and bring the data along."""
        return self.serve != "batch" and self.endpoint.access == "private"


class Rollback(Part):
    """When the loop replaces the version that serves by an earlier one."""

    on: Many[AlertName] = Field(default=(), description="Names of alerts that start a rollback.")
    to: Literal["last-good", "previous", "fallback"] = Field(
        default="last-good", description="Which version replaces it."
    )
    fallback: Literal["seasonal-naive"] = Field(
        default="seasonal-naive", description="The model that serves if no good version is left."
    )
    cooldown: Duration = Field(default="24h", validate_default=True, description="Least time between two rollbacks.")
    max_attempts: int = Field(
        default=2, ge=1, le=10, description="Rollbacks after which mlspec holds the release and asks for a person."
    )


ReconcileMode = Literal["enforce", "observe", "pause"]


class Reconcile(Part):
    """Which changes the loop may make by itself."""

    mode: ReconcileMode = Field(
        default="enforce", description="enforce makes changes, observe only reports them, pause does nothing."
    )
    resources: dict[Literal["data", "model", "deployment", "forecast", "infra", "dag"], ReconcileMode] = Field(
        default={}, description="The mode of single kinds of resource, if it differs."
    )


class Budget(Part):
    """Limits on what the loop starts by itself."""

    trainings_per_week: int | None = Field(default=None, ge=0, le=1000, description="Most trainings in seven days.")
    monthly: Money | None = Field(
        default=None,
        description="Most money a month: an amount and an ISO 4217 currency.", examples=["400 USD"],
    )  # fmt: skip


MAX_TARGETS = 50


class Forecast(Part):
    """One forecast: its data, model, schedule, alert thresholds, rollback policy, and stock levels."""

    apiVersion: Literal["mlspec/v1"] = Field(description="Version of the spec language.")  # noqa: N815
    kind: Literal["Forecast"] = Field(description="Kind of this document.")
    metadata: Metadata = Field(description="The forecast's name and owner.")
    dataset: Dataset = Field(description="The history and its contract.")
    model: Model = Field(description="What is forecast, and by which models.")
    training: Training = Field(default=Training(), description="Where a model is backtested and trained.")
    schedule: Schedule = Field(default=Schedule(), description="When forecasts are made and models retrained.")
    deployment: Deployment = Field(default=Deployment(), description="How a version serves, and how it is rolled out.")
    alerts: Annotated[Many[Alert], Field(max_length=50)] = Field(default=(), description="Alert thresholds.")
    notify: Annotated[Many[Notify], Field(max_length=16)] = Field(default=(), description="Where notices are sent.")
    rollback: Rollback = Field(
        default=Rollback(), description="When the loop replaces the version that serves by an earlier one."
    )
    reconcile: Reconcile = Field(default=Reconcile(), description="Which changes the loop may make by itself.")
    budget: Budget = Field(default=Budget(), description="Limits on what the loop starts by itself.")
    inventory: Inventory | None = Field(default=None, description="Stock levels from the forecast.")
    targets: dict[Name, dict[str, Any]] = Field(
        default={}, max_length=MAX_TARGETS,
        description="Differences in one target: any part of this document, merged over the rest.",
    )  # fmt: skip

    @property
    def package_metrics(self) -> tuple[str, ...]:
        """The metrics of packages that realised forecasts are measured by: those of the model and of the alerts."""
        return names_of_packages((*self.model.package_metrics, *(alert.metric for alert in self.alerts)))
