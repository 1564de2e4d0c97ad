"""Receivers that refuse what Slack, Teams' workflows, PagerDuty and a mail server refuse, by their documentation."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.notify.receiver import serving

Json = dict[str, Any]
Judge = Callable[[str, Json], int]  # the status for a path and a body


@dataclass
class StrictReceiver:
    """`accepted` are the bodies that it took, with their paths; `refused` says of each other one why."""

    port: int = 0
    accepted: list[tuple[str, Json]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def url(self, path: str = "") -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}{path}"


class Refusal(Exception):
    """What the receiver answers instead of accepting."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def need(holds: object, why: str, status: int = 400) -> None:
    """Refuse unless something holds."""
    if not holds:
        raise Refusal(status, why)


@contextmanager
def strictly_receiving(
    judge: Callable[[str, Json], None], status: int, most: int = 28 * 1024
) -> Iterator[StrictReceiver]:
    """Run a receiver that answers `status` to what `judge` lets pass, of at most `most` bytes."""
    found = StrictReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = status
            try:
                need(self.headers["content-type"].partition(";")[0] == "application/json", "not JSON by its header")
                value = json.loads(body)
                need(isinstance(value, dict), "no object")
                need(len(body) <= most, "too long", 413)
                judge(self.path, value)
                found.accepted.append((self.path, value))
            except ValueError:
                found.refused.append("invalid JSON")
                answer = 400
            except Refusal as refusal:
                found.refused.append(str(refusal))
                answer = refusal.status
            self.send_response(answer)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with serving(Handler) as found.port:
        yield found


# --- Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, https://docs.slack.dev/reference/block-kit/blocks


def _slack_text(value: Any, kinds: tuple[str, ...], most: int) -> None:
    need(isinstance(value, dict) and set(value) <= {"type", "text", "emoji", "verbatim"}, "invalid_blocks")
    need(value["type"] in kinds, "invalid_blocks")
    need(isinstance(value["text"], str) and 1 <= len(value["text"]) <= most, "invalid_blocks")


def judge_slack(path: str, body: Json) -> None:
    """Refuse what an incoming webhook of Slack refuses."""
    need(re.fullmatch(r"/services/T[0-9A-Z]+/B[0-9A-Z]+/[0-9A-Za-z]+", path), "no_service", 404)
    need(set(body) <= {"text", "blocks", "attachments", "thread_ts", "mrkdwn", "unfurl_links"}, "invalid_payload")
    need(isinstance(body.get("text"), str) and body["text"], "no_text")
    need(len(body["text"]) <= 40_000, "msg_too_long")
    blocks = body.get("blocks", [])
    need(isinstance(blocks, list) and len(blocks) <= 50, "invalid_blocks")
    for block in blocks:
        if block["type"] == "header":
            _slack_text(block["text"], ("plain_text",), 150)
        elif block["type"] == "section":
            need("text" in block or block.get("fields"), "invalid_blocks")
            if "text" in block:
                _slack_text(block["text"], ("plain_text", "mrkdwn"), 3000)
            need(len(block.get("fields", [1])) in range(1, 11), "invalid_blocks")
            for one in block.get("fields", []):
                _slack_text(one, ("plain_text", "mrkdwn"), 2000)
        else:
            raise Refusal(400, "invalid_blocks")


# --- Teams: https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook, https://adaptivecards.io/explorer (1.4)


_ELEMENTS = {
    "RichTextBlock": {"type", "inlines", "spacing", "separator", "horizontalAlignment", "isVisible", "id"},
    "TextBlock": {"type", "text", "wrap", "weight", "size", "color", "isSubtle", "spacing"},
}
_RUN = {
    "type",
    "text",
    "weight",
    "size",
    "color",
    "isSubtle",
    "italic",
    "highlight",
    "strikethrough",
    "underline",
    "fontType",
}
_COLOURS = {"default", "dark", "light", "accent", "good", "warning", "attention"}


def judge_teams(path: str, body: Json) -> None:
    """Refuse what a workflow's webhook refuses, and a card that Teams does not show."""
    need(path.startswith("/workflows/"), "no workflow", 404)
    need(body.get("type") == "message", "the property 'type' must be 'message'")
    need(isinstance(body.get("attachments"), list) and len(body["attachments"]) == 1, "one attachment is expected")
    (attachment,) = body["attachments"]
    need(attachment.get("contentType") == "application/vnd.microsoft.card.adaptive", "no Adaptive Card")
    card = attachment.get("content")
    need(isinstance(card, dict) and card.get("type") == "AdaptiveCard", "no Adaptive Card")
    need(card.get("version") in ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5"), "a version that Teams does not show")
    need(card.get("body"), "an empty card")
    need(set(card) <= {"$schema", "type", "version", "msteams", "body", "actions"}, "an unknown part of a card")
    for action in card.get("actions", []):
        need(set(action) == {"type", "title", "url"} and action["type"] == "Action.OpenUrl", f"unknown action {action}")
        need(action["url"].startswith("https://"), "a link that Teams does not open")
    for element in card["body"]:
        need(
            element.get("type") in _ELEMENTS and set(element) <= _ELEMENTS[element["type"]],
            f"unknown element {element}",
        )
        for run in element.get("inlines", []):
            need(run.get("type") == "TextRun" and set(run) <= _RUN and run.get("text"), f"unknown inline {run}")
            need(run.get("color", "default") in _COLOURS, f"unknown colour {run}")


# --- PagerDuty: https://developer.pagerduty.com/docs/events-api-v2/trigger-events, …/change-events


def judge_pagerduty(path: str, body: Json) -> None:
    """Refuse what the Events API v2 refuses."""
    need(path in ("/v2/enqueue", "/v2/change/enqueue"), "not found", 404)
    need(re.fullmatch(r"[0-9A-Za-z]{32}", str(body.get("routing_key"))), "'routing_key' is invalid")
    payload = body.get("payload")
    if path == "/v2/enqueue":
        need(body.get("event_action") in ("trigger", "acknowledge", "resolve"), "'event_action' is invalid")
        need(len(body.get("dedup_key", "")) <= 255, "'dedup_key' is longer than 255 characters")
        if body["event_action"] != "trigger":
            need(body.get("dedup_key"), "'dedup_key' is missing")
            return
        need(
            set(body)
            <= {"routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"},
            "?",
        )
        need(isinstance(payload, dict), "'payload' is missing")
        need(payload.get("severity") in ("critical", "error", "warning", "info"), "'severity' is invalid")
        need(payload.get("source"), "'source' is missing")
    else:
        need(set(body) <= {"routing_key", "payload", "links", "images"}, "unknown field of a change event")
    need(isinstance(payload, dict), "'payload' is missing")
    need(
        isinstance(payload.get("summary"), str) and 1 <= len(payload["summary"]) <= 1024,
        "'summary' is missing or too long",
    )
    for link in body.get("links", []):
        need(set(link) == {"href", "text"} and link["href"].startswith("https://"), "'links' is invalid")
    datetime.fromisoformat(payload.get("timestamp", "2024-01-01T00:00:00Z"))
    need(isinstance(payload.get("custom_details", {}), dict), "'custom_details' is no object")


# --- a mail server: RFC 5321, RFC 3207, RFC 4954


@dataclass
class MailBox:
    """`mails` are the messages that were taken: sender, recipients, text. `said` are the commands, without what they carry."""

    port: int = 0
    mails: list[tuple[str, list[str], str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    plain_text_secrets: int = 0


@dataclass(frozen=True)
class MailRules:
    """How the server behaves. `refuses` has the status for a recipient; `has_starttls`: whether it offers TLS."""

    user: str = "mlspec@example.com"
    password: str = "pa:ss/w@rd"
    refuses: tuple[tuple[str, int], ...] = ()
    has_starttls: bool = True
    tls_at_once: bool = False
    greeting: int = 220


@contextmanager
def mail_server(certificate: tuple[Path, Path], rules: MailRules = MailRules()) -> Iterator[MailBox]:
    """Run a mail server for the length of a block. `certificate` are the files of the certificate and of its key."""
    box = MailBox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with suppress(OSError, ssl.SSLError), connection, _Session(connection, box, rules, context) as session:
                session.run()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        box.port = listening.getsockname()[1]
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield box
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
            thread.join(5)


class _Session:
    """One connection: it takes nothing but in the order of the RFCs, and no account without TLS."""

    def __init__(self, connection: socket.socket, box: MailBox, rules: MailRules, context: ssl.SSLContext) -> None:
        self.rules, self.box, self.context = rules, box, context
        self.encrypted, self.known, self.sender, self.to = False, False, "", list[str]()
        self.connection: socket.socket = connection
        self.lines = connection.makefile("rb")

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_words: object) -> None:
        with suppress(OSError):
            self.lines.close()
        self.connection.close()

    def _encrypt(self) -> None:
        self.lines.close()
        self.connection = self.context.wrap_socket(self.connection, server_side=True, do_handshake_on_connect=False)
        self.connection.do_handshake()
        self.encrypted = True
        self.lines = self.connection.makefile("rb")

    def say(self, *lines: str) -> None:
        self.connection.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def run(self) -> None:
        if self.rules.tls_at_once:
            self._encrypt()
        self.say(f"{self.rules.greeting} mail.test ESMTP")
        while line := self.lines.readline().decode().rstrip("\r\n"):
            word, _, rest = line.partition(" ")
            self.box.said.append(word.upper())
            if word.upper() == "QUIT":
                return
            getattr(self, f"do_{word.lower()}", self._unknown)(rest)

    def _unknown(self, _rest: str) -> None:
        self.say("502 not implemented")

    def do_ehlo(self, _rest: str) -> None:
        offers = ["STARTTLS"] if self.rules.has_starttls and not self.encrypted else []
        offers += ["AUTH PLAIN LOGIN"] if self.encrypted or not self.rules.has_starttls else []
        self.say("250-mail.test", *(f"250-{offer}" for offer in offers), "250 SIZE 100000")

    def do_starttls(self, _rest: str) -> None:
        self.say("220 go ahead")
        self._encrypt()

    def do_auth(self, rest: str) -> None:
        self.box.plain_text_secrets += not self.encrypted
        kind, _, given = rest.partition(" ")
        if not self.encrypted:
            self.say("538 encryption required")
            return
        _, user, password = base64.b64decode(given).decode().split("\0") if kind == "PLAIN" else ("", "", "")
        self.known = (user, password) == (self.rules.user, self.rules.password)
        self.say("235 accepted" if self.known else "535 authentication failed")

    def do_mail(self, rest: str) -> None:
        if not self.known:
            self.say("530 authentication required")
            return
        self.sender, self.to = re.findall(r"<(.*?)>", rest)[0], []
        self.say("250 ok")

    def do_rcpt(self, rest: str) -> None:
        address = re.findall(r"<(.*?)>", rest)[0]
        status = dict(self.rules.refuses).get(address)
        if status is not None:
            self.say(f"{status} no such user {address}")
            return
        self.to.append(address)
        self.say("250 ok")

    def do_rset(self, _rest: str) -> None:
        self.say("250 ok")

    def do_data(self, _rest: str) -> None:
        if not (self.sender and self.to):
            self.say("503 bad sequence")
            return
        self.say("354 go on")
        text = ""
        while (line := self.lines.readline().decode()) != ".\r\n":
            if not line.endswith("\r\n"):
                self.say("550 bare line end")
                return
            text += line.removeprefix(".") if line.startswith("..") else line
        self.box.mails.append((self.sender, self.to, text))
        self.say("250 queued")
