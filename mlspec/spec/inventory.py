"""The `inventory` part of a forecast's spec: the service that stock has to give, and on which terms it is ordered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, Tag

from mlspec.spec.fields import Column
from mlspec.spec.part import Part, number_or

Policy = Literal["(R,S)", "(s,S)"]
Service = Literal["cycle", "fill-rate"]
TERMS = ("lead_time", "review_period", "pack_size", "minimum_order")  # keys that may have a value for each series
LEAD_TIME_SD = "lead_time_sd"
# A need below this share of a unit, a pack, a minimum order or a stock level is a rounding error: nothing is ordered for it.
ROUNDING = 1e-9


class ValueBySeries(Part):
    """A value for each series, from a column of the history, or of a table of the project."""

    column: Column | None = Field(
        default=None, examples=["pack"],
        description="The column, named as the key if left out. Of the history, the newest value of each series counts.",
    )  # fmt: skip
    uri: str | None = Field(
        default=None, min_length=1, max_length=1024, examples=["data/terms.csv"],
        description="A file of the project, with the series columns and one row for each series; the history, if left out. It is "
        "written as dataset.source is.",
    )  # fmt: skip


class LeadTime(ValueBySeries):
    """A lead time that varies, from order to order or from series to series."""

    mean: float | None = Field(
        default=None, ge=0, le=1000,
        description="Mean number of periods from an order to its delivery, of every series.",
    )  # fmt: skip
    sd: float | None = Field(
        default=None, ge=0, le=1000,
        description="Standard deviation of the lead time from order to order, in periods, of every series; 0, if left out.",
    )  # fmt: skip
    sd_column: Column | None = Field(
        default=None, examples=["lead_time_sd"],
        description="The column of that standard deviation for each series, where the mean is in a column too.",
    )  # fmt: skip


class TermColumn(NamedTuple):
    """One term of orders that is read by series: its `name`, the column, the file (None is the history), the key that says so."""

    name: str
    column: str
    uri: str | None
    path: tuple[str, ...]


_Amount = Annotated[
    Annotated[float, Field(gt=0), Tag("number")] | Annotated[ValueBySeries, Tag("mapping")], number_or("mapping")
]


class Inventory(Part):
    """Stock levels from the forecast: periodic review with an order-up-to level (Silver, Pyke & Thomas 2017, ch. 6)."""

    service_level: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        description="The service that stock has to give, as `service` says: a probability, or a share of demand."
    )
    service: Service = Field(
        default="cycle", examples=["fill-rate"],
        description="What service_level means: cycle (the probability of no stock-out in a replenishment cycle) or fill-rate (the "
        "share of demand that is met from stock at once).",
    )  # fmt: skip
    policy: Policy = Field(
        default="(R,S)", examples=["(s,S)"],
        description="(R,S): each review orders up to S. (s,S): a review orders up to S only where the stock position is at s or "
        "below; S is s and the larger of minimum_order, pack_size and the demand of a review period.",
    )  # fmt: skip
    lead_time: Annotated[
        Annotated[int, Field(ge=0, le=1000), Tag("number")] | Annotated[LeadTime, Tag("mapping")], number_or("mapping")
    ] = Field(
        description="Periods from an order to its delivery; a mapping, where that varies.",
    )
    review_period: Annotated[
        Annotated[int, Field(ge=1, le=1000), Tag("number")] | Annotated[ValueBySeries, Tag("mapping")],
        number_or("mapping"),
    ] = Field(default=1, description="Periods between two reviews of the stock.")
    pack_size: _Amount | None = Field(
        default=None, examples=[12, {"column": "pack"}],
        description="Units of demand in a pack: orders are rounded up to whole packs. Any quantity, if left out.",
    )  # fmt: skip
    minimum_order: _Amount | None = Field(
        default=None, examples=[48], description="Fewest units of demand in an order. Any, if left out."
    )

    @property
    def term_columns(self) -> tuple[TermColumn, ...]:
        """The terms that are read by series."""
        return tuple(column for term in TERMS for column in self._columns_of(term))

    @property
    def term_tables(self) -> tuple[TermColumn, ...]:
        """The tables that terms are read from: the first term of each."""
        return tuple({column.uri: column for column in reversed(self.term_columns) if column.uri is not None}.values())

    def _columns_of(self, term: str) -> Iterator[TermColumn]:
        value = getattr(self, term)
        if not isinstance(value, ValueBySeries) or (isinstance(value, LeadTime) and value.mean is not None):
            return
        named = "uri" if value.column is None else "column"
        yield TermColumn(term, value.column or term, value.uri, ("inventory", term, named))
        if isinstance(value, LeadTime) and value.sd_column is not None:
            yield TermColumn(LEAD_TIME_SD, value.sd_column, value.uri, ("inventory", term, "sd_column"))

    def constant_terms(self) -> dict[str, float]:
        """Return the terms that are the same for every series; 0 for a term that is left out."""
        lead_time = self.lead_time
        words: dict[str, Any] = {term: getattr(self, term) for term in TERMS}
        if isinstance(lead_time, LeadTime):
            words |= {"lead_time": lead_time.mean, LEAD_TIME_SD: lead_time.sd}
        by_series = {column.name for column in self.term_columns}
        return {term: float(words.get(term) or 0.0) for term in (*TERMS, LEAD_TIME_SD) if term not in by_series}
