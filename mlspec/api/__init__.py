"""The Python API: what `mlspec.open` returns, and every name that a program may rely on.

`__all__` is the list of what is public. Names, signatures and fields change only with a new major version; a test holds them.
Nothing here prints, exits, asks a person or installs a signal handler. Every error that a caller can act on is a class of
`mlspec.errors`, all of them below `MlspecError`.
"""

from __future__ import annotations

import logging

from mlspec.api.applied import AppliedForecast, AppliedInfrastructure, ApplyReport
from mlspec.api.chart import ForecastChart
from mlspec.api.forecast import ForecastHandle
from mlspec.api.planned import PlannedChange, ProjectPlan
from mlspec.api.project import ProjectHandle
from mlspec.errors import (
    DataError,
    Defect,
    LockHeld,
    MissingExtra,
    MlspecError,
    ModelError,
    Refused,
    SpecError,
    StalePlan,
    StateError,
    StateUnreachable,
    StoppedPartWay,
    TargetError,
    TargetUnreachable,
    UsageError,
)
from mlspec.state.plan import FieldChange, Obstacle

__all__ = [
    "AppliedForecast",
    "AppliedInfrastructure",
    "ApplyReport",
    "DataError",
    "Defect",
    "FieldChange",
    "ForecastChart",
    "ForecastHandle",
    "LockHeld",
    "MissingExtra",
    "MlspecError",
    "ModelError",
    "Obstacle",
    "PlannedChange",
    "ProjectHandle",
    "ProjectPlan",
    "Refused",
    "SpecError",
    "StalePlan",
    "StateError",
    "StateUnreachable",
    "StoppedPartWay",
    "TargetError",
    "TargetUnreachable",
    "UsageError",
]

# A library prints no log record of its own accord: a program that wants them sets up logging.
logging.getLogger("mlspec").addHandler(logging.NullHandler())
