"""A webhook gets each notice once it can, signed so that any receiver can check it; its address is never said."""

from __future__ import annotations

import json
import socket
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Checker

from mlspec.cli.log_setup import clean
from mlspec.cli.target import timestamp
from mlspec.state.notice import Notice, as_message
from mlspec.targets.notify import deadline
from mlspec.targets.notify.base import DeliveryError
from mlspec.targets.notify.http_delivery import parse_retry_after
from mlspec.targets.notify.webhook import WebhookSender
from tests.notify.receiver import LOOPBACK, RawReceiver, answering, receiving

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
        WebhookSender(f"{receiver.url}#{KEY}", timestamp, LOOPBACK).send_notice(notice())
    ((headers, body),) = receiver.got
    found = Checker(KEY).verify(body.decode(), headers)
    assert found["format"] == "mlspec/notice/v1"
    assert found["message"] == "wape is 0.3 · zu hoch"
    assert headers["webhook-id"] == "n1"
    with pytest.raises(Exception, match="signature"):
        Checker(KEY).verify(body.decode().replace("0.3", "0.1"), headers)


def test_an_address_without_a_key_is_itself_the_key() -> None:
    with receiving() as receiver:
        WebhookSender(receiver.url, timestamp, LOOPBACK).send_notice(notice())
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
        WebhookSender(f"{receiver.url}#{KEY}", timestamp, LOOPBACK).send_notice(notice())
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
        WebhookSender(url, timestamp, LOOPBACK).send_notice(notice())
    assert not found.value.permanent
    assert "cafe-secret" not in str(found.value)


@pytest.mark.parametrize(
    "address",
    ["", "ftp://x/y", "file:///etc/passwd", "just text", "http://", "https://[cafe-secret", "https://cafe-secret／x/y"],
)
def test_an_address_that_is_none_is_refused_without_being_said(address: str) -> None:
    with pytest.raises(DeliveryError, match="no http or https address") as found:
        WebhookSender(address, timestamp)
    assert found.value.permanent
    assert "cafe-secret" not in "".join(traceback.format_exception(found.value))


def test_retry_after_may_be_a_date() -> None:
    assert (
        parse_retry_after("Wed, 21 Oct 2026 07:28:00 GMT", int(datetime(2026, 10, 21, 7, 27, tzinfo=UTC).timestamp()))
        == 60.0
    )
    assert parse_retry_after("soon", 0) is None
    assert parse_retry_after("²", 0) is None  # a digit by Unicode, and no number
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 2_000_000_000) == 0.0


def test_what_is_sent_is_json_that_says_everything() -> None:
    with receiving() as receiver:
        WebhookSender(receiver.url, timestamp, LOOPBACK).send_notice(
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


# --- a receiver that takes its time, or says too much -----------------------------------------------------------------------------


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline that a test can wait for."""
    monkeypatch.setattr(deadline, "DEADLINE", 0.3)


def send_to(url: str) -> None:
    WebhookSender(f"{url}#{KEY}", timestamp, LOOPBACK).send_notice(notice())


def drip(receiver: RawReceiver, connection: socket.socket) -> None:
    """Answer byte by byte, each long before a client gives up waiting for one; in 2 s the answer is there."""
    pace = threading.Event()
    for byte in b"HTTP/1.1 204 No Content\r\nx-pad: " + b"p" * 60 + b"\r\n\r\n":
        receiver.send(connection, bytes([byte]))
        pace.wait(0.02)


@pytest.mark.usefixtures("hasty")
def test_an_answer_that_comes_byte_by_byte_is_no_answer_at_the_deadline() -> None:
    with answering(drip) as receiver, pytest.raises(DeliveryError, match=r"no answer within 0\.3 s") as found:
        send_to(receiver.url)
    assert not found.value.permanent
    assert receiver.sent < 90  # of 97 bytes: it was hung up on


def test_a_connection_that_is_past_its_deadline_is_closed_under_tls_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "DEADLINE", 0.3)

    def say_nothing(receiver: RawReceiver, connection: socket.socket) -> None:
        while connection.recv(65536):
            pass
        receiver.hung_up.set()

    with answering(say_nothing) as receiver:
        with pytest.raises(DeliveryError, match="no answer within"):
            send_to(receiver.url.replace("http:", "https:"))
        assert receiver.hung_up.wait(30)


@pytest.mark.usefixtures("hasty")
def test_a_name_that_nobody_resolves_in_time_holds_nothing_up_and_is_not_called_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers, real = threading.Event(), socket.getaddrinfo

    def slow(*words: object, **options: object) -> object:
        answers.wait(30)
        return real(*words, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with receiving() as receiver:
        with pytest.raises(DeliveryError, match="no answer within"):
            send_to(receiver.url)
        answers.set()
        for thread in threading.enumerate():
            if thread.name == "delivery":
                thread.join()
        assert receiver.got == []


def test_the_body_of_an_answer_is_not_read() -> None:
    most = 64 << 20

    def gush(receiver: RawReceiver, connection: socket.socket) -> None:
        connection.recv(65536)
        receiver.send(connection, b"HTTP/1.1 200 OK\r\n\r\n")
        while receiver.sent < most:
            receiver.send(connection, bytes(1 << 16))

    with answering(gush) as receiver:
        send_to(receiver.url)
        assert receiver.hung_up.wait(30)
    assert receiver.sent < most / 2  # what fits into the buffers of two sockets


# --- where a webhook may be -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [
    "127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0", "10.0.0.1", "192.168.1.1",
    "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "100.64.0.1", "168.63.129.16",
])  # fmt: skip
def test_an_address_that_is_not_public_is_refused_before_a_connection_is_made(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[object] = []

    def connect(_socket: socket.socket, address: object) -> None:
        called.append(address)
        raise ConnectionRefusedError

    with receiving() as receiver:
        monkeypatch.setattr(socket.socket, "connect", connect)
        url = receiver.url.replace("127.0.0.1", host)
        with pytest.raises(DeliveryError, match=r"webhooks\.private_networks") as found:
            WebhookSender(url, timestamp, ("127.0.0.2/32",)).send_notice(notice())
    assert not found.value.permanent  # once the project allows it, the notice goes out
    assert "cafe-secret" not in str(found.value)
    assert (called, receiver.got) == ([], [])


def names_are_at(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names be resolved to each of `answers` in turn, and refuse every connection. Return the addresses that are called."""
    called: list[str] = []
    left = list(answers)

    def resolve(_host: str, port: int, **_options: object) -> object:
        addresses = left.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def connect(_socket: socket.socket, address: tuple[str, int]) -> None:
        called.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    return called


def test_what_is_called_is_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    called = names_are_at(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    with pytest.raises(DeliveryError, match="no connection: ConnectionRefusedError"):
        WebhookSender("https://hooks.example.com/x", timestamp).send_notice(notice())
    assert called == ["93.184.216.34"]


def test_of_several_addresses_only_the_public_ones_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    called = names_are_at(monkeypatch, ["10.0.0.7", "93.184.216.34", "169.254.169.254", "93.184.216.35"])
    with pytest.raises(DeliveryError, match="no connection"):
        WebhookSender("https://hooks.example.com/x", timestamp).send_notice(notice())
    assert called == ["93.184.216.34", "93.184.216.35"]
