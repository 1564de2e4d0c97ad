"""The releases of a forecast, and a comparison of two, as the facts of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlspec.engine.release_comparison import ReleaseComparison
from mlspec.render.releases_page import FieldFacts, ReleaseFacts, ReleasePair
from mlspec.state.overview import VersionErrors
from mlspec.state.record import Release, Version
from mlspec.web.change_facts import change_part


def release_facts(
    releases: Sequence[Release],
    versions: Sequence[Version],
    realised: Sequence[VersionErrors],
    traffic: Mapping[str, int],
) -> list[ReleaseFacts]:
    """Return a row for each release, the newest first. A version's share of traffic stands at its newest release."""
    known, errors = {one.version: one for one in versions}, {one.version: one for one in realised}
    newest: dict[str, int] = {}
    for release in releases:
        newest.setdefault(release.version, release.release)
    return [
        ReleaseFacts(
            release=release.release,
            created=release.created,
            version=release.version,
            candidate=known[release.version].candidate if release.version in known else "",
            backtest=known[release.version].metrics if release.version in known else {},
            realised=errors[release.version].metrics if release.version in errors else None,
            values=errors[release.version].values if release.version in errors else 0,
            serves=traffic.get(release.version, 0) if newest[release.version] == release.release else 0,
        )
        for release in releases
    ]


def release_pair(rows: Sequence[ReleaseFacts], found: ReleaseComparison) -> ReleasePair:
    """Return what the page shows of two releases."""
    by_number = {row.release: row for row in rows}
    forecasts = found.forecasts
    return ReleasePair(
        before=by_number[found.releases[0].release],
        after=by_number[found.releases[1].release],
        fields=[FieldFacts(change.field, change.before, change.after) for change in found.fields],
        changes=change_part(forecasts.series, forecasts.changes) if forecasts else None,
        cutoffs=(forecasts.before.cutoff, forecasts.after.cutoff) if forecasts else ("", ""),
        problem=found.problem,
    )
