"""Step `train`: fits the champion to all of the history and writes the model file."""

from __future__ import annotations

from mlspec.forecast import artifact
from mlspec.jobs.cluster import workers
from mlspec.jobs.context import option, panel_of, spec_of
from mlspec.jobs.files import write_bytes
from mlspec.state.step import Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Fit the option `candidate`, as the backtest named it. The same panel, candidate and seed give the same file."""
    spec = spec_of(request)
    candidate = option(request.options, "candidate", "train")
    with workers(spec.training) as who:
        model = artifact.train(candidate, panel_of(request, spec), spec.model.seed, progress, who)
    path = write_bytes(artifact.dump(model), request.out / "model.zip")
    return StepResult({"model": path}, {"format": artifact.FORMAT, "candidate": candidate})
