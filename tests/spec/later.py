"""The language as a later mlspec may have it: a key with a default in every sort of place that a key can stand in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, Tag

from mlspec.spec import digest, resolve, stored
from mlspec.spec.alerts import Alert
from mlspec.spec.candidates import AutoEts, Croston, Ensemble, GradientBoosting, SeasonalNaive, Theta, _Candidate
from mlspec.spec.dataset import Checks, Covariates, Dataset, Range
from mlspec.spec.fields import AlertName, Column, Duration, Many
from mlspec.spec.forecast import Deployment, Forecast, Model, Rollout, Rule, Schedule
from mlspec.spec.part import Part, text_or


class LaterNaive(SeasonalNaive):
    drift: bool = False


class LaterTheta(Theta):
    damping: float = 1.0


class Prophet(_Candidate):
    kind: Literal["prophet"]
    changepoints: int = 25


class LaterRule(Rule):
    weight: float = 1.0


class LaterModel(Model):
    candidates: Annotated[
        Annotated[Literal["auto"], Tag("text")]
        | Annotated[
            Many[
                Annotated[
                    LaterNaive | AutoEts | LaterTheta | Croston | GradientBoosting | Ensemble | Prophet,
                    Field(discriminator="kind"),
                ]
            ],
            Tag("list"),
        ],
        text_or("list"),
    ] = "auto"
    gate: Many[LaterRule] = tuple(LaterRule(**rule.model_dump()) for rule in Model.model_fields["gate"].default)
    restarts: int = 3
    floors: Many[str] = ("seasonal-naive",)


class LaterRange(Range):
    tolerance: float = 0.0


class LaterChecks(Checks):
    range: dict[Column, LaterRange] = Field(default={})


class LaterCovariates(Covariates):
    leading: Many[Column] = ()


class LaterDataset(Dataset):
    covariates: LaterCovariates = LaterCovariates()
    checks: LaterChecks = LaterChecks()
    workdays: str | None = "weekdays"


class LaterAlert(Alert):
    patience: Duration = Field(default="2h", validate_default=True)


class LaterRollout(Rollout):
    asks: Many[AlertName] = ()


class LaterDeployment(Deployment):
    rollout: LaterRollout = LaterRollout()


class LaterSchedule(Schedule):
    backfill: Literal["all", "last"] | None = "last"


class Quality(Part):
    floor: float = 0.5
    words: dict[str, str] = Field(default={})


class Explanation(Part):
    features: bool = True


class Page(Part):
    title: str = ""
    wide: bool = False


class LaterForecast(Forecast):
    dataset: LaterDataset
    model: LaterModel
    deployment: LaterDeployment = LaterDeployment()
    schedule: LaterSchedule = LaterSchedule()
    alerts: Annotated[Many[LaterAlert], Field(max_length=50)] = ()
    quality: Quality = Quality()
    explanation: Explanation | None = None
    pages: Many[Page] = ()


def speak(monkeypatch: pytest.MonkeyPatch, language: type[Forecast] = LaterForecast) -> None:
    """Let mlspec read and digest specs in another language."""
    monkeypatch.setattr(resolve, "Forecast", language)
    monkeypatch.setattr(digest, "Forecast", language)
    monkeypatch.setattr(stored, "Forecast", language)


def resolved(document: dict[str, Any], language: type[Forecast]) -> dict[str, Any]:
    """A document as a resolved spec in JSON."""
    return digest.resolved_json(language.model_validate(document))
