"""The `notify` part of a forecast's spec: who is told, by which kind of receiver, and by the name of which secret."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mlspec.spec.fields import MailAddress, Many, SecretName, Severity, TopicName
from mlspec.spec.part import Part


class Webhook(Part):
    """A webhook whose URL is a secret."""

    secret: SecretName = Field(description="Name of the secret that holds the URL; never the URL itself.")


class SlackChannel(Part):
    """A channel of Slack, by its incoming webhook."""

    secret: SecretName = Field(description="Name of the secret that holds the incoming webhook's URL.")


class TeamsChannel(Part):
    """A channel or chat of Microsoft Teams, by the webhook of a workflow."""

    secret: SecretName = Field(description="Name of the secret that holds the URL of the workflow's webhook.")


class PagerDutyService(Part):
    """A service of PagerDuty, by its integration for the Events API v2."""

    secret: SecretName = Field(description="Name of the secret that holds the integration key (routing key).")
    region: Literal["us", "eu"] = Field(default="us", description="Where the PagerDuty account is.")


class SmtpServer(Part):
    """A mail server, with account and password."""

    secret: SecretName = Field(
        description="Name of the secret that holds the server's address: `smtp://USER:PASSWORD@HOST:587?from=SENDER` "
        "(STARTTLS), or `smtps://` with TLS from the beginning."
    )


class MailRecipients(Part):
    """People who get notices by e-mail."""

    to: Many[MailAddress] = Field(min_length=1, max_length=20, description="Addresses that get each notice.")
    smtp: SmtpServer = Field(description="The mail server, by the name of its secret.")


class Notify(Part):
    """Where notices are sent: one of `pubsub`, `webhook`, `slack`, `teams`, `pagerduty` and `email`."""

    pubsub: TopicName | None = Field(default=None, description="Name of a Pub/Sub topic.")
    webhook: Webhook | None = Field(default=None, description="A webhook, by the name of its secret.")
    slack: SlackChannel | None = Field(
        default=None, description="A channel of Slack, by the name of its webhook's secret."
    )
    teams: TeamsChannel | None = Field(
        default=None, description="A channel of Microsoft Teams, by the name of its workflow's secret."
    )
    pagerduty: PagerDutyService | None = Field(
        default=None, description="A service of PagerDuty, by the name of its key's secret."
    )
    email: MailRecipients | None = Field(default=None, description="People who get an e-mail.")
    severity: Severity = Field(default="info", description="Lowest severity of the notices that are sent here.")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of receiver that are set; one, unless the spec is wrong."""
        return tuple(kind for kind in RECEIVER_KINDS if getattr(self, kind) is not None)

    @property
    def secret_name(self) -> str | None:
        """The name of the secret that the receiver needs; None for a topic."""
        if self.email is not None:
            return self.email.smtp.secret
        receiver = self.webhook or self.slack or self.teams or self.pagerduty
        return receiver.secret if receiver else None


RECEIVER_KINDS = ("pubsub", "webhook", "slack", "teams", "pagerduty", "email")
