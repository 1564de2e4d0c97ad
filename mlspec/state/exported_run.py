"""A version as a run of an experiment tracker: what `mlspec export` writes outside of mlspec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

VERSION_TAG = "mlspec.version"  # the tag that identifies a run in its experiment


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """One version of a forecast. `created` is RFC 3339 in UTC.

    `params` never change. `metrics` may be measured anew, `tags` follow the record.
    """

    version: str
    created: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
