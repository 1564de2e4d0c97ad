"""An apply that Google refused in part, or that was cut off: it goes on by itself, where what is there is the forecast's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlspec.cli import main as front
from tests.examples import spec_text
from tests.gcp.test_plan import ONE, ONLINE, root  # noqa: F401  (the project that is planned there is applied here)
from tests.terraform.provider.cloud import Cloud, Fault
from tests.waiting import skip_pauses

APPLY = ("apply", ONE, "--target", "prod", "--yes")
WITH_SHARED = ("apply", "--target", "prod", "--yes")  # what specs share too, such as the topic
ALERTED = """\
notify: [{pubsub: shared-alerts}, {webhook: {secret: ops-hook}}]
alerts: [{name: errors, metric: error_rate, above: 0.01}]
"""
CUT_OFF = "the terraform that asked for it was killed"
TOPIC = "projects/acme-prod/topics/shared-alerts"


@pytest.fixture
def alerted(root: Path) -> Path:  # noqa: F811
    (root / "specs" / "demand.yaml").write_text(spec_text("demand") + ONLINE + ALERTED)
    return root


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return skip_pauses(monkeypatch)


def made(cloud: Cloud) -> list[tuple[str, str]]:
    return [(each.type, each.id) for each in cloud.resources()]


def test_an_apply_says_what_becomes_of_each_resource(alerted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(APPLY) == 0
    said = capsys.readouterr().err
    assert "terraform apply: demand\n" in said
    assert re.search(r"^  google_vertex_ai_endpoint\.this: created in \d+ s$", said, re.MULTILINE)


@pytest.mark.usefixtures("alerted")
def test_what_an_apply_made_that_was_cut_off_is_adopted_by_the_next(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = ("bigquery_dataset", "bigquery_table", "cloud_run_v2_job", "logging_metric", "pubsub_subscription", "pubsub_topic",
             "secret_manager_secret", "service_account", "storage_managed_folder", "vertex_ai_endpoint")  # fmt: skip
    for kind in kinds:
        cloud.fail(Fault(f"google_{kind}", "create", CUT_OFF, times=1, leaves="orphan"))
    for _ in kinds:  # what stands on one that failed is not tried
        if front.run(WITH_SHARED) == 0:
            break
    said = capsys.readouterr().err
    assert {kind for kind in kinds if f"  google_{kind}." in said and "imported" in said} == set(kinds)
    log = [each for each in cloud.log() if each[0] == "create"]
    assert len(log) == len(set(log)), "nothing was made twice"
    assert front.run(["plan", "--target", "prod", "--detailed-exitcode"]) == 0


@pytest.mark.usefixtures("alerted")
def test_what_somebody_else_made_is_refused_and_stays_as_it_is(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = cloud.put("google_pubsub_topic", TOPIC, name="shared-alerts", project="acme-prod", labels={"team": "web"})
    assert front.run(WITH_SHARED) == 1
    said = capsys.readouterr().err
    assert "Error 409" in said
    assert "so it is left alone" in said
    assert cloud.get("google_pubsub_topic", TOPIC) == theirs
    cloud.remove(theirs)
    assert front.run(WITH_SHARED) == 0, "no state has taken it for its own"


@pytest.mark.usefixtures("alerted")
def test_where_google_asks_for_fewer_calls_the_apply_goes_on_slower(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], slept: list[float]
) -> None:
    cloud.fail(
        Fault("google_service_account", "create", "googleapi: Error 429: A quota has been reached, rateLimitExceeded")
    )
    assert front.run(APPLY) == 0
    assert 5.0 in slept
    assert "terraform continues in 5 s, one request at a time" in capsys.readouterr().err


@pytest.mark.usefixtures("alerted")
def test_a_right_to_act_as_an_account_that_was_just_given_is_waited_for(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], slept: list[float]
) -> None:
    words = "Permission 'iam.serviceaccounts.actAs' denied on service account demand-train@acme-prod.iam.gserviceaccount.com"
    cloud.fail(
        Fault("google_cloud_run_v2_job", "create", f"googleapi: Error 403: {words} (or it may not exist).", times=2)
    )
    assert front.run(APPLY) == 0
    assert {15.0, 30.0} <= set(slept)
    assert "waiting for a grant to act as a service account to take effect" in capsys.readouterr().err


@pytest.mark.usefixtures("alerted", "slept")
def test_what_stays_too_much_fails_in_the_end(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.fail(Fault("google_service_account", "create", "googleapi: Error 429: the day's quota is used up", times=99))
    assert front.run(APPLY) in (1, 4)
    assert "the day's quota is used up" in capsys.readouterr().err
