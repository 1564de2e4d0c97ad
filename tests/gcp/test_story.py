"""The whole of it on Google Cloud, from an empty project to nothing left: real Terraform, Airflow, functions-framework, Pub/Sub's
emulator, and mlspec in processes of its own, all led to the stand-ins by their environment alone. One in ten of mlspec's calls goes
wrong, in each way there is; what happens to one call, `test_fault_at_every_call.py` tries at every one."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.home import Home
from tests.gcp import joined, platform, platform_grants
from tests.gcp.acme import IMAGE
from tests.gcp.function import served
from tests.gcp.standin.harness import Running
from tests.gcp.unused_grants import UNUSED, unused
from tests.gcp.whole import (
    ALSO_GOOD,
    AS_COMPOSER,
    AT_ONCE,
    BAD,
    CANARY,
    GOOD,
    INPUTS,
    LONG,
    LOOP,
    PERSON,
    Whole,
    account,
    composer,
    guard,
)
from tests.notify.receiver import Receiver, receiving
from tests.terraform.harness import ProviderProcess, Terraform, environment
from tests.terraform.provider.cloud import Cloud
from tests.terraform.test_platform import opened, unprotect
from tests.tools import needs
from tests.waiting import until

pytestmark = [
    pytest.mark.xdist_group("pubsub"),
    pytest.mark.no_cover,  # all in processes of its own; other tests go each part of it
]
# What runs in place of any container, in a fork: Python's start, at which the guard is read, was that of the stand-in.
CONTAINER = f"import runpy\nrunpy.run_path({guard() + '/sitecustomize.py'!r})\nfrom mlspec.__main__ import main\nmain()"
IN_THE_ENVIRONMENT = "canary-7f3a-in-the-environment"
EVERY = 40  # so that one call in ten of mlspec goes wrong
EVER = 10**9
FAULTS: list[dict[str, Any]] = [{"code": 503}, {"code": 429, "retry_after": 1}, {"code": 504}, {"lost": True}]
# A DAG that checks the data, judges what was forecast, and tells: the function is to answer, before the run itself moves traffic.
WATCH = ("--mark-success-pattern", "^(move_traffic|backtest|gate|train|register|roll_out|make_forecast|finish)$")
# What outlives a platform by Google's own rules, or stays on for others.
STAYS = {
    "google_kms_key_ring", "google_kms_crypto_key", "google_project_service", "google_project_service_identity",
}  # fmt: skip


# Who was refused what, and lives with it: a step runs all the same where its account may not look at Vertex AI.
_TRAIN, _MODEL = account("acme-story", "demand-train"), f"{platform.place('acme-story')}/models/mlspec-demand"
REFUSED = {f"{_TRAIN} lacks aiplatform.models.get on {_MODEL}"}


@pytest.fixture
def whole(
    standin: Running, pubsub_emulator: str, schema_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Whole]:
    """An empty project, and all that will work on it."""
    folder = tmp_path / "whole"
    (folder / "home").mkdir(parents=True)
    own = {
        "PYTHONPATH": guard(), "MLSPEC_TEST_STRANGERS": str(tmp_path / "strangers.txt"), "PUBSUB_EMULATOR_HOST": pubsub_emulator,
    }  # fmt: skip
    more = {"XDG_CACHE_HOME": str(folder / "cache"), "TF_VAR_image": IMAGE, "DB_PASSWORD": IN_THE_ENVIRONMENT}
    for key, value in {**own, **more}.items():
        monkeypatch.setenv(key, value)
    redeploy = {"GOOGLE_APPLICATION_CREDENTIALS": standin.account(account(Whole.project, "mlspec-redeploy"))}
    with served(folder, Whole.project, "prod", {**standin.environment, **redeploy}) as function:
        there = {**standin.for_terraform, joined.FUNCTION: function.address}
        provider = ProviderProcess(
            schema_cache, folder / "provider.txt", "--cloud", "tests.gcp.joined:Joined", env=there
        )
        cloud = Cloud(folder / "cloud")
        for key, value in environment(provider.open(cloud.folder), folder / "home", needs("terraform")).items():
            monkeypatch.setenv(key, value)
        reattach = {name: provider.open(cloud.folder, account(Whole.project, name)) for name in (PERSON,)}
        found = Whole(folder, standin, cloud, function, Home(folder / "airflow", folder / "dags", {}), reattach)
        standin.hook_code(".*", CONTAINER, cwd=str(found.root), env=own)
        for place, fault in enumerate(FAULTS):
            standin.fault(".", agent="^mlspec/", every=EVERY, skip=place * EVERY // len(FAULTS), count=EVER, **fault)
        yield found
        provider.stop()
    assert not (tmp_path / "strangers.txt").exists(), (tmp_path / "strangers.txt").read_text()


def test_a_forecast_lives_on_google_cloud_from_an_empty_project_to_nothing_left(
    whole: Whole,
) -> None:
    infra = the_platform_is_applied(whole)
    first = a_forecast_is_applied(whole)
    with receiving() as team:
        whole.tell_at(team.url)
        airflow_makes_the_forecast_of_a_new_day(whole, first)
        second = a_commit_lets_a_newer_version_in_by_canary(whole, first)
        actuals_let_it_have_everything(whole, second)
        bad = somebody_lets_a_bad_version_serve(whole)
        the_function_rolls_it_back_on_its_alert(whole, bad, second, team)
    a_hand_at_the_endpoint_is_put_right(whole, second)
    no_secret_is_anywhere(whole)
    the_forecast_goes(whole)
    the_platform_goes(whole, infra)
    no_secret_is_anywhere(whole)
    much_went_wrong(whole)


def the_platform_is_applied(whole: Whole) -> Terraform:
    infra = opened({**INPUTS, "project_id": whole.project}, whole.terraform_sees(), whole.folder / "infra")
    infra.apply().expect(0)
    assert whole.passes() == []
    standin = whole.standin
    standin.allow({}, list(platform_grants.of_person(whole.project, whole.account(PERSON))))
    dag = {"GOOGLE_APPLICATION_CREDENTIALS": standin.account(whole.account("mlspec-dag"))}
    whole.airflow.settings.update(composer(whole.cloud) | AS_COMPOSER | dag)
    migrated = whole.airflow.run("db", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    return infra


def a_forecast_is_applied(whole: Whole) -> str:
    whole.commit(GOOD, CANARY)
    whole.data(42)
    done = whole.mlspec("apply", "--yes")
    assert done.returncode == 0, done.stderr
    (serving,) = whole.status()["serving"]
    assert whole.traffic() == {serving["version"]: 100}
    assert whole.mlspec("render", "--out", "build").returncode == 0
    return str(serving["version"])


def airflow_makes_the_forecast_of_a_new_day(whole: Whole, first: str) -> None:
    """Newer data is a reason for a forecast, and none for a training: the spec asks for none."""
    whole.data(44)
    in_composer(whole)
    states = whole.dag()
    assert {name for name, state in states.items() if state != "success"} == {"alert", "kept_out"}
    acting = [words[1] for words, _ in whole.passes()]
    assert acting == ["finish", "roll-out", "register", "move-traffic"]
    assert whole.traffic() == {first: 100}
    assert whole.events().count("ForecastMade") == 2


def a_commit_lets_a_newer_version_in_by_canary(whole: Whole, first: str) -> str:
    whole.commit(ALSO_GOOD, CANARY)
    done = whole.mlspec("apply", "--yes")
    assert done.returncode == 0, done.stderr
    (second,) = whole.traffic().keys() - {first}
    assert whole.traffic() == {first: 50, second: 50}
    return second


def in_composer(whole: Whole) -> None:
    """What Airflow is about to run is what Terraform put into Composer's folder."""
    (dag,) = (whole.root / "build" / "dags").glob("*.py")
    put = whole.cloud.get("google_storage_bucket_object", dag.name).values
    assert put["source_md5hash"] == hashlib.md5(dag.read_bytes()).hexdigest()


def actuals_let_it_have_everything(whole: Whole, second: str) -> None:
    whole.data(46)
    whole.scheduler()
    assert whole.traffic() == {second: 100}
    assert "RolledOut" in whole.events()


def somebody_lets_a_bad_version_serve(whole: Whole) -> str:
    whole.commit(BAD, AT_ONCE)
    done = whole.mlspec("apply", "--yes")
    assert done.returncode == 0, done.stderr
    assert whole.mlspec("render", "--out", "build").returncode == 0
    ((bad, share),) = whole.traffic().items()
    assert share == 100
    return bad


def the_function_rolls_it_back_on_its_alert(whole: Whole, bad: str, good: str, team: Receiver) -> None:
    whole.data(48)
    in_composer(whole)
    assert whole.dag(*WATCH)["alert"] == "success"
    until(lambda: whole.passes()[0][0][0] == "reconcile" and whole.passes()[0][1], LONG)
    (words, _), (told, _), *_ = whole.passes()
    assert told[:2] == ["step", "publish-alerts"]
    assert words == [
        *["reconcile", "--once", "--yes", "--lock-timeout", "10m", "--target", "prod", "--select", "demand"]
    ]
    answered = whole.function.said("NOTICE")
    assert sorted(line.partition(":")[0] for line in answered) == [
        "rolled back",
        "started the reconcile job for a forecast",
    ]
    assert any(line.startswith(f"rolled back: {bad} was replaced by {good}") for line in answered)
    assert whole.traffic() == {good: 100}
    assert "RolledBack" in whole.events()
    assert any(bad.encode() in body for _, body in team.got)


def a_hand_at_the_endpoint_is_put_right(whole: Whole, serves: str) -> None:
    (found,) = platform.endpoints().list_endpoints(parent=platform.place(whole.project))
    del found.traffic_split[next(iter(found.traffic_split))]
    platform.endpoints().update_endpoint(endpoint=found, update_mask={"paths": ["traffic_split"]})
    assert whole.traffic() == {}
    whole.scheduler()
    assert whole.traffic() == {serves: 100}
    assert "DriftMended" in whole.events()


def no_secret_is_anywhere(whole: Whole) -> None:
    planted = (IN_THE_ENVIRONMENT.encode(), b"cafe-secret-path")
    assert [place for place, text in whole.written().items() if any(each in text for each in planted)] == []


def the_forecast_goes(whole: Whole) -> None:
    done = whole.mlspec("destroy", "demand", "--purge", "--yes")
    assert done.returncode == 0, done.stderr
    assert platform.models_of(whole.project) == []
    assert list(platform.endpoints().list_endpoints(parent=platform.place(whole.project))) == []
    assert [each for each in whole.cloud.resources() if "demand" in each.id or "ops-hook" in each.id] == []
    assert "demand: nothing is applied" in whole.mlspec("status").stdout


def the_platform_goes(whole: Whole, infra: Terraform) -> None:
    unprotect(infra.folder)
    infra.apply().expect(0)
    infra.destroy().expect(0)
    assert {each.type for each in whole.cloud.resources()} <= STAYS
    assert set(whole.standin.denied()) == REFUSED
    assert sorted(unused(whole.standin.grants(), whole.project) ^ set(UNUSED)) == []
    assert list(platform.storage(whole.project).list_buckets()) == []
    assert LOOP not in [each.name.rpartition("/")[2] for each in whole.jobs()]


def much_went_wrong(whole: Whole) -> None:
    """Faults of each kind happened to mlspec, often."""
    wrong = Counter(each["answer"] for each in whole.standin.calls() if each["agent"].startswith("mlspec/"))
    assert {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "lost"} <= wrong.keys()
    assert wrong.total() - wrong["OK"] > wrong.total() / 20
