"""Step `train`: fits the champion to the whole history and writes the model file."""

from __future__ import annotations

from mlspec.forecast import artifact
from mlspec.forecast.candidates import from_json
from mlspec.jobs.cluster import connect_workers
from mlspec.jobs.context import read_spec, require_option
from mlspec.jobs.files import write_bytes
from mlspec.jobs.model_code import locate_chosen
from mlspec.jobs.parted_panel import open_panel
from mlspec.state.step import Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Fit the candidate in the option `candidate`, from the backtest. The same panel, candidate and seed give the same file."""
    spec = read_spec(request)
    candidate = require_option(request.options, "candidate", "train")
    with connect_workers(spec.training) as pool:
        chosen = locate_chosen(from_json(candidate), spec, request.root, {})
        model = artifact.train_model(chosen, open_panel(request, spec), spec.model.seed, progress, pool)
    path = write_bytes(artifact.dump_model(model), request.out / "model.zip")
    return StepResult({"model": path}, {"format": artifact.FORMAT, "candidate": candidate})
