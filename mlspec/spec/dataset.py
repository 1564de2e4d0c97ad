"""The `dataset` part of a forecast's spec: where rows are, what they mean, and what they have to fulfil."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from mlspec.spec.data_files import EventFile, Future, TableFile
from mlspec.spec.fields import (
    Column,
    Compression,
    Currency,
    DatasetName,
    DateFormat,
    Day,
    DecimalMark,
    Delimiter,
    Duration,
    Encoding,
    EventDays,
    Frequency,
    HeaderRow,
    HolidayPlace,
    Many,
    QuoteMark,
    Share,
    SheetName,
    TableFormat,
    TableLayout,
    ThousandsMark,
    Timezone,
    Weekday,
)
from mlspec.spec.hierarchy import BOTTOM_UP, Hierarchy, Level, Reconciliation, aggregate_levels
from mlspec.spec.part import Part, list_or

# The covariate that counts the public holidays of a period.
HOLIDAYS = "holidays"
EVENTS = "dataset.covariates.events"  # the key of events, for messages


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
    holidays: HolidayPlace | None = Field(
        default=None, examples=["BR", "BR-SP"],
        description="A known covariate `holidays`: how many public holidays of this country, by its ISO 3166 code, or of one of "
        "its regions a period holds. Needs mlspec's extra `holidays`.",
    )  # fmt: skip
    events: dict[
        Column,
        Annotated[
            Annotated[Many[EventDays], Field(min_length=1, max_length=5_000), Tag("list")]
            | Annotated[EventFile, Tag("mapping")],
            list_or("mapping"),
        ],
    ] = Field(
        default={}, max_length=20,
        examples=[{"payday": ["workday 5", "day 20"], "fair": ["2026-02-14"], "school_break": {"uri": "data/school.csv"}}],
        description="Further known covariates: how many of these days a period holds, by name. A date, or the first and the last "
        "of a range, past and future; without a year, those of each year; `day 20` or `workday 5` of each month, where -1 is the "
        "last. Workdays are Monday to Friday without the holidays of `holidays` here, or of the calendar. A mapping names a file "
        "that holds them.",
    )  # fmt: skip

    @property
    def computed(self) -> tuple[str, ...]:
        """The known covariates that no column is read for: named days."""
        return (*((HOLIDAYS,) if self.holidays is not None else ()), *self.events)

    @property
    def event_files(self) -> dict[str, EventFile]:
        """The events whose days are in a file, by name."""
        return {name: days for name, days in self.events.items() if isinstance(days, EventFile)}


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
    week_start: Weekday = Field(
        default="MON", examples=["SUN"],
        description="The day on which a week begins, for sums by week (dataset.hierarchy).",
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
    available: Column | None = Field(
        default=None, examples=["in_stock"],
        description="A column that says whether a series was for sale in a period: 1 or 0, yes or no, or a share of it. "
        "Below half, its demand is unknown, not low: the period is filled and never scored. Over the horizon all are for sale.",
    )  # fmt: skip
    outliers: Literal["keep", "replace"] = Field(
        default="keep", examples=["replace"],
        description="What becomes of a value that lies far outside of what its series usually has: keep (models learn from it) or "
        "replace (it is filled as a gap is, and never scored). Either way it is named.",
    )  # fmt: skip
    ended_after: Duration | None = Field(
        default=None, examples=["90d"],
        description="A series without a value for so long has ended. If left out: for longer than the horizon where `missing` is "
        "unknown, and never where it is zero.",
    )  # fmt: skip
    ended_when: Literal["no-value", "no-demand"] = Field(
        default="no-value", examples=["no-demand"],
        description="What a series lacks when it has ended: no-value (a value, in any row) or no-demand (a value other than 0: "
        "nothing is sold, though its rows go on). With no-demand, ended_after says for how long.",
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
    hierarchy: (
        Annotated[
            Annotated[Many[Column], Field(max_length=10), Tag("list")] | Annotated[Hierarchy, Tag("mapping")],
            list_or("mapping"),
        ]
        | None
    ) = Field(
        default=None, examples=[["region", "store"], {"levels": ["region", "store"], "reconcile": "mint-shrink"}],
        description="Columns whose sums are forecast too, the widest first, or a mapping; of days also sums by week. Without it, "
        "only the series are forecast.",
    )  # fmt: skip
    checks: Checks = Field(default=Checks(), description="The data contract.")

    @property
    def files_beside(self) -> tuple[tuple[str, TableFile], ...]:
        """What is read beside the source, each file once, with the key that names it first: the plan, and files of events."""
        plan: list[tuple[str, TableFile]] = [] if self.future is None else [("dataset.future", self.future)]
        first: dict[EventFile, str] = {}
        for name, file in self.covariates.event_files.items():
            first.setdefault(file.table, f"{EVENTS}.{name}")
        return (*plan, *((path, table) for table, path in first.items()))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of all that is read, but for a query."""
        source = () if self.source.uri is None else (self.source.uri,)
        return (*source, *(table.uri for _, table in self.files_beside))

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels above the series, the widest first; none without a hierarchy."""
        if self.hierarchy is None:
            return ()
        return aggregate_levels(self.hierarchy_columns, self.series)

    @property
    def segment_columns(self) -> dict[str, str]:
        """The columns by which series are grouped, each with the field that names it."""
        return dict.fromkeys(self.series, "dataset.series") | dict.fromkeys(
            self.covariates.static, "dataset.covariates.static"
        )

    @property
    def hierarchy_columns(self) -> tuple[str, ...]:
        """The columns that name levels, the widest first."""
        return self.hierarchy.levels if isinstance(self.hierarchy, Hierarchy) else self.hierarchy or ()

    @property
    def reconcile(self) -> Reconciliation:
        """How the levels are made to agree."""
        return self.hierarchy.reconcile if isinstance(self.hierarchy, Hierarchy) else BOTTOM_UP

    @property
    def tells_methods(self) -> bool:
        """Whether the forecast has a column `method`: where some rows are made by a rule, and not by a version's model."""
        return self.ended_series == "zero" or self.new_series == "cold-start"
