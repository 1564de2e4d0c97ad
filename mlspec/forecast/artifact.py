"""The model file: a zip with a manifest in JSON and the trees of boosted members. It cannot run code when it is loaded.

Statistical candidates are kept as what they are (kind, season, variant): they learn anew from the panel that a forecast
starts at, deterministically (see `candidates.local`). The same model gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlspec.forecast import candidates as families
from mlspec.forecast import trees
from mlspec.forecast.backtest import forecast
from mlspec.forecast.frame import ID, MEAN, TIME, Panel
from mlspec.forecast.workers import HERE, Workers
from mlspec.spec.forecast import Candidate

FORMAT = "mlspec-model/1"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Model:
    """A fitted champion: its candidate as JSON, and each member with what it learned (None: nothing to keep)."""

    candidate: dict[str, Any]
    members: tuple[tuple[Candidate, bytes | None], ...]
    seed: int

    @property
    def label(self) -> str:
        """The candidate's name in tables."""
        return str(self.candidate.get("name") or self.candidate["kind"])

    def forecast(self, panel: Panel) -> pd.DataFrame:
        """Return unique_id, ds, mean: the plain mean of the members."""
        parts = [
            forecast(families.load(member, data, panel, self.seed), panel, member.label)
            for member, data in self.members
        ]
        mean = sum(part[MEAN] for part in parts) / len(parts)
        return parts[0][[ID, TIME]].assign(**{MEAN: mean})


def train(candidate: Any, panel: Panel, seed: int, say: Any, workers: Workers = HERE) -> Model:
    """Fit a candidate (JSON, an ensemble with its members) to all of the history."""
    single, members = families.from_json(candidate)
    fitted = []
    listed: Sequence[Candidate] = members or [single]
    for number, member in enumerate(listed):
        say(number, len(listed), f"train {member.label}")
        fitted.append((member, families.fit(member, panel, seed, workers).dump()))
    say(len(listed), len(listed), "trained")
    return Model(candidate, tuple(fitted), seed)


def dump(model: Model) -> bytes:
    """Return the model file's bytes."""
    parts = {f"member-{place}": data for place, (_member, data) in enumerate(model.members) if data is not None}
    manifest = {"format": FORMAT, "candidate": model.candidate, "seed": model.seed, "parts": sorted(parts)}
    text = json.dumps(manifest, sort_keys=True, indent=1, allow_nan=False)
    return trees.archive({MANIFEST: text.encode()} | parts)


def load(data: bytes) -> Model:
    """Return the model that `dump` wrote. Raises ModelError when `data` is not that."""
    parts = trees.members(data)
    try:
        manifest = json.loads(parts.pop(MANIFEST))
        kind, candidate, seed, listed = (manifest[key] for key in ("format", "candidate", "seed", "parts"))
    except (KeyError, ValueError, TypeError) as error:
        raise trees.damaged("it has no manifest") from error
    if kind != FORMAT:
        raise trees.damaged(f"its format is {kind!r}, and this version of mlspec reads {FORMAT!r}")
    if sorted(parts) != listed or not isinstance(seed, int):
        raise trees.damaged("its parts are not the ones that its manifest lists")
    single, members = families.from_json(candidate)
    return Model(candidate, tuple((m, parts.get(f"member-{i}")) for i, m in enumerate(members or [single])), seed)
