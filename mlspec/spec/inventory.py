"""The `inventory` part of a forecast's spec: the service that stock has to give, and on which terms it is ordered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from mlspec.spec.part import Part, number_or

Policy = Literal["(R,S)", "(s,S)"]
Service = Literal["cycle", "fill-rate"]


class LeadTime(Part):
    """A lead time that varies from order to order."""

    mean: float = Field(ge=0, le=1000, description="Mean number of periods from an order to its delivery.")
    sd: float = Field(
        default=0.0, ge=0, le=1000, description="Standard deviation of the lead time from order to order, in periods."
    )


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
    review_period: int = Field(default=1, ge=1, le=1000, description="Periods between two reviews of the stock.")
    pack_size: float | None = Field(
        default=None, gt=0, examples=[12],
        description="Units of demand in a pack: orders are rounded up to whole packs. Any quantity, if left out.",
    )  # fmt: skip
    minimum_order: float | None = Field(
        default=None, gt=0, examples=[48], description="Fewest units of demand in an order. Any, if left out."
    )

    @property
    def mean_lead_time(self) -> float:
        """The mean number of periods from an order to its delivery."""
        return self.lead_time.mean if isinstance(self.lead_time, LeadTime) else float(self.lead_time)

    @property
    def lead_time_sd(self) -> float:
        """The standard deviation of the lead time."""
        return self.lead_time.sd if isinstance(self.lead_time, LeadTime) else 0.0
