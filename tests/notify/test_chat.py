"""Slack, Teams, PagerDuty and a mail server get each notice in the form that they take, and no secret is said."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime, timedelta
from email import message_from_string
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from mlspec.cli.log_setup import clean
from mlspec.cli.senders import NoticeSettings, sender_factory
from mlspec.cli.target import timestamp
from mlspec.engine.deliver import deliver_notices
from mlspec.plan.delivery import notice_receivers
from mlspec.spec.receivers import Notify
from mlspec.state.notice import Notice, PendingNotice, as_message, as_record
from mlspec.state.observed import Settlement
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.notify import pagerduty
from mlspec.targets.notify.base import DeliveryError, NoticeSender
from mlspec.targets.notify.email import EmailSender, mail_of, read_server
from mlspec.targets.notify.notice_text import facts_of
from mlspec.targets.notify.pagerduty import PagerDutySender, alert_event, change_event, dedup_key
from mlspec.targets.notify.slack import SlackSender, slack_message
from mlspec.targets.notify.teams import TeamsSender, teams_message
from tests.notify.receiver import LOOPBACK, receiving
from tests.notify.strict import (
    MailRules,
    Refusal,
    judge_pagerduty,
    judge_slack,
    judge_teams,
    mail_server,
    strictly_receiving,
)
from tests.notify.test_webhook import notice

SLACK, TEAMS = (
    "/services/T0AB1/B0CD2/cafeSecretPath",
    "/workflows/cafe-secret-path/triggers/manual/paths/invoke?sig=cafeSecret",
)
KEY = "cafe5ecret" + "0" * 22  # an integration key
TO = ("planner@example.com", "oncall@example.com")
HOSTILE = "<!channel> & <@U1> [x](http://evil) <at>all</at> *b* `c` \r\nBcc: a@example.com \x1b[31m \u202e"
PAGE = "https://forecasts.example.com/acme/forecasts/demand"
ALL = [
    notice(), notice(state="resolved", value=0.1), notice(state="data-back"),
    notice(state="no-data", severity="warning", alert="stale"),
    notice(alert=None, kind="rollback", state="rolled-back", version="v1"), notice(alert=None, kind="hold", state="held"),
    notice(alert=None, kind="stalled", state="stalled", severity="warning"),
    notice(alert=None, kind="rollout", state="stepped", severity="info", version="v2"),
    notice(alert=None, kind="rollout", state="rolled-out", severity="info"), notice(alert=None, kind="test", state="test"),
    notice(message=HOSTILE, owner=HOSTILE, labels={"team": HOSTILE}),
    notice(message="€" * 9_000, labels={f"l{n}": "x" * 63 for n in range(64)}),
    notice(message=""), notice(url=PAGE), notice(alert=None, kind="rollout", state="stepped", severity="info", url=PAGE),
]  # fmt: skip


@pytest.mark.parametrize("told", ALL, ids=range(len(ALL)))
def test_each_takes_every_notice(told: Notice) -> None:
    with strictly_receiving(judge_slack, 200) as slack:
        assert SlackSender(slack.url(SLACK), timestamp, LOOPBACK).send_notice(told) == "it answered 200"
    with strictly_receiving(judge_teams, 202) as teams:
        assert TeamsSender(teams.url(TEAMS), timestamp, LOOPBACK).send_notice(told) == "it answered 202"
    with strictly_receiving(judge_pagerduty, 202, 512 * 1024) as pager:  # 512 KB: the limit of an event
        assert PagerDutySender(KEY, timestamp, LOOPBACK, pager.url()).send_notice(told) == "it answered 202"
    assert (slack.refused, teams.refused, pager.refused) == ([], [], [])


@given(
    st.text(max_size=4_000),
    st.text(max_size=200),
    st.dictionaries(st.text(max_size=70), st.text(max_size=70), max_size=70),
)
def test_no_text_makes_a_message_that_is_refused(message: str, owner: str, labels: dict[str, str]) -> None:
    told = notice(message=message, owner=owner, labels=labels)
    for judge, path, body in (
        (judge_slack, SLACK, slack_message(told)), (judge_teams, TEAMS, teams_message(told)),
        (judge_pagerduty, "/v2/enqueue", alert_event(told, KEY)), (judge_pagerduty, "/v2/change/enqueue", change_event(told, KEY)),
    ):  # fmt: skip
        assert (
            len(json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")) <= 28 * 1024
            or judge is judge_pagerduty
        )
        judge(path, body)


def test_a_receiver_refuses_what_a_webhook_of_ours_gets() -> None:
    """What a plain webhook sends is answered 400 by each of them: so each has a form of its own."""
    for judge, path in ((judge_slack, SLACK), (judge_teams, TEAMS), (judge_pagerduty, "/v2/enqueue")):
        with pytest.raises(Refusal) as found:
            judge(path, as_message(notice()))
        assert found.value.status == 400


def test_text_is_never_markup() -> None:
    body = slack_message(notice(message=HOSTILE))
    assert "<" not in str(body["text"])
    assert "&lt;!channel&gt; &amp;" in str(body["text"])
    assert "mrkdwn" not in json.dumps(body)
    assert '"TextBlock"' not in json.dumps(teams_message(notice(message=HOSTILE)))  # Teams reads Markdown in it


def test_each_links_to_the_page_in_its_own_form_and_only_if_there_is_one() -> None:
    named = notice(url=PAGE)
    text = "Open the forecast's page"
    blocks: Any = slack_message(named)["blocks"]
    assert blocks[-1] == {"type": "section", "text": {"type": "mrkdwn", "text": f"<{PAGE}|{text}>"}}
    attachments: Any = teams_message(named)["attachments"]
    assert attachments[0]["content"]["actions"] == [{"type": "Action.OpenUrl", "title": text, "url": PAGE}]
    link = [{"href": PAGE, "text": text}]
    opened, changed = alert_event(named, KEY), change_event(named, KEY)
    assert (opened["client_url"], opened["links"], changed["links"]) == (PAGE, link, link)
    mail = mail_of(named, "mlspec@example.com", TO, timestamp()).get_content()
    assert f"\n{text}: {PAGE}\n" in mail
    assert as_message(named)["url"] == PAGE
    plain = notice()
    for message in (
        slack_message(plain),
        teams_message(plain),
        alert_event(plain, KEY),
        change_event(plain, KEY),
        as_message(plain),
    ):
        assert not {"url", "links", "client_url", "actions"} & set(json.dumps(message).split('"'))
    assert text not in mail_of(plain, "mlspec@example.com", TO, timestamp()).get_content()


@pytest.mark.parametrize("base", ["https://forecasts.example.com/acme", "https://forecasts.example.com/acme/"])
def test_a_notice_is_linked_when_it_is_sent_and_no_link_is_recorded(base: str) -> None:
    with receiving() as receiver:
        settings = NoticeSettings(LOOPBACK, base)
        sender_factory(lambda _name: receiver.url, timestamp, settings=settings)("webhook:w").send_notice(notice())
        sender_factory(lambda _name: receiver.url, timestamp, settings=NoticeSettings(LOOPBACK))(
            "webhook:w"
        ).send_notice(notice())
    linked, plain = (json.loads(body) for _, body in receiver.got)
    assert linked == {**plain, "url": PAGE}
    assert "url" not in as_record(notice(url=PAGE))


def test_an_escape_is_never_cut() -> None:
    text = str(slack_message(notice(message="<" * 3_000))["text"])
    assert len(text) <= 3_000
    assert text.rstrip("…").endswith("&lt;")


def test_a_label_replaces_no_fact_and_pushes_none_out() -> None:
    labels = {"owner": "team-a", "severity": "low", **{f"l{number}": "x" for number in range(9)}}
    told = notice(owner="ops@example.com", value=0.3, version="v1", labels=labels)
    facts = facts_of(told)
    assert (facts["owner"], facts["severity"]) == ("ops@example.com", "critical")
    assert (facts["label owner"], facts["label severity"]) == ("team-a", "low")
    for message in (slack_message(told), teams_message(told)):
        text = json.dumps(message, ensure_ascii=False)
        assert "mlspec get demand" in text
    fields: Any = slack_message(told)["blocks"]
    assert [field["text"] for field in fields[2]["fields"]][-2:] == ["l0: x", "more labels: 8"]
    assert "label severity: low" in mail_of(told, "a@example.com", TO, "2026-11-20T06:00:00Z").get_content()


# --- PagerDuty --------------------------------------------------------------------------------------------------------------------


def test_the_end_of_an_incident_resolves_what_its_beginning_opened() -> None:
    with strictly_receiving(judge_pagerduty, 202) as pager:
        sender = PagerDutySender(KEY, timestamp, LOOPBACK, pager.url())
        sender.send_notice(notice(id="n1"))
        sender.send_notice(notice(id="n3", state="resolved"))
    events = [body for _, body in pager.accepted]
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert {event["dedup_key"] for event in events} == {"mlspec/demand/accuracy"}


def test_lost_data_that_somebody_has_acknowledged_does_not_swallow_the_alert_that_fires_later() -> None:
    """PagerDuty notifies nobody of a second trigger with the key of an incident that is open."""
    lost, fires = notice(id="n1", state="no-data", severity="warning"), notice(id="n2")
    again = notice(id="n3", state="no-data", severity="warning")
    assert len({dedup_key(each) for each in (lost, fires, again)}) == 3


def test_incidents_of_two_forecasts_or_alerts_are_two_and_so_are_two_rollbacks() -> None:
    told = [
        notice(), notice(forecast="bikes"), notice(alert="bias"),
        notice(id="r1", alert=None, kind="rollback"), notice(id="r2", alert=None, kind="rollback"),
    ]  # fmt: skip
    assert len({dedup_key(each) for each in told}) == 5


def test_a_rollout_is_a_change_that_pages_nobody_and_a_test_is_resolved_at_once() -> None:
    with strictly_receiving(judge_pagerduty, 202) as pager:
        sender = PagerDutySender(KEY, timestamp, LOOPBACK, pager.url())
        sender.send_notice(notice(alert=None, kind="rollout", state="stepped", severity="info"))
        sender.send_notice(notice(alert=None, kind="test", state="test", severity="info"))
    assert [path for path, _ in pager.accepted] == ["/v2/change/enqueue", "/v2/enqueue", "/v2/enqueue"]
    assert [body.get("event_action") for _, body in pager.accepted] == [None, "trigger", "resolve"]


@pytest.mark.parametrize(
    "key", ["", "short", "x" * 33, "https://events.pagerduty.com/v2/enqueue", "with space" + "0" * 22]
)
def test_a_key_that_is_none_is_refused_without_being_said(key: str) -> None:
    with pytest.raises(DeliveryError, match="no integration key") as found:
        PagerDutySender(key, timestamp)
    assert found.value.permanent
    assert not key or key not in str(found.value)


# --- what fails -------------------------------------------------------------------------------------------------------------------


def sender_to(kind: str, url: str) -> NoticeSender:
    if kind == "pagerduty":
        return PagerDutySender(KEY, timestamp, LOOPBACK, url.removesuffix("/hooks/cafe-secret-path"))
    return (SlackSender if kind == "slack" else TeamsSender)(url, timestamp, LOOPBACK)


@pytest.mark.parametrize("kind", ["slack", "teams", "pagerduty"])
@pytest.mark.parametrize(("answer", "lasting", "after"), [
    ((500, {}), False, None), ((429, {"retry-after": "30"}), False, 30.0), ((400, {}), True, None), ((403, {}), True, None),
    ((404, {}), True, None), ((410, {}), True, None), ((302, {"location": "http://127.0.0.1:1/"}), True, None), (None, False, None),
])  # fmt: skip
def test_retry_and_give_up_follow_the_rules_of_webhooks(
    kind: str, answer: tuple[int, dict[str, str]] | None, lasting: bool, after: float | None
) -> None:
    with receiving(answer) as receiver, pytest.raises(DeliveryError) as found:
        sender_to(kind, receiver.url).send_notice(notice())
    assert (found.value.permanent, found.value.retry_after) == (lasting, after)
    said = clean("".join(traceback.format_exception(found.value)))
    assert "cafe-secret" not in said
    assert KEY not in said


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_a_private_address_is_refused(kind: str) -> None:
    with receiving() as receiver:
        sender = (SlackSender if kind == "slack" else TeamsSender)(receiver.url, timestamp)
        with pytest.raises(DeliveryError, match="loopback address, where nothing is sent"):
            sender.send_notice(notice())
    assert receiver.got == []


# --- e-mail -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder, key = tmp_path_factory.mktemp("mail"), ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")]), datetime.now(UTC)  # noqa: TID251
    signed = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The same, trusted as the system's certificates are."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    return certificate


def address(port: int, scheme: str = "smtp", password: str = "pa%3Ass%2Fw%40rd") -> str:
    return f"{scheme}://mlspec%40example.com:{password}@127.0.0.1:{port}?from=forecasts@example.com"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_mail_goes_over_tls_to_everybody(trusted: tuple[Path, Path], scheme: str) -> None:
    with mail_server(trusted, MailRules(tls_at_once=scheme == "smtps")) as box:
        sender = EmailSender(address(box.port, scheme), TO, timestamp, LOOPBACK)
        assert (
            sender.send_notice(notice(message="wape is 0.3 · zu hoch"))
            == "it accepted the message for 2 of 2 recipients"
        )
    ((envelope, to, text),) = box.mails
    assert (envelope, tuple(to), box.plain_text_secrets) == ("forecasts@example.com", TO, 0)
    mail = message_from_string(text, policy=default)
    assert mail["subject"] == "[critical] demand: accuracy fires"
    assert (mail["from"], mail["to"], mail["message-id"]) == (envelope, ", ".join(TO), "<n1@example.com>")
    assert mail["auto-submitted"] == "auto-generated"
    assert mail.get_content().startswith("wape is 0.3 · zu hoch")
    assert "see: mlspec get demand" in mail.get_content()


@pytest.mark.parametrize("told", ALL, ids=range(len(ALL)))
def test_a_mail_has_no_header_but_its_own(told: Notice) -> None:
    mail = message_from_string(mail_of(told, "a@example.com", TO, timestamp()).as_string(), policy=default)
    assert {key.lower() for key in mail} == {
        "subject", "from", "to", "date", "message-id", "auto-submitted", "content-type", "content-transfer-encoding",
        "mime-version",
    }  # fmt: skip


@pytest.mark.parametrize(("rules", "problem", "lasting"), [
    (MailRules(password="another"), "it answered 535", True),
    (MailRules(has_starttls=False), "it lacks what is needed (STARTTLS)", True),
    (MailRules(greeting=421), "it answered 421", False),
    (MailRules(greeting=554), "it answered 554", True),
    (MailRules(refuses=((TO[0], 550), (TO[1], 550))), "it refused 2 of 2 recipients (550)", True),
    (MailRules(refuses=((TO[1], 550),)), "it refused 1 of 2 recipients (550)", True),
    (MailRules(refuses=((TO[1], 450),)), "it refused 1 of 2 recipients (450)", False),
])  # fmt: skip
def test_a_mail_that_is_refused_says_by_which_status(
    trusted: tuple[Path, Path], rules: MailRules, problem: str, lasting: bool
) -> None:
    with mail_server(trusted, rules) as box, pytest.raises(DeliveryError) as found:
        EmailSender(address(box.port), TO, timestamp, LOOPBACK).send_notice(notice())
    assert (problem in found.value.problem, found.value.permanent) == (True, lasting), found.value.problem
    assert box.plain_text_secrets == 0
    said = clean("".join(traceback.format_exception(found.value)))
    assert "pa:ss" not in said
    assert "pa%3Ass" not in said


def test_a_certificate_that_nobody_signed_gets_no_password(certificate: tuple[Path, Path]) -> None:
    with mail_server(certificate) as box, pytest.raises(DeliveryError, match="its certificate is not valid"):
        EmailSender(address(box.port), TO, timestamp, LOOPBACK).send_notice(notice())
    assert "AUTH" not in box.said


def test_a_mail_server_is_at_a_public_address_unless_a_project_allows_another(certificate: tuple[Path, Path]) -> None:
    with mail_server(certificate) as box, pytest.raises(DeliveryError, match="loopback address, where nothing is sent"):
        EmailSender(address(box.port), TO, timestamp).send_notice(notice())
    assert box.said == []


def test_a_mail_server_that_says_nothing_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr("mlspec.targets.notify.deadline.DEADLINE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(DeliveryError) as found:
        EmailSender(address(silent.getsockname()[1]), TO, timestamp, LOOPBACK).send_notice(notice())
    assert (found.value.permanent, "no answer" in found.value.problem) == (False, True)


@pytest.mark.parametrize("secret", [
    "", "mail.example.com", "http://u:p@h", "smtp://h:587", "smtp://user:secret5@h:587", "smtp://a@b.c@h:99999",
    "smtp://u%40x.y@h:587", "smtp://u%40x.y:p@h:587?from=a%0d%0aBcc:b@c.d", "smtp://u%40x.y:p@h:587?from=a@b.c,d@e.f",
])  # fmt: skip
def test_a_secret_that_names_no_server_is_refused_without_being_said(secret: str) -> None:
    with pytest.raises(DeliveryError, match="no mail server of the form") as found:
        read_server(secret)
    assert found.value.permanent
    assert "secret5" not in clean("".join(traceback.format_exception(found.value)))


def test_a_password_is_hidden_also_as_it_is_written() -> None:
    read_server("smtp://u%40x.y:hunter%2Ftwo-three@h.example.com:587")
    assert clean("hunter/two-three and hunter%2Ftwo-three") != "hunter/two-three and hunter%2Ftwo-three"
    assert "hunter/two" not in clean("it said hunter/two-three")


# --- from the spec to the receiver ------------------------------------------------------------------------------------------------


def test_a_receivers_name_says_its_kind_and_no_address_of_a_server() -> None:
    receivers = [
        Notify.model_validate(value)
        for value in (
            {"pubsub": "top-ic"}, {"webhook": {"secret": "w"}}, {"slack": {"secret": "s"}}, {"teams": {"secret": "t"}},
            {"pagerduty": {"secret": "p"}}, {"pagerduty": {"secret": "p", "region": "eu"}},
            {"email": {"to": list(TO), "smtp": {"secret": "m"}}},
        )
    ]  # fmt: skip
    assert notice_receivers(receivers, notice()) == (
        "pubsub:top-ic", "webhook:w", "slack:s", "teams:t", "pagerduty:p", "pagerduty:p:eu", f"email:m:{','.join(TO)}",
    )  # fmt: skip


def test_the_outbox_delivers_to_every_kind(
    tmp_path: Path, trusted: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    at = "2026-11-20T06:00:00Z"
    with (
        strictly_receiving(judge_slack, 200) as slack, strictly_receiving(judge_teams, 202) as teams,
        strictly_receiving(judge_pagerduty, 202) as pager, mail_server(trusted) as box,
    ):  # fmt: skip
        monkeypatch.setitem(pagerduty.HOSTS, "eu", pager.url())
        secrets = {"s": slack.url(SLACK), "t": teams.url(TEAMS), "p": KEY, "m": address(box.port)}
        names = ["slack:s", "teams:t", "pagerduty:p:eu", f"email:m:{','.join(TO)}"]
        target = LocalTarget(tmp_path / ".mlspec")
        pending = tuple(PendingNotice(notice(), name, 0, at) for name in names)
        target.record_settlement(Settlement("demand", notices=pending), at)
        attempts = deliver_notices(
            target, sender_factory(secrets.__getitem__, lambda: at, None, NoticeSettings(LOOPBACK)), lambda: at
        )
    assert {each.pending.receiver: each.problem for each in attempts} == dict.fromkeys(names, "")
    assert [len(found) for found in (slack.accepted, teams.accepted, pager.accepted, box.mails)] == [1, 1, 1, 1]
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    for secret in ("cafeSecret", KEY, "pa:ss/w@rd", "pa%3Ass"):
        assert secret.encode() not in stored
        assert secret not in clean(caplog.text)
