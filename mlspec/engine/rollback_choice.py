"""Chooses the release that a person's rollback goes to, and says why one cannot serve: for the rollback and for its preview."""

from __future__ import annotations

from mlspec.engine.effects import ForecastWork, is_intact, known_version
from mlspec.engine.traffic_history import complete_ledger
from mlspec.errors import NotFound, Refused, StateError
from mlspec.plan.serving import good_releases, served_in_full, stable_version, usual_rollback_release
from mlspec.state.observed import Observed
from mlspec.state.record import Release

_SHOWN = 20  # releases in a hint


def find_good_releases(work: ForecastWork) -> tuple[Release, ...]:
    """Return the releases that can take over, the newest first. Raises StateError if nothing serves.

    Some may never have served everything: a person may name one of those, and nothing else goes there.
    """
    target, observed = work.engine.target, work.observed
    if stable_version(observed) is None:
        raise StateError(f"{work.name}: nothing serves, so there is nothing to roll back", hint="run `mlspec apply`")
    releases, versions = target.load_releases(work.name), target.load_versions(work.name)
    good = good_releases(
        releases, versions, observed.find_fact("deployment", "version"), observed.ledger, work.desired.spec
    )
    return tuple(release for release in good if is_intact(work, known_version(work, release.version)))


def choose_release(work: ForecastWork, release_number: int | None) -> Release:
    """Return the requested release, or the one that a rollback usually goes to. Raises UsageError or Refused, with the reason.

    Without a request, only a release of a version that once served everything is chosen.
    """
    observed = work.observed
    good, releases = find_good_releases(work), work.engine.target.load_releases(work.name)
    if release_number is None:
        full = served_in_full(good, complete_ledger(work.engine.target, work.name, observed.ledger))
        if not full:
            raise Refused(
                f"{work.name}: there is no earlier good release to roll back to{_why_none(work, observed, releases, good)}",
                hint=f"`mlspec history {work.name}` lists all; change the spec and apply, or pause it with reconcile.mode",
            )
        return usual_rollback_release(full, stable_version(observed))
    asked_release = next((release for release in releases if release.release == release_number), None)
    if asked_release is None:
        raise NotFound(f"{work.name} has no release {release_number}", hint=f"`mlspec history {work.name}` lists them")
    if asked_release.version not in {release.version for release in good}:
        raise Refused(
            f"{work.name}: release {release_number} cannot serve: {_why_not(work, observed, asked_release, good)}",
            hint=_release_hint(good),
        )
    return asked_release


def _why_none(work: ForecastWork, observed: Observed, releases: tuple[Release, ...], good: tuple[Release, ...]) -> str:
    """Return why a rollback goes to none of the newest releases, for a sentence. `good` are those that a person may name."""
    reasons = [f"release {release.release}: {_why_not(work, observed, release, good)}" for release in releases[:_SHOWN]]
    return f" ({'; '.join(reasons)})" if reasons else ""


def _why_not(work: ForecastWork, observed: Observed, asked_release: Release, good: tuple[Release, ...]) -> str:
    bad = next(
        (quarantine for quarantine in observed.ledger.quarantined if quarantine.version == asked_release.version), None
    )
    if bad:
        return f"{asked_release.version} is in quarantine since {bad.at}: {bad.reason}"
    if asked_release.version == observed.find_fact("deployment", "version"):
        return f"{asked_release.version} is what serves now"
    if not is_intact(work, known_version(work, asked_release.version)):
        return f"files of {asked_release.version} are missing"
    if asked_release in good:
        return f"{asked_release.version} never served everything; `--to {asked_release.release}` takes it nevertheless"
    return "it was made for forecasts of another shape (series, horizon, quantiles), or after what serves now"


def _release_hint(good: tuple[Release, ...]) -> str:
    if not good:
        return "no earlier release can serve"
    more = f" and {len(good) - _SHOWN} earlier ones" if len(good) > _SHOWN else ""
    return f"good ones: {', '.join(str(release.release) for release in good[:_SHOWN])}{more}"
