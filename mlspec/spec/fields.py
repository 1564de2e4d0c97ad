"""The scalar types of the spec language, each with its limits in one place.

A type here is a pydantic annotation. The validator, the JSON Schema and `explain` all read it. Patterns are ASCII only, so that
a name cannot contain a letter that looks like another.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from mlspec.errors import SpecError
from mlspec.spec import agreement
from mlspec.spec.duration import EXPECTED, format_duration, parse_duration
from mlspec.spec.faults import nearest_word
from mlspec.spec.metrics import METRICS, find_metric, metric_names

# The context in which a stored spec is validated, and the kind of the error of a metric of a package.
STORED = {"stored": True}
PACKAGE_METRIC = "package_metric"
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
    WithJsonSchema({"type": "string", "pattern": "^(0|[1-9][0-9]{0,6})[smhdwy]$", "examples": ["24h", "3d"]}),
]

# Each pattern of a name is written here once; PATTERNS has it in words.
_NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
_ALERT_NAME = r"^[a-z]([a-z0-9_-]{0,38}[a-z0-9])?$"
_LABEL_KEY = r"^[a-z][a-z0-9_-]{0,62}$"
_LABEL_VALUE = r"^[a-z0-9_-]{0,63}$"
_TIMEZONE = r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$"
_FREQUENCY = r"^[0-9A-Za-z-]{1,24}$"
_SECRET_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,254}$"  # noqa: S105  (the form of a name)
_MAIL_ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$"
_TOPIC_NAME = r"^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$"
_MACHINE_TYPE = r"^[a-z][0-9a-z]*(-[0-9a-z]+){1,3}$"
_RAY_ADDRESS = r"^(ray://[A-Za-z0-9.-]+:[0-9]{1,5}|vertex_ray://[A-Za-z0-9./_-]+)$"
_MONEY = r"^[1-9][0-9]{0,8}(\.[0-9]{2})? [A-Z]{3}$"
_PROJECT_ID = r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$"
_REGION = r"^[a-z]+-[a-z]+[1-9][0-9]?$"
_DATASET = r"^[a-z][a-z0-9-]{4,28}[a-z0-9]\.[A-Za-z0-9_]{1,1024}$"
# Without an account, a query or a fragment, and without a character that has a meaning in a message of a chat.
_WEB_ADDRESS = r"^https?://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?(/[A-Za-z0-9._~%/+-]*)?$"
_NETWORK = r"^[0-9A-Fa-f.:]{2,45}/[0-9]{1,3}$"
_DELIMITER = r"^[,;|\t:~^ ]$"
_DAY = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
_DAY_OF_YEAR = r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_EVENT_DAYS = (
    rf"^([0-9]{{4}}-{_DAY_OF_YEAR}(/[0-9]{{4}}-{_DAY_OF_YEAR})?|{_DAY_OF_YEAR}(/{_DAY_OF_YEAR})?"
    r"|day -?([1-9]|[12][0-9]|3[01])|workday -?([1-9]|1[0-9]|2[0-3]))$"
)
_HOLIDAY_PLACE = r"^[A-Z]{2}(-[0-9A-Z]{1,3})?$"
_CURRENCY = r"^[^\s0-9.,;|'\"+()\x00-\x1f-]{1,4}$"
_CLASS_PATH = r"^([A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*|[a-z0-9][a-z0-9._-]{0,63})$"
_PARAM_NAME = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"
_ENCODING = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,31}$"

Name = Annotated[str, StringConstraints(pattern=_NAME)]
AlertName = Annotated[str, StringConstraints(pattern=_ALERT_NAME)]
Column = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(max_length=1024)]
Owner = Annotated[str, StringConstraints(min_length=1, max_length=128)]
LabelKey = Annotated[str, StringConstraints(pattern=_LABEL_KEY)]
LabelValue = Annotated[str, StringConstraints(pattern=_LABEL_VALUE)]
Cron = Annotated[str, StringConstraints(max_length=100)]
Timezone = Annotated[str, StringConstraints(pattern=_TIMEZONE)]
Frequency = Annotated[str, StringConstraints(pattern=_FREQUENCY)]
SecretName = Annotated[str, StringConstraints(pattern=_SECRET_NAME)]
MailAddress = Annotated[str, StringConstraints(pattern=_MAIL_ADDRESS, max_length=254)]
TopicName = Annotated[str, StringConstraints(pattern=_TOPIC_NAME)]
MachineType = Annotated[str, StringConstraints(pattern=_MACHINE_TYPE)]
AgreementText = Annotated[str, StringConstraints(pattern=agreement.PATTERN)]
Money = Annotated[str, StringConstraints(pattern=_MONEY)]
ProjectId = Annotated[str, StringConstraints(pattern=_PROJECT_ID)]
Region = Annotated[str, StringConstraints(pattern=_REGION)]
DatasetName = Annotated[str, StringConstraints(pattern=_DATASET)]
# How a table of a file is written.
TableFormat = Literal["csv", "parquet", "xlsx", "xlsb", "xls", "ods"]
TableLayout = Literal["long", "wide"]
Compression = Literal["gzip", "zstd", "zip"]
DecimalMark = Literal[".", ","]
ThousandsMark = Literal[".", ",", " ", "'"]
QuoteMark = Literal['"', "'"]
Delimiter = Annotated[str, StringConstraints(pattern=_DELIMITER)]
Currency = Annotated[str, StringConstraints(pattern=_CURRENCY)]
HeaderRow = Annotated[int, Field(ge=1, le=1000)]
Encoding = Annotated[str, StringConstraints(pattern=_ENCODING)]
DateFormat = Annotated[str, StringConstraints(min_length=1, max_length=64)]
SheetName = Annotated[str, StringConstraints(min_length=1, max_length=31)]
Weekday = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
Day = Annotated[str, StringConstraints(pattern=_DAY)]
EventDays = Annotated[str, StringConstraints(pattern=_EVENT_DAYS)]
HolidayPlace = Annotated[str, StringConstraints(pattern=_HOLIDAY_PLACE)]
WebAddress = Annotated[str, StringConstraints(pattern=_WEB_ADDRESS, max_length=1024)]
Network = Annotated[str, StringConstraints(pattern=_NETWORK)]
# Ray Client (https://docs.ray.io/en/latest/cluster/running-applications/job-submission/ray-client.html) and Ray on Vertex AI.
RayAddress = Annotated[
    str,
    StringConstraints(max_length=512, pattern=_RAY_ADDRESS),
]


def ray_extra(address: str | None) -> str:
    """Return the extra of mlspec that a Ray cluster needs. On Vertex AI, Google's client needs its own version of Ray."""
    return "vertex-ray" if (address or "").startswith("vertex_ray:") else "ray"


Share = Annotated[float, Field(ge=0, le=1)]
Quantile = Annotated[float, Field(gt=0, lt=1)]


def _read_param(value: Any) -> Any:
    entries = value if isinstance(value, list | tuple) else [value]
    if not entries or not all(isinstance(entry, str | bool | int | float) for entry in entries):
        raise ValueError("expected text, a number, true or false, or a list of them with an entry or more")
    if len(entries) > 1000 or any(isinstance(entry, str) and len(entry) > 1024 for entry in entries):
        raise ValueError("expected at most 1000 entries, and at most 1024 characters in each")
    if any(isinstance(entry, float) and not math.isfinite(entry) for entry in entries):
        raise ValueError("expected finite numbers")
    return tuple(value) if isinstance(value, list) else value


ClassPath = Annotated[str, StringConstraints(max_length=256, pattern=_CLASS_PATH)]
ParamName = Annotated[str, StringConstraints(pattern=_PARAM_NAME)]
# No null, no empty list and no mapping: a digest of a spec leaves these out, and a model must not change without one.
ModelParam = Annotated[Any, AfterValidator(_read_param)]
Lag = Annotated[int, Field(ge=1, le=10_000)]
Season = Annotated[int, Field(ge=2, le=10_000)]


def _refuse_unordered(seasons: tuple[int, ...]) -> tuple[int, ...]:
    if any(later <= earlier for earlier, later in pairwise(seasons)):
        raise ValueError("each season has to be longer than the one before it, as in [7, 365]")
    return seasons


RisingSeasons = Annotated[Many[Season], Field(min_length=1, max_length=5), AfterValidator(_refuse_unordered)]

# Each pattern in words, for error messages.
PATTERNS = {
    _RAY_ADDRESS: "ray://host:port or vertex_ray://…",
    agreement.PATTERN: "m of n, such as 2 of 3",
    _MONEY: "an amount and a currency, such as 400 USD",
    _PROJECT_ID: "a Google Cloud project id (6 to 30 lower-case letters, digits and hyphens), not its number",
    _REGION: "a region, such as southamerica-east1, not a zone or multi-region",
    _NAME: "up to 40 lower-case letters, digits and hyphens, a letter first, no hyphen last",
    _ALERT_NAME: "up to 40 lower-case letters, digits, hyphens and underscores, a letter first",
    _LABEL_KEY: "a label key: up to 63 lower-case letters, digits, hyphens and underscores, a letter first",
    _LABEL_VALUE: "a label value: up to 63 lower-case letters, digits, hyphens and underscores",
    _TIMEZONE: "an IANA time zone, such as Europe/Paris",
    _FREQUENCY: "a pandas offset alias, such as D, W-FRI or MS",
    _MAIL_ADDRESS: "an e-mail address, such as planner@example.com",
    _SECRET_NAME: "the name of a secret: a letter, then letters, digits, hyphens and underscores",
    _TOPIC_NAME: "the name of a Pub/Sub topic: a letter, then 2 to 254 letters, digits and . _ ~ + % -",
    _DATASET: "a BigQuery dataset as project.dataset, such as acme-prod.sales",
    _DELIMITER: 'one of , ; : ~ ^, a bar, a space or a tab ("\\t")',
    _DAY: "a date, such as 2026-12-25",
    _EVENT_DAYS: "days: 2026-07-01, 2026-07-01/2026-07-31, of each year 12-20 or 07-01/07-31, of each month day 20 or workday 5",
    _HOLIDAY_PLACE: "a country by its ISO 3166 code, such as BR, or one of its regions, such as BR-SP",
    _CLASS_PATH: "module:Class, such as models.promo:PromoModel, or the name of an entry point",
    _PARAM_NAME: "the name of a parameter: a letter, then letters, digits and underscores",
    _CURRENCY: "the sign of a currency, such as R$ or EUR",
    _ENCODING: "the name of an encoding, such as utf-8 or cp1252",
    _WEB_ADDRESS: "the address of a web server, such as https://forecasts.example.com or https://example.com/forecasts",
    _NETWORK: "a network, such as 10.20.0.0/16 or fd12:3456::/48",
    _MACHINE_TYPE: "a machine type, such as n2-standard-4",
}


class PackageMetric:
    """Marks a field that names a metric: besides its words, a metric of an installed package that fits is allowed.

    A stored spec is read where the package may be gone, so there only the form of the name counts.
    """

    def __init__(self, *, ranks: bool) -> None:
        """`ranks`: a champion has to be chosen by the metric."""
        self._ranks = ranks

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema that first tries the words, and serializes every name as text."""
        return core_schema.with_info_wrap_validator_function(
            self._accept, handler(source), serialization=core_schema.simple_ser_schema("str")
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the words, and the names of what the packages that are installed here bring."""
        from mlspec.models.package_metrics import offered_names

        words = handler(schema)
        return {**words, "enum": [*words["enum"], *(name for name in offered_names() if name not in METRICS)]}

    def _accept(self, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> str:
        try:
            return str(handler(value))
        except ValidationError as error:
            if not isinstance(value, str) or value in METRICS:
                raise
            from mlspec.models.package_metrics import is_metric_name, offered_names

            if info.context == STORED and is_metric_name(value):
                return value
            offered = offered_names()
            if value not in offered:
                words = [*re.findall(r"'([^']*)'", error.errors()[0]["ctx"]["expected"]), *offered]
                raise _unknown_metric(value, tuple(dict.fromkeys(words))) from error
        return self._check_package(value)

    def _check_package(self, name: str) -> str:
        try:
            metric = find_metric(name)
        except SpecError as error:
            raise _metric_error(error.message, error.hint) from error
        if self._ranks and not metric.ranks:
            raise _metric_error(
                f"{name} is best at {metric.ideal:g}, so it chooses no champion", "judge it in model.gate"
            )
        return name


def _unknown_metric(name: str, words: tuple[str, ...]) -> PydanticCustomError:
    near = nearest_word(name, words)
    hint = f"did you mean '{near}'?" if near else "a metric of a package needs the package here (docs/own-metric.md)"
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    return _metric_error(f"'{shown}': expected one of {', '.join(words)}", hint)


def _metric_error(message: str, hint: str | None) -> PydanticCustomError:
    return PydanticCustomError(PACKAGE_METRIC, "{message}", {"message": message, "hint": hint})


if TYPE_CHECKING:  # the checker cannot read a table
    ScoreMetric: TypeAlias = str
    RankMetric: TypeAlias = str
    AlertMetric: TypeAlias = str
else:
    ScoreMetric = Annotated[Literal[metric_names("accuracy")], PackageMetric(ranks=False)]
    RankMetric = Annotated[
        Literal[tuple(name for name, metric in METRICS.items() if metric.ranks)], PackageMetric(ranks=True)
    ]
    AlertMetric = Annotated[Literal[tuple(METRICS)], PackageMetric(ranks=False)]
Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # the least first
