"""From an alert to the loop, all of it real but Google's servers: Pub/Sub's emulator pushes, functions-framework runs the function,
and Google's client starts the loop's job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import pubsub_v1

from tests.functions.test_redeploy import WORDS, incident, said
from tests.gcp import platform
from tests.gcp.function import Function, served
from tests.gcp.standin.harness import Running
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("pubsub")
TOPIC = "mlspec-alerts"
BEFORE = "the reconcile job was started for this incident before"


@pytest.fixture
def function(standin: Running, pubsub_emulator: str, tmp_path: Path) -> Iterator[Function]:
    """The function, with the topic of alerts pushed to it as `infra/pubsub.tf` says."""
    platform.loop(standin.project)
    platform.buckets(standin.project)
    deployed = served(tmp_path, standin.project, "prod", standin.environment)
    with deployed as found, pubsub_v1.PublisherClient() as publisher, pubsub_v1.SubscriberClient() as subscriber:
        topic = publisher.topic_path(standin.project, TOPIC)
        subscription = subscriber.subscription_path(standin.project, f"{TOPIC}-push")
        publisher.create_topic(name=topic)
        push = pubsub_v1.types.PushConfig(push_endpoint=found.address)
        asked = {"name": subscription, "topic": topic, "push_config": push, "ack_deadline_seconds": 600}
        subscriber.create_subscription(request=asked)
        yield found
        subscriber.delete_subscription(subscription=subscription)
        publisher.delete_topic(topic=topic)


def tell(standin: Running, text: bytes) -> None:
    """Publish a message to the topic of alerts."""
    with pubsub_v1.PublisherClient() as publisher:
        publisher.publish(publisher.topic_path(standin.project, TOPIC), text).result(timeout=10)


def started(standin: Running) -> list[list[str]]:
    """What the loop's job was started with so far."""
    found = platform.executions(standin.project, "mlspec-reconcile")
    return [list(each.template.containers[0].args) for each in found]


@pytest.mark.parametrize("message", [incident(), said()])
def test_an_alert_that_is_pushed_starts_the_loop_for_its_forecast(
    function: Function, standin: Running, message: object
) -> None:
    tell(standin, json.dumps(message).encode())
    assert until(lambda: started(standin)) == [WORDS]
    until(lambda: function.said("NOTICE"))


def test_an_incident_that_is_published_again_starts_the_loop_once(function: Function, standin: Running) -> None:
    for _ in range(3):
        tell(standin, json.dumps(incident()).encode())
    until(lambda: function.said("INFO").count(BEFORE) == 2)
    assert started(standin) == [WORDS]
    tell(standin, json.dumps(incident(number="0.abd")).encode())
    until(lambda: len(started(standin)) == 2)


def test_an_alert_that_could_not_start_the_loop_is_pushed_again(function: Function, standin: Running) -> None:
    standin.fault("Jobs.RunJob", code=503, count=2)
    tell(standin, json.dumps(incident()).encode())
    assert until(lambda: started(standin)) == [WORDS]
    assert len(function.said("ERROR")) == 2


def test_junk_is_pushed_once_and_holds_up_no_alert(function: Function, standin: Running) -> None:
    tell(standin, b"\xff not a message of ours")
    tell(standin, json.dumps(incident()).encode())
    assert until(lambda: started(standin)) == [WORDS]
    until(lambda: function.said("WARNING"))
    assert len(function.said("WARNING")) == 1
