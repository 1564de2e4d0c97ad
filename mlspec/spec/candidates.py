"""The kinds of candidates that `model.candidates` may list: one class for each kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from mlspec.spec.fields import ClassPath, Duration, Lag, Many, ModelParam, Name, ParamName, Season
from mlspec.spec.part import Part, text_or

# With a longer season, a state for each of its periods is too many to estimate well (benchmarks/README.md).
LONGEST_STATE = 12
# Rows for each leaf of all trees from which more rows change no forecast to speak of (docs/scale.md, "A sample of the series").
ROWS_PER_LEAF = 5_000
# Fewest series of a sample that memory does not limit: few long series may each be of their own kind.
FEWEST_SERIES = 1_000
Combine = Literal["mean", "median"]
_COVARIATES = Field(
    default=True,
    description="Whether the effects of known covariates, such as promotions, are taken out of each series first, and put back for "
    "the horizon afterwards.",
)


class _Candidate(Part):
    name: Name | None = Field(
        default=None, description="Name in tables and in `of`; the kind, if left out.", examples=["smooth"]
    )

    @property
    def label(self) -> str:
        """The name of this candidate in tables."""
        return self.name or self.kind  # type: ignore[attr-defined]


class SeasonalNaive(_Candidate):
    """The value one season ago. It is the baseline for every other candidate."""

    kind: Literal["seasonal-naive"] = Field(description="Which kind of candidate this is.")
    season: Season | None = Field(default=None, description="Periods in a season; the frequency's own, if left out.")


class AutoEts(_Candidate):
    """Exponential smoothing, its form chosen per series by AICc (Hyndman & Khandakar 2008)."""

    kind: Literal["auto-ets"] = Field(description="Which kind of candidate this is.")
    season: Season | None = Field(default=None, description="Periods in a season; the frequency's own, if left out.")
    covariates: bool = _COVARIATES


class AutoCes(_Candidate):
    """Complex exponential smoothing, its form chosen per series by AICc (Svetunkov, Kourentzes & Ord 2022)."""

    kind: Literal["auto-ces"] = Field(description="Which kind of candidate this is.")
    season: Season | None = Field(default=None, description="Periods in a season; the frequency's own, if left out.")
    covariates: bool = _COVARIATES


class AutoArima(_Candidate):
    """ARIMA, its orders chosen per series by AICc (Hyndman & Khandakar 2008). Slow on many series."""

    kind: Literal["auto-arima"] = Field(description="Which kind of candidate this is.")
    season: Season | None = Field(default=None, description="Periods in a season; the frequency's own, if left out.")
    covariates: bool = _COVARIATES


class Mstl(_Candidate):
    """Seasonal adjustment for one season or several, and exponential smoothing of the rest (Bandara, Hyndman & Bergmeir 2021)."""

    kind: Literal["mstl"] = Field(description="Which kind of candidate this is.")
    season: Many[Season] | None = Field(
        default=None, description="Periods in each season; those of the frequency, such as a day and a week of hours, if left out.",
        examples=[[24, 168]],
    )  # fmt: skip
    covariates: bool = _COVARIATES


class Regression(_Candidate):
    """Known covariates and Fourier terms of the seasons, and exponential smoothing of what they leave."""

    kind: Literal["regression"] = Field(description="Which kind of candidate this is.")
    season: Many[Season] | None = Field(
        default=None, description="Periods in each season; those of the frequency, if left out."
    )
    fourier: int | None = Field(
        default=None,
        ge=1,
        le=10,
        description="Pairs of sine and cosine for each season; chosen per series by AICc, if left out.",
    )


class Theta(_Candidate):
    """Dynamic optimised theta (Fiorucci et al. 2016): strong on short series with a trend."""

    kind: Literal["theta"] = Field(description="Which kind of candidate this is.")
    season: Season | None = Field(default=None, description="Periods in a season; the frequency's own, if left out.")
    covariates: bool = _COVARIATES


class Croston(_Candidate):
    """For intermittent demand: sizes and intervals are smoothed separately (Croston 1972)."""

    kind: Literal["croston"] = Field(description="Which kind of candidate this is.")
    variant: Literal["classic", "optimized", "sba", "tsb"] = Field(
        default="sba", description="sba is Syntetos & Boylan's correction (2005); tsb decays when demand stops."
    )


class GradientBoosting(_Candidate):
    """One boosted-trees model over all series, on lags, rolling means, calendar and covariates."""

    kind: Literal["gradient-boosting"] = Field(description="Which kind of candidate this is.")
    library: Literal["scikit-learn", "lightgbm"] = Field(
        default="scikit-learn", description="lightgbm needs mlspec's extra `lightgbm`."
    )
    lags: Many[Lag] | None = Field(
        default=None, description="Lags used as features; chosen from the season, if left out."
    )
    season: Season | None = Field(default=None, description="Periods in a season; the frequency's own, if left out.")
    iterations: int = Field(default=200, ge=1, le=10_000, description="Boosting rounds.")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="Shrinkage of each round.")
    max_leaves: int = Field(default=15, ge=2, le=1024, description="Leaves in one tree.")
    learn_from: Literal["enough", "all"] = Field(
        default="enough",
        description="`enough`: of a large panel a sample of its series, with 5,000 rows for each leaf of all trees and at least "
        "1,000 series; `all`: the rows of as many series as memory holds.",
    )

    @property
    def leaves(self) -> int:
        """The most leaves that all trees have together."""
        return self.iterations * self.max_leaves

    @property
    def enough_rows(self) -> int | None:
        """From how many rows on a sample is enough to learn from; None if all are wanted."""
        return None if self.learn_from == "all" else ROWS_PER_LEAF * self.leaves


class Custom(_Candidate):
    """A model of your own: a class in a file of the project, or of a package (docs/own-model.md)."""

    kind: Literal["custom"] = Field(description="Which kind of candidate this is.")
    class_: ClassPath = Field(
        alias="class", examples=["models.promo:PromoModel"],
        description="module:Class of a file of the project (models/promo.py), or the name of an entry point of the group "
        "`mlspec.candidates` of an installed package.",
    )  # fmt: skip
    params: dict[ParamName, ModelParam] = Field(
        default={}, max_length=100, examples=[{"depth": 3}],
        description="What the class is made with, by name: texts, numbers, true or false, and lists of them.",
    )  # fmt: skip
    timeout: Duration = Field(
        default="10m", validate_default=True, description="How long one fit, or one forecast, may take."
    )


class Ensemble(_Candidate):
    """The mean or the median of other candidates (Bates & Granger 1969; Petropoulos & Svetunkov 2020)."""

    kind: Literal["ensemble"] = Field(description="Which kind of candidate this is.")
    of: Annotated[
        Annotated[Literal["best-2", "best-3", "best-4", "best-5", "near-best", "all"], Tag("text")]
        | Annotated[Many[Name], Field(min_length=1, max_length=20), Tag("list")],
        text_or("list"),
    ] = Field(
        default="best-3",
        description="`best-N` in the backtest's earlier windows, `near-best`: those whose error is at most half again that of "
        "the best there, `all`, or a list of names.",
    )
    combine: Combine = Field(
        default="mean",
        description="How forecasts are combined, period by period. The median follows no single bad member.",
    )


Candidate = Annotated[
    SeasonalNaive
    | AutoEts
    | AutoCes
    | AutoArima
    | Mstl
    | Regression
    | Theta
    | Croston
    | GradientBoosting
    | Custom
    | Ensemble,
    Field(discriminator="kind"),
]
