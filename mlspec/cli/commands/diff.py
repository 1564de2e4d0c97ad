"""`mlspec diff`: two releases, field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from mlspec.cli import comparison_text, options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.target import open_here
from mlspec.engine.forecast_comparison import ForecastComparison, compare_runs
from mlspec.engine.rows import run_of_release
from mlspec.errors import UsageError
from mlspec.plan.desired import MODEL_CODE
from mlspec.plan.diff import diff_fields
from mlspec.plan.fields import flatten_keys
from mlspec.plan.select import known_name
from mlspec.state.record import Release
from mlspec.targets.base import Target


@click.command(short_help="Compare two releases field by field.")
@click.argument("name", shell_complete=complete_names)
@click.argument("first", metavar="R1")
@click.argument("second", metavar="R2")
@options.target
@options.output("text", "json")
@click.option("--values", is_flag=True, help="Compare also the last forecasts that the two releases made, by series.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=24, show_default=True, help="Series in text; 0 prints all."
)
def command(
    name: str, first: str, second: str, target: str, output: str, values: bool, limit: int
) -> None:  # fmt: skip
    """Compare two releases of a forecast: the differences of their specs, and the version that served under each.

    R1 and R2 are numbers of releases, as `mlspec history` shows them: 1 or r1. With --values also their forecasts: the sums over
    the periods that both have.
    """
    opened_target = open_here(target)
    known_name(name, opened_target.forecast_names())
    old, new = (_find_release(opened_target, name, text) for text in (first, second))
    lineages = {version.version: version.lineage for version in opened_target.load_versions(name)}
    compared = _compare_values(opened_target, name, old, new) if values else None
    changed = diff_fields(_fields_of(old, lineages), _fields_of(new, lineages))
    if output == "json":
        fields = [{key: value for key, value in asdict(change).items() if key != "effect"} for change in changed]
        found = {"forecast": name, "from": old.release, "to": new.release, "fields": fields}
        found |= {"values": comparison_text.as_json(name, compared)} if compared else {}
        click.echo(json.dumps(found, indent=2, allow_nan=False))
        return
    click.echo(f"{name}: r{old.release} ({old.created}) -> r{new.release} ({new.created})")
    for change in changed:
        click.echo(f"  {printable(change.field)}: {_value_text(change.before)} -> {_value_text(change.after)}")
    if not changed:
        click.echo("  no differences")
    if compared:
        click.echo(f"\n{comparison_text.as_text(name, compared, limit or None)}")


def _compare_values(opened_target: Target, name: str, old: Release, new: Release) -> ForecastComparison:
    before, after = (run_of_release(opened_target, name, release.release) for release in (old, new))
    return compare_runs(opened_target, name, before, after, {})


def _fields_of(release: Release, lineages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the keys of a release's spec, its version, and the digest of the code of each custom model of that version."""
    code = lineages.get(release.version, {}).get("model_code") or {}
    codes = {f"{MODEL_CODE}.{name}": digest for name, digest in code.items()}
    return {**flatten_keys(release.spec), "version": release.version, **codes}


def _find_release(opened_target: Target, name: str, text: str) -> Release:
    match = re.fullmatch(r"r?([1-9][0-9]{0,8})", text)
    releases = {release.release: release for release in opened_target.load_releases(name)}
    if match is None or int(match[1]) not in releases:
        known = ", ".join(f"r{number}" for number in sorted(releases)) or "none yet"
        raise UsageError(f"{name} has no release '{text}'", hint=f"releases: {known}")
    return releases[int(match[1])]


def _value_text(value: object) -> str:
    return (
        "(not set)"
        if value is None
        else printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    )
