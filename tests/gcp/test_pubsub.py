"""Google's Pub/Sub emulator beside the stand-in: one client reaches the one, the next the other."""

from __future__ import annotations

import pytest
from google.cloud import pubsub_v1, storage

from tests.gcp.standin.harness import Running

pytestmark = pytest.mark.xdist_group("pubsub")


def test_the_emulator_and_the_stand_in_serve_one_test(standin: Running, pubsub_emulator: str) -> None:
    with pubsub_v1.PublisherClient() as publisher, pubsub_v1.SubscriberClient() as subscriber:
        topic = publisher.topic_path("acme-test", "beside-the-stand-in")
        subscription = subscriber.subscription_path("acme-test", "beside-the-stand-in")
        publisher.create_topic(name=topic)
        subscriber.create_subscription(name=subscription, topic=topic)
        publisher.publish(topic, b"planned").result(timeout=10)
        (found,) = subscriber.pull(subscription=subscription, max_messages=1, timeout=10).received_messages
    with storage.Client() as client:
        client.create_bucket("acme")
    assert found.message.data == b"planned"
    assert standin.counted() == {"storage.buckets.create": 1}
