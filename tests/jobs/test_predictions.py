"""What a server answers is the forecast that the step writes, to the last byte; what is not all of it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlspec import jobs
from mlspec.engine.rows import read_rows
from mlspec.errors import TargetError
from mlspec.spec.stored import read_stored_spec
from mlspec.state.step import StepRequest, panel_parts
from mlspec.web.answer import PredictionHandler
from mlspec.web.prediction_cache import CachedForecast, VersionPredictions
from tests.examples import sales
from tests.jobs.pipeline import Pipeline

SHOPS = ("001", "NA", "Zürich/2", "7", "8", "9")
ONE, CANARY = {"v1": 100}, {"v1": 40, "v2": 60}
KINDS: list[dict[str, Any]] = [
    {"kind": "seasonal-naive", "season": 7},
    {"kind": "auto-ets", "season": 7},
    {"kind": "theta", "season": 7},
    {"kind": "croston"},
    {"kind": "gradient-boosting", "iterations": 20},
    {"kind": "gradient-boosting", "library": "lightgbm", "iterations": 20},
]
NAIVE = KINDS[0]


def versions(folder: Path, data: str, candidates: list[dict[str, Any]], **parts: Any) -> Pipeline:
    """A project whose data is checked, with a version trained for each candidate: v1, v2, …"""
    folder.mkdir(exist_ok=True)
    run = Pipeline(folder, model={"candidates": candidates, "horizon": 3}, **parts).data(data)
    assert run.check()["ok"], run.facts["check"]
    run.run("backtest", incumbent=None)
    for number, candidate in enumerate(candidates, 1):
        run.run("train", candidate=candidate)
        run.files |= {f"{role}-v{number}": run.files[role] for role in ("model", "backtest")}
    for role in ("model", "backtest"):
        del run.files[role]
    return run


def written(run: Pipeline, **options: Any) -> tuple[bytes, dict[str, Any]]:
    """What the step writes: the forecast's bytes, and its facts."""
    facts = run.run("forecast", **options)
    return run.files.pop("forecast").read_bytes(), facts


def asked(run: Pipeline, traffic: Mapping[str, int]) -> dict[str, list[str]]:
    """What each version's server is to be asked, a line a series."""
    facts = run.run("forecast", traffic=traffic, instances="all")
    roles = sorted(role for role in run.files if role.startswith("instances-"))
    found = {role.removeprefix("instances-"): run.files.pop(role).read_text().splitlines() for role in roles}
    assert facts == {"series": sum(map(len, found.values()))}
    return found


def answered(run: Pipeline, instances: Mapping[str, list[str]]) -> list[str]:
    """The lines that the versions' batch prediction jobs write."""
    return [line for version, lines in instances.items() for line in answered_by(run, version, lines)]


def answered_by(run: Pipeline, version: str, lines: list[str]) -> list[str]:
    """The lines of one version's job: each instance beside what the server of this version alone answers to it."""
    release = cast("Any", SimpleNamespace(release=1))
    versions = {version: VersionPredictions((), predicted(run, version))}
    found = CachedForecast(release, read_stored_spec(run.spec), {version: 100}, versions)
    ask = PredictionHandler(
        cast("Any", SimpleNamespace(record_request=lambda *_, **__: None)), lambda: 0.0, pytest.fail
    )
    instances = [json.loads(line) for line in lines]
    answer = ask("demand", found, json.dumps({"instances": instances}).encode())
    assert answer.code == 200, answer.body
    predictions = json.loads(answer.body)["predictions"]
    return [
        json.dumps({"instance": one, "prediction": other}) for one, other in zip(instances, predictions, strict=True)
    ]


def predicted(run: Pipeline, version: str) -> Any:
    inputs = {role: run.files[role] for role in (*panel_parts(run.files), "series")}
    inputs |= {role: run.files[f"{role}-{version}"] for role in ("model", "backtest")}
    return jobs.predict(StepRequest("forecast", run.spec, run.root, run.root, inputs))


def told(run: Pipeline, *files: list[str]) -> None:
    """Let these be the job's files."""
    for number, lines in enumerate(files):
        path = run.root / f"prediction.results-{number}"
        path.write_text("".join(f"{line}\n" for line in lines))
        run.files[f"predictions-{number}"] = path


@pytest.mark.parametrize("candidate", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_the_same_bytes_whoever_computed_them(tmp_path: Path, candidate: dict[str, Any]) -> None:
    run = versions(tmp_path, sales(60, shops=SHOPS), [candidate, NAIVE])
    for traffic in (ONE, CANARY):
        usual = written(run, traffic=traffic)
        lines = answered(run, asked(run, traffic))
        told(run, lines[4:], lines[:4])  # files and lines come in any order
        assert written(run, traffic=traffic) == usual
        del run.files["predictions-0"], run.files["predictions-1"]


def hours(columns: str, *series: str) -> str:
    start = datetime(2024, 1, 1)  # noqa: DTZ001  (a period has no zone)
    rows = [
        f"{prefix}{(start + timedelta(hours=hour)).isoformat()},{(hour * 7919) % 13 + 0.1 * number}"
        for number, prefix in enumerate(series)
        for hour in range(80)
    ]
    return "\n".join([f"{columns}day,units", *rows, ""])


@pytest.mark.parametrize(
    ("names", "data"),
    [
        ([], hours("", "")),
        (["shop", "item"], hours("shop,item,", "a/b,c,", "a,b/c,", 'a,"say ""x"", ü",')),
    ],
    ids=["no series of its own", "two columns that want to be escaped"],
)
def test_whatever_a_series_is_called_and_however_long_a_period_is(tmp_path: Path, names: list[str], data: str) -> None:
    run = versions(tmp_path, data, [NAIVE, {"kind": "croston"}], dataset={"series": names, "frequency": "h"})
    usual = written(run, traffic=CANARY)
    told(run, answered(run, asked(run, CANARY)))
    assert written(run, traffic=CANARY) == usual


@pytest.mark.parametrize(("zone", "first", "until"), [
    (None, "2024-01-04T08:00:00", "2024-01-04T08:00:00Z"),
    ("America/Sao_Paulo", "2024-01-04T08:00:00-03:00", "2024-01-04T11:00:00Z"),
])  # fmt: skip
def test_hours_of_a_zone_carry_its_offset_as_mlspec_forecast_prints_them(
    tmp_path: Path, zone: str | None, first: str, until: str
) -> None:
    run = versions(tmp_path, hours("", ""), [NAIVE], dataset={"series": [], "frequency": "h", "timezone": zone})
    usual = written(run, traffic=ONE)
    (answer,) = answered(run, asked(run, ONE))
    served = json.loads(answer)["prediction"]
    (tmp_path / "forecast.parquet").write_bytes(usual[0])
    printed = read_rows(tmp_path / "forecast.parquet", zone)
    day, cutoff = (printed.columns.index(name) for name in ("day", "cutoff"))
    assert [row["day"] for row in served["forecast"]] == [row[day] for row in printed.values]
    assert [served["cutoff"]] * 3 == [row[cutoff] for row in printed.values]
    assert served["forecast"][0]["day"] == first
    assert predicted(run, "v1").until == until
    told(run, [answer])
    assert written(run, traffic=ONE) == usual


def test_neither_models_nor_backtests_are_needed_again(tmp_path: Path) -> None:
    run = versions(tmp_path, sales(shops=SHOPS), [NAIVE])
    told(run, answered(run, asked(run, ONE)))
    run.files = {role: run.files[role] for role in (*panel_parts(run.files), "series", "predictions-0")}
    assert written(run, traffic=ONE)[1]["series"] == len(SHOPS)


def _without(lines: list[str]) -> list[str]:
    return lines[:2] + lines[4:]


def _shorter(lines: list[str]) -> list[str]:
    first = json.loads(lines[0])
    first["prediction"]["forecast"].pop()
    return [json.dumps(first), *lines[1:]]


def _saying(key: str, value: str) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        first = json.loads(lines[0])
        first["prediction"][key] = value
        return [json.dumps(first), *lines[1:]]

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without, "forecast 4 of 6 series, and left out '8', '9'"),
        (lambda lines: [*lines, '{"instance": {"shop": "1000"}, "prediction": {"forecast": []}}'], "invalid forecast"),
        (lambda lines: [*lines, '{"instance": {"shop": '], "invalid forecast"),
        (_shorter, "invalid forecast"),
        (_saying("version", "v2"), "forecast '001' by v2 from 2024-02-11, not by v1 from 2024-02-11"),
        (_saying("cutoff", "2024-02-10"), "forecast '001' by v1 from 2024-02-10, not by v1 from 2024-02-11"),
    ],
    ids=["fewer", "a stranger", "half a line", "too short", "another version", "older data"],
)
def test_what_is_not_all_of_the_forecast_is_refused(
    tmp_path: Path, change: Callable[[list[str]], list[str]], says: str
) -> None:
    run = versions(tmp_path, sales(shops=SHOPS), [NAIVE])
    told(run, change(answered(run, asked(run, ONE))))
    with pytest.raises(TargetError, match=says) as raised:
        run.run("forecast", traffic=ONE)
    assert "run the same command again" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("candidates", "statistics", "trees"),
    [
        ([{"kind": "seasonal-naive"}], False, False),
        ([{"kind": "seasonal-naive"}, {"kind": "theta"}], True, False),
        ([{"kind": "seasonal-naive"}, {"kind": "gradient-boosting"}], False, True),
        ("auto", True, True),
    ],
)
def test_a_server_waits_for_the_libraries_of_those_models_only_that_there_may_be(
    candidates: Any, statistics: bool, trees: bool
) -> None:
    libraries = jobs.libraries_to_preload({"model": {"candidates": candidates}})
    assert ("statsforecast.models" in libraries) is statistics
    assert ("lightgbm" in libraries) is trees
    assert "mlspec.jobs.predictor" in libraries
