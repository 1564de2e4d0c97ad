"""What drives the champion of a backtest: the importance of each covariate, measured at the cutoffs of the backtest."""

from __future__ import annotations

from mlspec.forecast import candidates as families
from mlspec.forecast.importance import Importances, measure_importances
from mlspec.forecast.windows import backtest_windows
from mlspec.jobs.context import read_panel, read_spec, require_option
from mlspec.jobs.model_code import locate_chosen
from mlspec.jobs.process_workers import processors_of_this_machine
from mlspec.state.step import Progress, StepRequest


def run(request: StepRequest, progress: Progress) -> Importances:
    """Measure. The request is that of the step `backtest`, with the option `candidate`, and the input `incumbent`: its model file.

    Raises BrokenModel if it has a model of the project's own whose code is not here.
    """
    spec = read_spec(request)
    panel = read_panel(request, spec)
    candidate = families.from_json(require_option(request.options, "candidate", "backtest"))
    chosen = locate_chosen(candidate, spec, request.root, request.inputs)
    cuts = backtest_windows(panel, spec.model.backtest).cutoffs
    return measure_importances(panel, cuts, chosen, spec.model.seed, processors_of_this_machine(), progress)
