"""`mlspec history`: releases, versions and events, newest first."""

from __future__ import annotations

import json
from typing import Any

import click

from mlspec.cli import options
from mlspec.cli.escape import printable
from mlspec.cli.project import known_name
from mlspec.cli.table import percent, table
from mlspec.cli.target import open_here
from mlspec.state.record import Release, Version


@click.command(short_help="List releases, versions and events, newest first.")
@click.argument("name")
@options.target
@options.output("text", "json")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Rows of each kind, in text.")
def command(name: str, target: str, output: str, limit: int) -> None:
    """List what happened to a forecast: releases, versions and events, newest first."""
    where = open_here(target)
    known_name(name, where.names())
    releases, versions, events = where.releases(name), where.versions(name), where.events(name)
    observed = where.observe(name)
    serving, bad = observed.fact("deployment", "release"), observed.ledger.bad
    if output == "json":
        value = {
            "releases": [_release(each, serving, bad) for each in releases],
            "versions": [_version(each, bad) for each in versions],
            "events": [
                {
                    "at": each.at,
                    "type": each.type,
                    "reason": each.reason,
                    "message": each.message,
                    "version": each.version,
                }
                for each in events
            ],
        }
        click.echo(json.dumps(value, indent=2, allow_nan=False))
        return
    rows = [
        [f"r{each.release}", each.version, each.created, each.spec_hash[:10], _state(each, serving, bad)]
        for each in releases
    ]
    click.echo(table(["release", "version", "created", "spec", "state"], rows[:limit]))
    rows = [
        [each.version, each.created, each.candidate, percent(each.metrics.get("wape")), _judged(each, bad)]
        for each in versions
    ]
    click.echo(f"\n{table(['version', 'created', 'model', 'backtest WAPE', 'state'], rows[:limit])}\n")
    for event in events[:limit]:
        click.echo(f"{event.at}  {event.reason}: {printable(event.message)}")
    if len(events) > limit:
        click.echo(f"… and {len(events) - limit} older events (--limit shows more)")


def _state(release: Release, serving: int | None, bad: frozenset[str]) -> str:
    if release.release == serving:
        return "serving"
    return "rolled-back" if release.version in bad else "superseded"


def _judged(version: Version, bad: frozenset[str]) -> str:
    return "quarantined" if version.version in bad else version.state


def _release(release: Release, serving: int | None, bad: frozenset[str]) -> dict[str, Any]:
    words = {key: getattr(release, key) for key in ("release", "version", "created", "spec_hash")}
    return {**words, "state": _state(release, serving, bad)}


def _version(version: Version, bad: frozenset[str]) -> dict[str, Any]:
    return {
        "version": version.version,
        "created": version.created,
        "candidate": version.candidate,
        "metrics": dict(version.metrics),
        "data_version": version.lineage["data_version"],
        "spec_hash": version.lineage["spec_hash"],
        "state": _judged(version, bad),
        "gate": list(version.reasons),
        "lineage": dict(version.lineage),
    }
