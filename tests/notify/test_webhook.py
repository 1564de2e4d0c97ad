"""A webhook gets each notice once it can, signed so that any receiver can check it; its address is never said."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Checker

from mlspec.cli.log_setup import clean
from mlspec.cli.target import timestamp
from mlspec.state.notice import Notice, as_message
from mlspec.targets.notify.base import DeliveryError
from mlspec.targets.notify.webhook import WebhookSender, parse_retry_after
from tests.notify.receiver import receiving

NOW = "2026-11-20T06:00:00Z"  # of what happened; a message is signed with the time at which it is sent
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def notice(**words: object) -> Notice:
    value = {
        "id": "n1", "forecast": "demand", "alert": "accuracy", "kind": "alert", "state": "firing", "severity": "critical",
        "at": NOW, "since": NOW, "message": "wape is 0.3 · zu hoch", **words,
    }  # fmt: skip
    return Notice(**value)  # type: ignore[arg-type]


def test_a_receiver_can_check_the_signature_with_the_specification_s_own_library() -> None:
    with receiving() as receiver:
        WebhookSender(f"{receiver.url}#{KEY}", timestamp).send_notice(notice())
    ((headers, body),) = receiver.got
    found = Checker(KEY).verify(body.decode(), headers)
    assert found["format"] == "mlspec/notice/v1"
    assert found["message"] == "wape is 0.3 · zu hoch"
    assert headers["webhook-id"] == "n1"
    with pytest.raises(Exception, match="signature"):
        Checker(KEY).verify(body.decode().replace("0.3", "0.1"), headers)


def test_an_address_without_a_key_is_itself_the_key() -> None:
    with receiving() as receiver:
        WebhookSender(receiver.url, timestamp).send_notice(notice())
    ((headers, body),) = receiver.got
    import base64

    checker = Checker(base64.b64encode(receiver.url.encode()).decode())
    assert checker.verify(body.decode(), headers)["forecast"] == "demand"


@pytest.mark.parametrize(("answer", "lasting", "after"), [
    ((500, {}), False, None), ((503, {"retry-after": "120"}), False, 120.0), ((429, {"retry-after": "7"}), False, 7.0),
    ((408, {}), False, None), ((400, {}), True, None), ((401, {}), True, None), ((404, {}), True, None), ((410, {}), True, None),
    ((302, {"location": "http://127.0.0.1:1/elsewhere"}), True, None), (None, False, None),
])  # fmt: skip
def test_what_may_pass_is_tried_again_and_what_lasts_is_not(
    answer: tuple[int, dict[str, str]] | None, lasting: bool, after: float | None
) -> None:
    with receiving(answer) as receiver, pytest.raises(DeliveryError) as found:
        WebhookSender(f"{receiver.url}#{KEY}", timestamp).send_notice(notice())
    assert (found.value.permanent, found.value.retry_after) == (lasting, after)
    assert len(receiver.got) == 1  # a redirect is not followed, and nothing is sent twice
    assert "cafe-secret" not in str(found.value)
    assert "cafe-secret" not in clean(
        "".join(traceback.format_exception(found.value))
    )  # the library's own words hold it


def test_nobody_there_is_no_answer_and_names_no_address() -> None:
    with receiving() as receiver:
        url = receiver.url
    with pytest.raises(DeliveryError) as found:
        WebhookSender(url, timestamp).send_notice(notice())
    assert not found.value.permanent
    assert "cafe-secret" not in str(found.value)


@pytest.mark.parametrize("address", ["", "ftp://x/y", "file:///etc/passwd", "just text", "http://"])
def test_an_address_that_is_none_is_refused_without_being_said(address: str) -> None:
    with pytest.raises(DeliveryError, match="no http or https address") as found:
        WebhookSender(address, timestamp)
    assert found.value.permanent


def test_retry_after_may_be_a_date() -> None:
    assert (
        parse_retry_after("Wed, 21 Oct 2026 07:28:00 GMT", int(datetime(2026, 10, 21, 7, 27, tzinfo=UTC).timestamp()))
        == 60.0
    )
    assert parse_retry_after("soon", 0) is None
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 2_000_000_000) == 0.0


def test_what_is_sent_is_json_that_says_everything() -> None:
    with receiving() as receiver:
        WebhookSender(receiver.url, timestamp).send_notice(
            notice(value=0.3, version="v1", owner="a@example.com", labels={"team": "x"})
        )
    (_headers, body) = receiver.got[0]
    assert json.loads(body) == {
        "format": "mlspec/notice/v1", "id": "n1", "forecast": "demand", "alert": "accuracy", "kind": "alert", "state": "firing",
        "severity": "critical", "at": NOW, "since": NOW, "message": "wape is 0.3 · zu hoch", "version": "v1", "value": 0.3,
        "owner": "a@example.com", "labels": {"team": "x"},
    }  # fmt: skip


def test_the_message_in_the_documents_has_the_keys_of_a_real_one() -> None:
    text = (Path(__file__).parent.parent.parent / "docs/notifications.md").read_text()
    shown = json.loads(text.split("```json\n")[1].split("```")[0])
    assert shown.keys() == as_message(notice()).keys()
    assert shown["format"] == as_message(notice())["format"]
