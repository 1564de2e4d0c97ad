"""The scalar types of the spec language, each with its limits in one place.

A type here is a pydantic annotation. The validator, the JSON Schema and `explain` all read it. Patterns are ASCII only, so that
a name cannot contain a letter that looks like another.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, Strict, StringConstraints, WithJsonSchema

from mlspec.spec.duration import EXPECTED, format_duration, parse_duration

T = TypeVar("T")

# A YAML list; stored as a tuple, so that a spec is immutable.
Many = Annotated[tuple[T, ...], Strict(False)]


def _read_duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected {EXPECTED}")  # noqa: TRY004  (pydantic turns ValueError into an error of the field)
    return parse_duration(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(0|[1-9][0-9]{0,6})[smhdw]$", "examples": ["24h", "3d"]}),
]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")]
AlertName = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9_-]{0,38}[a-z0-9])?$")]
Column = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(max_length=1024)]
Owner = Annotated[str, StringConstraints(min_length=1, max_length=128)]
LabelKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,63}$")]
Cron = Annotated[str, StringConstraints(max_length=100)]
Timezone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$")]
Frequency = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,24}$")]
SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,254}$")]
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$")]
MachineType = Annotated[str, StringConstraints(pattern=r"^[a-z][0-9a-z]*(-[0-9a-z]+){1,3}$")]
# Ray Client (https://docs.ray.io/en/latest/cluster/running-applications/job-submission/ray-client.html) and Ray on Vertex AI.
RayAddress = Annotated[
    str,
    StringConstraints(max_length=512, pattern=r"^(ray://[A-Za-z0-9.-]+:[0-9]{1,5}|vertex_ray://[A-Za-z0-9./_-]+)$"),
]


def ray_extra(address: str | None) -> str:
    """Return the extra of mlspec that a Ray cluster needs. On Vertex AI, Google's client needs its own version of Ray."""
    return "vertex-ray" if (address or "").startswith("vertex_ray:") else "ray"


Share = Annotated[float, Field(ge=0, le=1)]
Quantile = Annotated[float, Field(gt=0, lt=1)]
Lag = Annotated[int, Field(ge=1, le=10_000)]
Season = Annotated[int, Field(ge=2, le=10_000)]

# Each pattern in words, for error messages.
PATTERNS = {
    r"^(ray://[A-Za-z0-9.-]+:[0-9]{1,5}|vertex_ray://[A-Za-z0-9./_-]+)$": "ray://host:port or vertex_ray://…",
    r"^[1-9][0-9]? of [1-9][0-9]?$": "m of n, such as 2 of 3",
    r"^[1-9][0-9]{0,8}(\.[0-9]{2})? [A-Z]{3}$": "an amount and a currency, such as 400 USD",
    r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$": "a Google Cloud project id (6 to 30 lower-case letters, digits and hyphens), not its number",
    r"^[a-z]+-[a-z]+[1-9][0-9]?$": "a region, such as southamerica-east1, not a zone or multi-region",
    r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$": "up to 40 lower-case letters, digits and hyphens, a letter first, no hyphen last",
    r"^[a-z]([a-z0-9_-]{0,38}[a-z0-9])?$": "up to 40 lower-case letters, digits, hyphens and underscores, a letter first",
    r"^[a-z][a-z0-9_-]{0,62}$": "a label key: up to 63 lower-case letters, digits, hyphens and underscores, a letter first",
    r"^[a-z0-9_-]{0,63}$": "a label value: up to 63 lower-case letters, digits, hyphens and underscores",
    r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$": "an IANA time zone, such as Europe/Paris",
    r"^[0-9A-Za-z-]{1,24}$": "a pandas offset alias, such as D, W-FRI or MS",
    r"^[A-Za-z][A-Za-z0-9_-]{0,254}$": "the name of a secret: a letter, then letters, digits, hyphens and underscores",
    r"^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$": "the name of a Pub/Sub topic: a letter, then 2 to 254 letters, digits and . _ ~ + % -",
    r"^[a-z][0-9a-z]*(-[0-9a-z]+){1,3}$": "a machine type, such as n2-standard-4",
}

ScoreMetric = Literal["wape", "mase", "rmsse", "bias", "pinball", "coverage"]
RankMetric = Literal["wape", "mase", "rmsse", "pinball"]
AlertMetric = Literal[
    "wape", "mase", "rmsse", "bias", "pinball", "coverage",
    "psi", "ks", "data_age", "volume", "new_series", "vanished_series", "error_rate", "latency",
]  # fmt: skip
Severity = Literal["info", "warning", "critical"]
