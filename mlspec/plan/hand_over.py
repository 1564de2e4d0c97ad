"""Decides whether the specs of one commit may replace those of the commit that was handed over last."""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.state.revision import Revision


def changed_specs(held: Mapping[str, str], own: Mapping[str, str]) -> tuple[str, ...]:
    """Return the forecasts whose spec is another than the one in an image. Both: the digest of a spec by its forecast's name."""
    return tuple(sorted(name for name, digest in own.items() if held.get(name, digest) != digest))


def why_outdated(newest: Revision | None, own: Revision | None, *, is_ancestor: bool | None) -> str | None:
    """Return why the specs of `own` must not be handed over after those of `newest`; None if they may.

    `is_ancestor`: whether `newest` is an ancestor of `own`; None if the checkout's history is too short to say. Then the times of
    the commits decide: a service that merges sets them by its own clock. A revert is a newer commit, and may be handed over.
    """
    if newest is None or (own is not None and own.commit == newest.commit):
        return None
    if own is None:
        return f"this folder is no git checkout, so it cannot be compared with commit {newest.commit[:12]}"
    if is_ancestor if is_ancestor is not None else own.committed_at >= newest.committed_at:
        return None
    return f"commit {own.commit[:12]} of {own.committed_at} does not contain commit {newest.commit[:12]} of {newest.committed_at}"
