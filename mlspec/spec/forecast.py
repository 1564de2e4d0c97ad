"""The `kind: Forecast` document: every field of one forecast's spec.

Each field's description, default and examples are written here once; the JSON Schema, `mlspec explain` and the reference page
are made from them. Rules that need more than one field are in `spec.checks`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from mlspec.spec.agreement import Agreement, parse_agreement
from mlspec.spec.candidates import Candidate
from mlspec.spec.fields import (
    AgreementText,
    AlertMetric,
    AlertName,
    Column,
    Compression,
    Cron,
    Currency,
    DatasetName,
    DateFormat,
    Day,
    DecimalMark,
    Delimiter,
    Duration,
    Encoding,
    Frequency,
    HeaderRow,
    HolidayPlace,
    LabelKey,
    LabelValue,
    MachineType,
    MailAddress,
    Many,
    Money,
    Name,
    Owner,
    ProjectId,
    Quantile,
    QuoteMark,
    RankMetric,
    RayAddress,
    ScoreMetric,
    SecretName,
    Severity,
    Share,
    SheetName,
    TableFormat,
    TableLayout,
    Text,
    ThousandsMark,
    Timezone,
    TopicName,
    Weekday,
)  # fmt: skip
from mlspec.spec.metrics import MAIN, METRICS, SIDES, format_names, metric_names
from mlspec.spec.part import Part, text_or

# --- metadata ---------------------------------------------------------------------------------------------------------


class Metadata(Part):
    """The forecast's name, from which all other names derive, and its owner."""

    name: Name = Field(description="The forecast's name; it becomes part of the names of all resources.")
    owner: Owner | None = Field(default=None, description="The person to contact, as an e-mail address.")
    description: Text = Field(default="", description="One sentence on the forecast.")
    labels: dict[LabelKey, LabelValue] = Field(default={}, description="Labels on every resource (GCP's label rules).")


# --- dataset ----------------------------------------------------------------------------------------------------------


class Source(Part):
    """Where the history is read from: either a `uri` or a `query`."""

    uri: str | None = Field(
        default=None, max_length=1024,
        description="A path relative to the project's root, gs://bucket/object (CSV, Parquet or a workbook, * allowed) or "
        "bq://project.dataset.table.", examples=["data/sales.csv", "gs://acme/sales/*.parquet"],
    )  # fmt: skip
    query: str | None = Field(
        default=None, max_length=65_536, description="A BigQuery SELECT, instead of a uri.",
        examples=["SELECT week, store, units FROM `acme-prod.sales.weekly`"],
    )  # fmt: skip
    datasets: Many[DatasetName] = Field(
        default=(), max_length=20, examples=[["acme-prod.sales"]],
        description="The BigQuery datasets that the query reads, as project.dataset; the forecast's accounts may then read them.",
    )  # fmt: skip
    format: TableFormat | None = Field(
        default=None,
        description="csv, parquet, xlsx, xlsb, xls or ods; by the file's name, if left out.",
        examples=["csv"],
    )
    delimiter: Delimiter = Field(default=",", description="The sign between two fields of a CSV file.", examples=[";"])
    quote: QuoteMark = Field(
        default='"',
        description="The sign around a field of a CSV file that holds the sign between fields.",
        examples=["'"],
    )
    decimal: DecimalMark = Field(default=".", description="The sign before the decimals of a number.", examples=[","])
    thousands: ThousandsMark | None = Field(
        default=None, description="The sign between groups of three digits; none, if left out.", examples=["."]
    )
    currency: Currency | None = Field(
        default=None,
        description="The sign of the currency that stands beside numbers; none, if left out.",
        examples=["R$"],
    )
    encoding: Encoding = Field(default="utf-8", description="The encoding of a CSV file's text.", examples=["cp1252"])
    date_format: DateFormat = Field(
        default="iso", examples=["%d/%m/%Y", "iso-week", "yyyymm"],
        description="How the time column is written: iso (2024-02-01), iso-week (2024-W05), yyyymm (202402), yyyymmdd (20240201), "
        "quarter (2024Q1), excel (45323), epoch (1706745600), epoch-ms, or a strptime format.",
    )  # fmt: skip
    header_row: HeaderRow | None = Field(
        default=None, examples=[4],
        description="The row that holds the columns' names, if other rows stand above it; if left out, the first row.",
    )  # fmt: skip
    layout: TableLayout = Field(
        default="long", examples=["wide"],
        description="long: one row for each series and period. wide: one row for each series, and one column for each period, "
        "named as date_format says; dataset.time and dataset.target are then names for the forecast, of no column in the file.",
    )  # fmt: skip
    sheet: SheetName | None = Field(
        default=None, description="The sheet of a workbook; the first, if left out.", examples=["Plan1"]
    )
    compression: Compression | None = Field(
        default=None, description="How a CSV file is compressed; by the file's name, if left out.", examples=["gzip"]
    )


class Actuals(Part):
    """When the actuals of a period are complete."""

    available_after: Duration = Field(
        default="0d", validate_default=True, description="How long after a period's end its actuals are complete."
    )
    min_coverage: Share = Field(
        default=0.95, description="Share of series that must have actuals before a period is judged."
    )


class Covariates(Part):
    """Columns besides the target that a model may use."""

    known: Many[Column] = Field(default=(), description="Known over the horizon too; read from `dataset.future` there.")
    past: Many[Column] = Field(default=(), description="Known only up to the cutoff.")
    static: Many[Column] = Field(default=(), description="Constant in a series.")


class Future(Part):
    """Where the known covariates over the horizon are read from."""

    uri: str = Field(min_length=1, max_length=1024, description="An address in the form of `dataset.source.uri`.")
    format: TableFormat | None = Field(
        default=None,
        description="csv, parquet, xlsx, xlsb, xls or ods; by the file's name, if left out.",
        examples=["csv"],
    )
    delimiter: Delimiter | None = Field(
        default=None, description="The sign between two fields; the source's, if left out.", examples=[";"]
    )
    quote: QuoteMark | None = Field(
        default=None, description="The sign around a field; the source's, if left out.", examples=["'"]
    )
    decimal: DecimalMark | None = Field(
        default=None, description="The sign before decimals; the source's, if left out.", examples=[","]
    )
    thousands: ThousandsMark | None = Field(
        default=None, examples=["."],
        description="The sign between groups of three digits; as `decimal` is, the source's, if both are left out.",
    )  # fmt: skip
    currency: Currency | None = Field(
        default=None, description="The sign of the currency beside numbers; the source's, if left out.", examples=["R$"]
    )
    encoding: Encoding | None = Field(
        default=None, description="The text's encoding; the source's, if left out.", examples=["cp1252"]
    )
    date_format: DateFormat | None = Field(
        default=None, description="How the time column is written; as in the source, if left out.", examples=["iso"]
    )
    header_row: HeaderRow | None = Field(
        default=None, description="The row that holds the columns' names; the first, if left out.", examples=[4]
    )
    sheet: SheetName | None = Field(
        default=None, description="The sheet of a workbook; the first, if left out.", examples=["Plano"]
    )
    compression: Compression | None = Field(
        default=None, description="How a CSV file is compressed; by the file's name, if left out.", examples=["gzip"]
    )


class Freshness(Part):
    """How old the newest row may be."""

    max_age: Duration = Field(description="Largest age of the newest period, counted from its end.")


class Completeness(Part):
    """How many of the expected periods must be present."""

    min: Share = Field(
        description="Smallest share of periods present, between a series' first row and the newest period of the dataset, or the "
        "last row of a series that has ended."
    )


class Range(Part):
    """The values that a column may take."""

    min: float | None = Field(default=None, description="Smallest value allowed.")
    max: float | None = Field(default=None, description="Largest value allowed.")


class SeriesCount(Part):
    """How many series must be there."""

    min: int | None = Field(default=None, ge=1, description="Fewest series.")
    max_missing: Share | None = Field(default=None, description="Share of series that may lack the newest period.")


class Checks(Part):
    """The data contract, in addition to the built-in checks (types, unique keys, no gaps, frequency)."""

    freshness: Freshness | None = Field(default=None, description="How old the newest row may be.")
    completeness: Completeness | None = Field(
        default=None, description="How many of the expected periods must be present."
    )
    range: dict[Column, Range] = Field(default={}, description="Allowed values, by column.")
    series: SeriesCount | None = Field(default=None, description="How many series must be there.")


class DayCalendar(Part):
    """Which days are open. A closed day is no period: it is neither filled, scored nor forecast."""

    open: Many[Weekday] = Field(
        default=(), max_length=7, examples=[["MON", "TUE", "WED", "THU", "FRI", "SAT"]],
        description="The open weekdays; all days of the frequency, if left out.",
    )  # fmt: skip
    closed: Many[Day] = Field(
        default=(), max_length=5_000, description="Further closed dates, past and future.", examples=[["2026-12-25"]]
    )
    holidays: HolidayPlace | None = Field(
        default=None, examples=["BR", "BR-SP"],
        description="The country whose public holidays are closed, by its ISO 3166 code, or one of its regions. Needs "
        "mlspec's extra `holidays`.",
    )  # fmt: skip


class Dataset(Part):
    """The history that the forecast learns from, and its contract."""

    source: Source = Field(description="Where the history is read from.")
    time: Column = Field(description="The column that holds a period's date (ISO 8601).")
    series: Many[Column] = Field(default=(), description="Columns that name one series; [] for a single series.")
    target: Column = Field(description="The column to forecast.")
    frequency: Frequency = Field(
        description="Length of a period, as a pandas offset alias; checked against the data.",
        examples=["D", "W-FRI", "MS"],
    )
    actuals: Actuals = Field(default=Actuals(), description="When the actuals of a period are complete.")
    covariates: Covariates = Field(default=Covariates(), description="Columns besides the target that a model may use.")
    future: Future | None = Field(default=None, description="Known covariates over the horizon.")
    timezone: Timezone | None = Field(
        default=None, examples=["America/Sao_Paulo"],
        description="The IANA time zone whose days and hours the periods are; UTC, if left out. Times with an offset are moved "
        "to it.",
    )  # fmt: skip
    calendar: DayCalendar | None = Field(
        default=None,
        examples=[{"open": ["MON", "TUE", "WED", "THU", "FRI", "SAT"], "holidays": "BR"}],
        description="Open days, for the frequencies D and B; every day, if left out.",
    )
    aggregate: Literal["sum", "mean", "last"] | None = Field(
        default=None, examples=["sum"],
        description="How several rows of a series and period become one: transactions, or days that are forecast as weeks. If left "
        "out, each series has one row a period. Covariates become the mean of their rows, or the last text.",
    )  # fmt: skip
    missing: Literal["unknown", "zero"] = Field(
        default="unknown", examples=["zero"],
        description="What an absent row says: unknown (the period is filled and never scored) or zero (nothing was sold). A row "
        "whose value is empty is always unknown.",
    )  # fmt: skip
    ended_after: Duration | None = Field(
        default=None, examples=["90d"],
        description="A series without a value for so long has ended. If left out: for longer than the horizon where `missing` is "
        "unknown, and never where it is zero.",
    )  # fmt: skip
    ended_series: Literal["no-forecast", "zero"] = Field(
        default="no-forecast", examples=["zero"],
        description="What a series that has ended gets: no-forecast, or zero (its mean, its quantiles and its stock levels are 0).",
    )  # fmt: skip
    new_series: Literal["model", "cold-start", "no-forecast"] = Field(
        default="model", examples=["cold-start"],
        description="What a series of fewer than 8 periods gets: model (most models repeat its last value), cold-start (its share "
        "of the forecast of the series with the same static columns), or no-forecast.",
    )  # fmt: skip
    checks: Checks = Field(default=Checks(), description="The data contract.")

    @property
    def tells_methods(self) -> bool:
        """Whether the forecast has a column `method`: where some rows are made by a rule, and not by a version's model."""
        return self.ended_series == "zero" or self.new_series == "cold-start"


# --- model ------------------------------------------------------------------------------------------------------------


class Backtest(Part):
    """Rolling-origin evaluation (Tashman 2000): the last `windows` cutoffs, `step` periods apart."""

    windows: int = Field(default=4, ge=1, le=100, description="Number of cutoffs.")
    step: int | None = Field(
        default=None, ge=1, le=10_000, description="Periods between cutoffs; the horizon, if left out."
    )
    metric: RankMetric = Field(
        default=MAIN.name,
        description="The metric that chooses the champion. With `candidates: auto`, rmsse stands in for wape where a quarter of "
        "the series or more have intermittent demand.",
    )
    level: float | None = Field(
        default=0.05, gt=0, lt=0.5,
        description="Level of the one-sided paired test by which a candidate has to be better than the one that serves (with "
        "`candidates: auto` and nothing that serves, than the median) to become champion. With null the metric alone decides.",
    )  # fmt: skip


class Rule(Part):
    """One line of the gate; all lines must hold before a version may serve."""

    metric: ScoreMetric = Field(description="The metric of the backtest that the rule judges.")
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


Threshold = Annotated[
    Annotated[float, Tag("number")] | Annotated[Duration, Tag("text")],
    Discriminator(lambda value: "text" if isinstance(value, str | timedelta) else "number"),
]


_USUAL_ABOVE = {name: metric.usual_above for name, metric in METRICS.items() if metric.usual_above is not None}


def _threshold_words() -> str:
    """Return the meaning of a threshold that is not a plain number, and the metrics that have a usual threshold."""
    words = [
        f"{word} for {format_names(names)}"
        for word, unit in (("a duration", "duration"), ("seconds", "seconds"))
        if (names := tuple(name for name, metric in METRICS.items() if metric.unit == unit))
    ]
    usual = [f"{value:g} for {name}" for name, value in _USUAL_ABOVE.items()]
    return f"{', '.join(words)}. {', '.join(usual)}, if no threshold is named"


USUAL_FALSE_ALARMS = 1.0  # a year, of an alert on drift that names no rate


class Alert(Part):
    """One alert threshold. Without enough data the alert's state is `no-data`, which is neither good nor bad."""

    @model_validator(mode="before")
    @classmethod
    def _fill_threshold(cls, value: Any) -> Any:
        """Fill in the usual threshold of the metric, if none is set."""
        if isinstance(value, dict) and value.get("metric") in _USUAL_ABOVE and not any(side in value for side in SIDES):
            return {**value, "above": _USUAL_ABOVE[value["metric"]]}
        return value

    name: AlertName = Field(description="Name of the alert, for `rollback.on`, `inhibits` and `mlspec silence`.")
    metric: AlertMetric = Field(description="The metric that the alert watches.")
    above: Threshold | None = Field(default=None, description=f"Fires above this value; {_threshold_words()}.")
    below: float | None = Field(default=None, description="Fires below this value.")
    outside: Annotated[Many[float], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="Fires outside this range, [low, high]."
    )
    window: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description=f"Mature periods that the metric is taken over; hours for {format_names(metric_names('serving'))}.",
    )
    for_: AgreementText | None = Field(
        default=None, alias="for",
        description="Fires if `m of n` of the last evaluations are beyond the threshold.", examples=["2 of 3"],
    )  # fmt: skip
    by: Many[Column] = Field(
        default=(), description="Series or static columns; each of their values is judged separately."
    )
    baseline: Literal["same-season", "training"] | None = Field(
        default=None, description="The period that drift is measured against."
    )
    false_alarms_per_year: Annotated[float, Field(gt=0, le=52)] | Literal["any"] | None = Field(
        default=None,
        description=f"A value of {format_names(metric_names('drift'))} beyond the threshold counts only if it is also beyond what "
        "the forecast's own past windows exceed so often a year (once, if left out); with `any` the threshold alone decides.",
    )
    severity: Severity = Field(default="warning", description="Severity of the notices.")
    inhibits: Many[AlertName] = Field(default=(), description="Alerts that send no notices while this one fires.")

    @property
    def agreement(self) -> Agreement:
        """How many evaluations must agree, and of how many: `m of n`; 1 of 1, if `for` is left out."""
        return parse_agreement(self.for_)

    @property
    def tolerated_alarms(self) -> float | None:
        """How often a year its own past may exceed what a value has to exceed; None if the threshold alone decides."""
        if METRICS[self.metric].kind != "drift" or self.false_alarms_per_year == "any":
            return None
        return self.false_alarms_per_year or USUAL_FALSE_ALARMS

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The values below and above which it fires, None for a side that it does not watch; a duration in seconds."""
        if self.outside is not None:
            return self.outside[0], self.outside[1]
        return self.below, self.above.total_seconds() if isinstance(self.above, timedelta) else self.above


class Webhook(Part):
    """A webhook whose URL is a secret."""

    secret: SecretName = Field(description="Name of the secret that holds the URL; never the URL itself.")


class SlackChannel(Part):
    """A channel of Slack, by its incoming webhook."""

    secret: SecretName = Field(description="Name of the secret that holds the incoming webhook's URL.")


class TeamsChannel(Part):
    """A channel or chat of Microsoft Teams, by the webhook of a workflow."""

    secret: SecretName = Field(description="Name of the secret that holds the URL of the workflow's webhook.")


class PagerDutyService(Part):
    """A service of PagerDuty, by its integration for the Events API v2."""

    secret: SecretName = Field(description="Name of the secret that holds the integration key (routing key).")
    region: Literal["us", "eu"] = Field(default="us", description="Where the PagerDuty account is.")


class SmtpServer(Part):
    """A mail server, with account and password."""

    secret: SecretName = Field(
        description="Name of the secret that holds the server's address: `smtp://USER:PASSWORD@HOST:587?from=SENDER` "
        "(STARTTLS), or `smtps://` with TLS from the beginning."
    )


class MailRecipients(Part):
    """People who get notices by e-mail."""

    to: Many[MailAddress] = Field(min_length=1, max_length=20, description="Addresses that get each notice.")
    smtp: SmtpServer = Field(description="The mail server, by the name of its secret.")


class Notify(Part):
    """Where notices are sent: one of `pubsub`, `webhook`, `slack`, `teams`, `pagerduty` and `email`."""

    pubsub: TopicName | None = Field(default=None, description="Name of a Pub/Sub topic.")
    webhook: Webhook | None = Field(default=None, description="A webhook, by the name of its secret.")
    slack: SlackChannel | None = Field(
        default=None, description="A channel of Slack, by the name of its webhook's secret."
    )
    teams: TeamsChannel | None = Field(
        default=None, description="A channel of Microsoft Teams, by the name of its workflow's secret."
    )
    pagerduty: PagerDutyService | None = Field(
        default=None, description="A service of PagerDuty, by the name of its key's secret."
    )
    email: MailRecipients | None = Field(default=None, description="People who get an e-mail.")
    severity: Severity = Field(default="info", description="Lowest severity of the notices that are sent here.")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of receiver that are set; one, unless the spec is wrong."""
        return tuple(kind for kind in RECEIVER_KINDS if getattr(self, kind) is not None)

    @property
    def secret_name(self) -> str | None:
        """The name of the secret that the receiver needs; None for a topic."""
        if self.email is not None:
            return self.email.smtp.secret
        receiver = self.webhook or self.slack or self.teams or self.pagerduty
        return receiver.secret if receiver else None


RECEIVER_KINDS = ("pubsub", "webhook", "slack", "teams", "pagerduty", "email")


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


class Inventory(Part):
    """Stock levels from the forecast: periodic review with an order-up-to level (Silver, Pyke & Thomas 2017, ch. 7)."""

    service_level: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        description="Probability of no stock-out in a replenishment cycle."
    )
    lead_time: int = Field(ge=0, le=1000, description="Periods from an order to its delivery.")
    review_period: int = Field(default=1, ge=1, le=1000, description="Periods between two reviews of the stock.")


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
