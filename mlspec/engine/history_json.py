"""Releases, versions and events as JSON, for `history` and `get`."""

from __future__ import annotations

from typing import Any

from mlspec.state.record import Event, Release, Version


def release_state(release: Release, serving: int | None, bad: frozenset[str]) -> str:
    """Return the state of a release in a word."""
    if release.release == serving:
        return "serving"
    return "rolled-back" if release.version in bad else "superseded"


def version_state(version: Version, bad: frozenset[str]) -> str:
    """Return the state of a version in a word."""
    return "quarantined" if version.version in bad else version.state


def release_json(release: Release, serving: int | None, bad: frozenset[str]) -> dict[str, Any]:
    """Return a release as JSON."""
    words = {key: getattr(release, key) for key in ("release", "version", "created", "spec_hash")}
    return {**words, "state": release_state(release, serving, bad)}


def version_json(version: Version, bad: frozenset[str]) -> dict[str, Any]:
    """Return a version as JSON, with its lineage, the sentences of the gate and the notes of its backtest."""
    return {
        "version": version.version,
        "created": version.created,
        "candidate": version.candidate,
        "metrics": dict(version.metrics),
        "data_version": version.lineage.get("data_version"),
        "spec_hash": version.lineage.get("spec_hash"),
        "state": version_state(version, bad),
        "gate": list(version.reasons),
        "notes": list(version.facts.get("notes") or ()),
        "lineage": dict(version.lineage),
    }


def event_json(event: Event) -> dict[str, Any]:
    """Return an event as JSON."""
    return {key: getattr(event, key) for key in ("at", "type", "reason", "message", "version")}
