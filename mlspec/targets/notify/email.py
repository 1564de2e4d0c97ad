"""Sends a notice by e-mail, over SMTP with TLS: STARTTLS (smtp://) or from the beginning (smtps://). Never without TLS.

The secret is the server's address with account and password: `smtp://USER:PASSWORD@HOST:587?from=SENDER`. Characters that have a
meaning in an address are percent-encoded there. Without `from` the account is the sender. RFC 3207, RFC 6409, RFC 8314.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from mlspec.log_context import hide_secret
from mlspec.state.notice import Notice
from mlspec.targets.notify import deadline
from mlspec.targets.notify.base import DeliveryError
from mlspec.targets.notify.checked_socket import open_checked_socket
from mlspec.targets.notify.deadline import CutOff, finish_in_time
from mlspec.targets.notify.notice_text import PAGE_TEXT, clip, facts_of, one_line, title_of

_PORTS = {"smtp": 587, "smtps": 465}
_MOST_SUBJECT = 150
_READY = 220  # the status of a server that takes commands
_POLICY = SMTP.clone(cte_type="7bit")  # a server need not take bytes above 127
_FORM = "smtp://USER:PASSWORD@HOST:587?from=SENDER"


@dataclass(frozen=True, slots=True, repr=False)
class MailServer:
    """A mail server. `has_tls_at_once`: TLS from the first byte, instead of STARTTLS."""

    host: str
    port: int
    user: str
    password: str
    sender: str
    has_tls_at_once: bool


def read_server(secret: str) -> MailServer:
    """Return the server that a secret names. Raises DeliveryError, without a word of the secret, if it names none."""
    try:
        parts = urlsplit(hide_secret(secret.strip()))
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise _no_server() from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    sender = parse_qs(parts.query).get("from", [user])[0]
    if parts.scheme not in _PORTS or not parts.hostname or bool(user) != bool(password) or not _is_address(sender):
        raise _no_server()
    if password:
        hide_secret(password)
    return MailServer(parts.hostname, port, user, password, sender, parts.scheme == "smtps")


def _no_server() -> DeliveryError:
    return DeliveryError(f"the secret holds no mail server of the form {_FORM}", permanent=True)


def _is_address(text: str) -> bool:
    name, at, domain = text.rpartition("@")
    return bool(name and at and domain) and text.isprintable() and not set(text) & set(" <>,;")


class EmailSender:
    """Sends to some people by one server. `address` is the secret's value, `clock` returns RFC 3339, `allowed` as for a webhook."""

    def __init__(self, address: str, to: Sequence[str], clock: Callable[[], str], allowed: Sequence[str] = ()) -> None:
        self._server, self._to = read_server(address), tuple(to)
        self._clock, self._allowed = clock, tuple(allowed)

    def send_notice(self, notice: Notice) -> str:
        """Send the message and return what was answered. Raises DeliveryError unless everybody in `to` was accepted in time."""
        message = mail_of(notice, self._server.sender, self._to, self._clock())
        try:
            finish_in_time(lambda cut_off: self._submit(message, cut_off))
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused_recipients(error.recipients, len(self._to)) from None
        except smtplib.SMTPResponseException as error:
            raise DeliveryError(f"it answered {error.smtp_code}", permanent=error.smtp_code >= 500) from None
        except smtplib.SMTPNotSupportedError as error:
            raise DeliveryError(
                f"it lacks what is needed ({_lacking(error)}), so nothing is sent", permanent=True
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise DeliveryError(f"its certificate is not valid: {error.verify_message}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(f"no answer: {type(error).__name__}") from None
        return f"it accepted the message for {len(self._to)} of {len(self._to)} recipients"

    def _submit(self, message: EmailMessage, cut_off: CutOff) -> None:
        server, context = self._server, ssl.create_default_context()
        client = _CheckedSmtp(server, context, cut_off, self._allowed)
        try:
            code, said = client.connect(server.host, server.port)
            if code != _READY:
                raise smtplib.SMTPConnectError(code, said)
            if not server.has_tls_at_once:
                client.starttls(context=context)
            if server.user:
                client.login(server.user, server.password)
            refused = client.send_message(message, server.sender, list(self._to))
            if refused:
                raise smtplib.SMTPRecipientsRefused(refused)
        finally:
            client.close()


def _lacking(error: smtplib.SMTPNotSupportedError) -> str:
    return "STARTTLS" if "STARTTLS" in str(error) else "AUTH or SMTPUTF8"


def _refused_recipients(refused: dict[str, tuple[int, bytes]], count: int) -> DeliveryError:
    """Return the error for recipients that were refused. The others have the message; a retry sends it to all again."""
    codes = sorted({code for code, _ in refused.values()})
    said = f"it refused {len(refused)} of {count} recipients ({', '.join(map(str, codes))})"
    return DeliveryError(said, permanent=all(code >= 500 for code in codes))


class _CheckedSmtp(smtplib.SMTP):
    """A client whose socket goes to an allowed address, with TLS at once if the server wants it. It connects when it is told to."""

    def __init__(self, server: MailServer, context: ssl.SSLContext, cut_off: CutOff, allowed: Sequence[str]) -> None:
        super().__init__(local_hostname="localhost", timeout=deadline.DEADLINE)
        self._host = server.host  # the name in the certificate, which starttls asks for
        self._tls_at_once, self._context = server.has_tls_at_once, context
        self._cut_off, self._allowed = cut_off, allowed

    def _get_socket(
        self, host: str, port: int, timeout: Any
    ) -> socket.socket:  # smtplib's own hook: SMTP_SSL overrides it too
        opened = open_checked_socket(host, port, self._cut_off, self._allowed)
        opened.settimeout(timeout)
        return self._context.wrap_socket(opened, server_hostname=host) if self._tls_at_once else opened


def mail_of(notice: Notice, sender: str, to: Sequence[str], now: str) -> EmailMessage:
    """Return the message. The same notice has the same Message-ID, so that a mail server can drop what it has seen."""
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = clip(one_line(f"[{notice.severity}] {title_of(notice)}"), _MOST_SUBJECT)
    message["From"], message["To"] = sender, ", ".join(to)
    message["Date"] = format_datetime(datetime.fromisoformat(now))
    message["Message-ID"] = f"<{notice.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    facts = "\n".join(f"{one_line(name)}: {one_line(value)}" for name, value in facts_of(notice).items())
    page = "" if notice.url is None else f"\n{PAGE_TEXT}: {notice.url}\n"
    message.set_content(f"{notice.message}\n\n{facts}\n{page}")
    return message
