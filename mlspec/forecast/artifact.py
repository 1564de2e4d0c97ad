"""The model file: a zip with a manifest in JSON and the trees of boosted members. It cannot run code when it is loaded.

For a statistical candidate only its settings are stored (kind, season, variant). It is estimated again, deterministically, from the
panel of each forecast (see `candidates.local`). The same model gives the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from mlspec.forecast import candidates as families
from mlspec.forecast import trees
from mlspec.forecast.backtest import Say, forecast_means
from mlspec.forecast.candidates import ChosenCandidate
from mlspec.forecast.frame import ID, MEAN, TIME, Panel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import THIS_PROCESS, Workers
from mlspec.models.storage import pack_archive
from mlspec.spec.candidates import Candidate, GradientBoosting

FORMAT = "mlspec-model/1"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ModelArtifact:
    """A fitted champion: what was chosen, and each member with its trained model as bytes (None: not stored)."""

    chosen: ChosenCandidate
    members: tuple[tuple[Candidate, bytes | None], ...]
    seed: int

    @property
    def label(self) -> str:
        """The candidate's name in tables."""
        return self.chosen.candidate.label

    def forecast(
        self, panel: PartedPanel, workers: Workers = THIS_PROCESS, *, load_by_share: bool = False
    ) -> pd.DataFrame:
        """Return unique_id, ds, mean: the mean of the members, or their median. A single one keeps its own quantiles, if any.

        `load_by_share`: the trees are read by the workers, each for its own shares, and never by this process.
        """
        parts = [
            forecast_means(self._load(member, data, panel, by_share=load_by_share), panel, member.label, workers)
            for member, data in self.members
        ]
        if len(parts) == 1:
            return parts[0]
        mean = families.combine_means([part[MEAN] for part in parts], self.chosen.combine)
        return parts[0][[ID, TIME]].assign(**{MEAN: mean})

    def _load(
        self, member: Candidate, data: bytes | None, panel: PartedPanel, *, by_share: bool
    ) -> families.FittedCandidate:
        if by_share and isinstance(member, GradientBoosting) and data is not None:
            return _StoredTrees(member, data, self.seed)
        return families.load_fitted(member, data, panel, self.seed)


@dataclass(frozen=True)
class _StoredTrees:
    """Trees that are read where they forecast."""

    candidate: GradientBoosting
    data: bytes
    seed: int

    def forecast(self, panel: Panel) -> pd.DataFrame:
        return families.load_fitted(self.candidate, self.data, panel, self.seed).forecast(panel)

    def to_bytes(self) -> bytes:
        return self.data


def train_model(
    chosen: ChosenCandidate, panel: PartedPanel, seed: int, say: Say, workers: Workers = THIS_PROCESS
) -> ModelArtifact:
    """Fit a candidate, an ensemble by its members, to all of the history."""
    fitted = []
    for number, member in enumerate(chosen.parts):
        say(number, len(chosen.parts), f"train {member.label}")
        trained = families.fit_candidate(member, panel, seed, workers)
        if note := families.training_note(trained):
            say(number, len(chosen.parts), note)
        fitted.append((member, trained.to_bytes()))
    say(len(chosen.parts), len(chosen.parts), "model stored")
    return ModelArtifact(chosen, tuple(fitted), seed)


def dump_model(model: ModelArtifact) -> bytes:
    """Return the model file's bytes."""
    parts = {f"member-{number}": data for number, (_member, data) in enumerate(model.members) if data is not None}
    manifest = {
        "format": FORMAT,
        "candidate": families.to_json(model.chosen),
        "seed": model.seed,
        "parts": sorted(parts),
    }
    text = json.dumps(manifest, sort_keys=True, indent=1, allow_nan=False)
    return pack_archive({MANIFEST: text.encode()} | parts)


def load_model(data: bytes) -> ModelArtifact:
    """Return the model that `dump_model` wrote. Raises ModelError if `data` is no such model."""
    parts = trees.unpack_archive(data)
    try:
        manifest = json.loads(parts.pop(MANIFEST))
        file_format, candidate, seed, part_names = (manifest[key] for key in ("format", "candidate", "seed", "parts"))
    except (KeyError, ValueError, TypeError) as error:
        raise trees.damaged_model_error("it has no manifest") from error
    if file_format != FORMAT:
        raise trees.damaged_model_error(f"its format is {file_format!r}, and this version of mlspec reads {FORMAT!r}")
    if sorted(parts) != part_names or not isinstance(seed, int):
        raise trees.damaged_model_error("its parts are not those of its manifest")
    chosen = families.from_json(candidate)
    return ModelArtifact(
        chosen, tuple((member, parts.get(f"member-{number}")) for number, member in enumerate(chosen.parts)), seed
    )
