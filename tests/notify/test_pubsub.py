"""Notices arrive on a topic of Google's own Pub/Sub emulator, by Google's own client."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlspec.cli.senders import NoticeSettings, sender_factory
from mlspec.targets.gcp.pubsub import PubSubSender
from mlspec.targets.notify.base import DeliveryError
from tests.notify.test_deliver import T, notice

pytestmark = pytest.mark.xdist_group("pubsub")
PROJECT = "acme-test"


@pytest.fixture
def topic(pubsub_emulator: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A topic with a subscription, for one test: their names."""
    from google.cloud import pubsub_v1

    name = re.sub(r"\W", "-", request.node.name)[:60]
    with pubsub_v1.PublisherClient() as publisher, pubsub_v1.SubscriberClient() as subscriber:
        subscription = subscriber.subscription_path(PROJECT, f"{name}-s")
        publisher.create_topic(name=publisher.topic_path(PROJECT, name))
        subscriber.create_subscription(name=subscription, topic=publisher.topic_path(PROJECT, name))
        yield name, subscription


def pulled(subscription: str) -> list[tuple[dict[str, str], dict[str, object]]]:
    from google.cloud import pubsub_v1

    with pubsub_v1.SubscriberClient() as subscriber:
        answer = subscriber.pull(subscription=subscription, max_messages=10, timeout=10)
    return [(dict(each.message.attributes), json.loads(each.message.data)) for each in answer.received_messages]


def test_a_notice_arrives_with_what_a_filter_may_ask_for(topic: tuple[str, str]) -> None:
    name, subscription = topic
    PubSubSender(PROJECT, name).send_notice(notice())
    ((attributes, message),) = pulled(subscription)
    assert attributes == {
        "id": "n1", "forecast": "demand", "alert": "accuracy", "state": "firing", "severity": "critical",
    }  # fmt: skip
    assert message["format"] == "mlspec/notice/v1"
    assert message["message"] == "wape is high"


def test_a_topic_that_is_not_there_is_said_and_not_tried_for_ever(topic: tuple[str, str]) -> None:
    del topic
    with pytest.raises(DeliveryError, match="NotFound") as found:
        PubSubSender(PROJECT, "nobody-made-it").send_notice(notice())
    assert found.value.permanent


def test_the_project_comes_from_the_environment_and_the_link_from_the_settings(
    topic: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, subscription = topic
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    settings = NoticeSettings(external_url="https://forecasts.example.com")
    sender_factory(str, lambda: T, settings=settings)(f"pubsub:{name}").send_notice(notice())
    ((_, message),) = pulled(subscription)
    assert message["url"] == "https://forecasts.example.com/forecasts/demand"


def test_without_a_project_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key in ("PUBSUB_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(key, raising=False)
    with pytest.raises(DeliveryError, match="GOOGLE_CLOUD_PROJECT"):
        sender_factory(str, lambda: T)("pubsub:demand-alerts")
