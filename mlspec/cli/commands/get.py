"""`mlspec get`: all of one forecast on a page."""

from __future__ import annotations

import json
from dataclasses import replace

import click

from mlspec.cli import options
from mlspec.cli.commands.status import as_json as status_json
from mlspec.cli.complete import complete_names
from mlspec.cli.describe_text import ForecastDescription, as_text
from mlspec.cli.project import find_root, known_forecasts, load_default_specs
from mlspec.cli.target import open_here, timestamp
from mlspec.clock import utc_now
from mlspec.engine.history_json import event_json, release_json, version_json
from mlspec.engine.status import find_status, without_spec
from mlspec.errors import Exit, StateError
from mlspec.plan.releases import release_spec
from mlspec.plan.select import known_name
from mlspec.spec.forecast import Metadata
from mlspec.state.record import Release
from mlspec.targets.base import Target


@click.command(short_help="Show all of one forecast: conditions, traffic, errors, alerts, versions.")
@click.argument("name", shell_complete=complete_names)
@options.target
@options.output("text", "json")
@click.option("--limit", type=click.IntRange(min=1), default=5, show_default=True, help="Versions and events in text.")
def command(name: str, target: str, output: str, limit: int) -> int:
    """Show all of one forecast: its conditions, how traffic is split, its realised errors beside the backtest's, its alerts.

    Below them what needs somebody, the newest versions and events. `mlspec status` lists all forecasts, `mlspec history` all that
    happened to one.
    """
    loaded = load_default_specs(find_root(), target)
    opened = open_here(target)
    known_name(name, known_forecasts(loaded, opened))
    metadata = next((spec.forecast.metadata for spec in loaded.specs if spec.name == name), None)
    described = _describe(opened, name, metadata)
    if metadata is None and not loaded.faults:
        described = replace(described, status=without_spec(described.status))
    if output == "json":
        click.echo(json.dumps(_as_json(described), indent=2, allow_nan=False))
    else:
        shown = ForecastDescription(
            described.status, described.description, described.owner, described.releases, described.versions[:limit],
            described.events[:limit], described.release,
        )  # fmt: skip
        click.echo(as_text(shown, timestamp()))
    return Exit.DONE if described.status.is_readable else Exit.FAILED


def _describe(target: Target, name: str, metadata: Metadata | None) -> ForecastDescription:
    """Return what is known of a forecast. `metadata` is that of its spec; without one, that of its newest release counts."""
    status = find_status(target, name, utc_now())
    if not status.is_readable:
        return ForecastDescription(status, "", "", (), (), (), None)
    releases = target.load_releases(name)
    if metadata is None and releases:
        metadata = _recorded_metadata(releases[0])
    return ForecastDescription(
        status=status,
        description=(metadata.description if metadata else None) or "",
        owner=(metadata.owner if metadata else None) or "",
        releases=releases,
        versions=target.load_versions(name),
        events=target.load_events(name),
        release=target.observe_forecast(name).find_fact("deployment", "release"),
    )


def _recorded_metadata(release: Release) -> Metadata | None:
    try:
        return release_spec(release).metadata
    except StateError:  # `status` says what is wrong with the record
        return None


def _as_json(described: ForecastDescription) -> dict[str, object]:
    """Return what `status` says of the forecast, and its description, owner, releases, versions and events."""
    bad = described.status.ledger.quarantined_versions
    return {
        **status_json(described.status),
        "description": described.description or None,
        "owner": described.owner or None,
        "release": described.release,
        "releases": [release_json(release, described.release, bad) for release in described.releases],
        "versions": [version_json(version, bad) for version in described.versions],
        "events": [event_json(event) for event in described.events],
    }
