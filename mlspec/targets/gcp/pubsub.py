"""Publishes a notice to a Pub/Sub topic: its message as data, the fields for subscription filters as attributes.

Terraform or the topic's owner creates the topic; this module does not. With PUBSUB_EMULATOR_HOST, Google's client uses an emulator.
"""

from __future__ import annotations

import json
from typing import Any

from mlspec.errors import MissingExtra
from mlspec.state.notice import Notice, as_message
from mlspec.targets.notify import deadline
from mlspec.targets.notify.base import DeliveryError

# Codes of google.rpc that a retry cannot solve.
_LASTING = ("NotFound", "PermissionDenied", "InvalidArgument", "Unauthenticated", "Forbidden", "BadRequest")


class PubSubSender:
    """Sends to one topic of a project."""

    def __init__(self, project: str, topic: str) -> None:
        self._project, self._topic = project, topic

    def send_notice(self, notice: Notice) -> str:
        """Publish the notice, wait for Pub/Sub's acknowledgement and return it in words.

        Raises DeliveryError if it fails, or at the deadline.
        """
        text = json.dumps(as_message(notice), sort_keys=True, ensure_ascii=False, allow_nan=False)
        attributes = {"id": notice.id, "forecast": notice.forecast, "state": notice.state, "severity": notice.severity}
        if notice.alert:
            attributes["alert"] = notice.alert
        publish_text(f"projects/{self._project}/topics/{self._topic}", text, **attributes)
        return "Pub/Sub has it"


def publish_text(topic: str, text: str, **attributes: str) -> None:
    """Publish a text to a topic (projects/PROJECT/topics/TOPIC), and wait for the acknowledgement.

    Raises DeliveryError if it fails, or at the deadline.
    """
    pubsub, problems, unauthorised = _import_pubsub()
    name = topic.rpartition("/")[2]

    def publish() -> None:
        # There is one message, so a batch would only delay it.
        with pubsub.PublisherClient(pubsub.types.BatchSettings(max_messages=1)) as client:
            sent = client.publish(topic, text.encode(), timeout=deadline.DEADLINE, **attributes)
            sent.result(timeout=deadline.DEADLINE)

    try:
        deadline.finish_in_time(lambda _cut_off: publish())
    except problems as error:
        kind = type(error).__name__
        raise DeliveryError(f"Pub/Sub topic {name}: {kind}", permanent=kind in _LASTING) from error
    except unauthorised as error:
        raise DeliveryError(f"Pub/Sub topic {name}: no credentials ({type(error).__name__})") from error


def _import_pubsub() -> tuple[Any, tuple[type[Exception], ...], type[Exception]]:
    try:
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import pubsub_v1
    except ModuleNotFoundError as error:
        missing = MissingExtra("google-cloud-pubsub", "gcp")
        raise DeliveryError(missing.sentence, permanent=True) from error
    return pubsub_v1, (GoogleAPICallError, RetryError, TimeoutError), GoogleAuthError
