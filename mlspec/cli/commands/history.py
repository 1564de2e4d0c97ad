"""`mlspec history`: releases, versions and events, newest first."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.table import format_percent, format_table
from mlspec.cli.target import open_here
from mlspec.engine.history_json import event_json, release_json, release_state, version_json, version_state
from mlspec.plan.select import recorded_name
from mlspec.spec.metrics import MAIN
from mlspec.state.record import Release, Version


@click.command(short_help="List releases, versions and events, newest first.")
@click.argument("name", shell_complete=complete_names)
@options.target
@options.output("text", "json")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Rows of each kind, in text.")
def command(name: str, target: str, output: str, limit: int) -> None:
    """List what happened to a forecast: releases, versions and events, newest first."""
    opened_target = open_here(target)
    recorded_name(name, opened_target.forecast_names())
    releases, versions = opened_target.load_releases(name), opened_target.load_versions(name)
    events = opened_target.load_events(name)
    observed = opened_target.observe_forecast(name)
    serving, bad = observed.find_fact("deployment", "release"), observed.ledger.quarantined_versions
    if output == "json":
        value = {
            "releases": [release_json(release, serving, bad) for release in releases],
            "versions": [version_json(version, bad) for version in versions],
            "events": [event_json(event) for event in events],
        }
        click.echo(json.dumps(value, indent=2, allow_nan=False))
        return
    click.echo(_releases_table(releases[:limit], serving, bad))
    click.echo(f"\n{_versions_table(versions[:limit], bad)}\n")
    for event in events[:limit]:
        click.echo(f"{event.at}  {event.reason}: {printable(event.message)}")
    if len(events) > limit:
        click.echo(f"… and {len(events) - limit} older events (--limit shows more)")


def _releases_table(releases: Sequence[Release], serving: int | None, bad: frozenset[str]) -> str:
    rows = [
        [
            f"r{release.release}", release.version, release.created, release.spec_hash[:10],
            release_state(release, serving, bad),
        ]
        for release in releases
    ]  # fmt: skip
    return format_table(["release", "version", "created", "spec", "state"], rows)


def _versions_table(versions: Sequence[Version], bad: frozenset[str]) -> str:
    rows = [
        [
            version.version, version.created, version.candidate, format_percent(version.metrics.get(MAIN.name)),
            version_state(version, bad),
        ]
        for version in versions
    ]  # fmt: skip
    return format_table(["version", "created", "model", f"backtest {MAIN.title}", "state"], rows)
