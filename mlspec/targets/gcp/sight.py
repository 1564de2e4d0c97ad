"""A target on Google Cloud as far as this version sees it: mlspec keeps no record there yet, so nothing of it is observed.

What runs there is made by terraform and by the DAGs; terraform is asked for the infrastructure (see terraform.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlspec.state.observed import Observed, SourceFacts
from mlspec.state.resource import Json, digest


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """A target without a record: every resource of a spec does not exist yet."""

    name: str
    protect: bool
    lineage: str = ""
    serial: int = 0

    def source(self, spec: Mapping[str, Json], _root: Path) -> SourceFacts:
        """Return what a forecast reads, by name: the data is read where the steps run, not here."""
        dataset = spec["dataset"]
        named = [dataset["source"], dataset["future"]]
        uris = tuple(each["uri"] for each in named if each and each["uri"])
        return SourceFacts(digest(named), uris, 0)

    def observe(self, forecast: str) -> Observed:
        """Return that nothing is there."""
        return Observed(forecast)
