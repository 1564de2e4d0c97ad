"""The `kind: Project` document, mlspec.yaml: the targets, and the defaults of all specs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field

from mlspec.spec.fields import Many, Name, Network, WebAddress
from mlspec.spec.gcp.settings import GcpTargetSettings
from mlspec.spec.package_settings import PackageTypes, UncheckedSettings
from mlspec.spec.part import Part
from mlspec.spec.retention import Retention


class LocalTargetSettings(Part):
    """This machine: one folder, and a database if a team shares the target."""

    type: Literal["local"] = Field(description="Which kind of target this is.")
    path: str = Field(
        default=".mlspec", min_length=1, max_length=255, description="Folder, relative to the project's root."
    )
    state: str | None = Field(
        default=None, min_length=1, max_length=1024,
        description="URL of the PostgreSQL database that holds the state, without a password; the folder holds it, if left out. "
        "If the database is not on this machine, `sslmode` is required in it.",
        examples=["postgresql://db.example.com/forecasts?sslmode=verify-full"],
    )  # fmt: skip
    protect: bool = Field(default=False, description="Ask for approval before every apply.")


# One class a kind of target; `engine.target_kinds` says what each kind brings.
TargetSettings = Annotated[LocalTargetSettings | GcpTargetSettings, Field(discriminator="type")]
if TYPE_CHECKING:  # the checker cannot know what the marker keeps
    AnyTargetSettings: TypeAlias = TargetSettings | UncheckedSettings
else:
    AnyTargetSettings = Annotated[TargetSettings, PackageTypes()]


class WebhookLimits(Part):
    """Where webhooks and other receivers of notices may be."""

    private_networks: Many[Network] = Field(
        default=(),
        description="Networks that are not public, and where receivers of notices may be. Nothing is sent to any "
        "other private, loopback or link-local address.",
        examples=[["10.20.0.0/16"]],
    )


class Project(Part):
    """The settings that all specs of one project share."""

    apiVersion: Literal["mlspec/v1"] = Field(description="Version of the spec language.")  # noqa: N815
    kind: Literal["Project"] = Field(description="What this document is.")
    name: Name = Field(description="The project's name.")
    defaults: dict[str, Any] = Field(
        default={}, description="Any part of a Forecast; a spec's own values take precedence."
    )
    webhooks: WebhookLimits = Field(
        default=WebhookLimits(),
        description="Limits on the receivers that specs name under `notify`: webhooks, Slack, Teams, mail servers.",
    )
    external_url: WebAddress | None = Field(
        default=None,
        description="The address under which people reach the pages of `mlspec serve`. Each notice links to the page of its "
        "forecast there; it has no link, if left out.",
        examples=["https://forecasts.example.com"],
    )
    language: Literal["en", "pt-BR"] = Field(
        default="en",
        description="The language of pages, reports and plans as pages: English or Brazilian Portuguese. `--language`, and what a "
        "reader's browser asks for, go before it.",
    )
    targets: dict[Name, AnyTargetSettings] = Field(
        default={},
        description="Where forecasts run; `local` needs no entry. Packages may bring other types (docs/own-target.md).",
    )
    retention: Retention | None = Field(
        default=None,
        description="What the loop and `mlspec prune` remove from the record; nothing is removed, if left out.",
    )
