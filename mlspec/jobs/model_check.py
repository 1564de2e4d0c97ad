"""Tries a model of the project's own on a few series and one window: does it learn, save, load, forecast, and twice the same?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from mlspec.errors import BrokenModel, DataError
from mlspec.forecast import candidates as families
from mlspec.forecast.backtest import forecast_means
from mlspec.forecast.candidates.custom import CustomModel, LocatedCustom, load_custom, locate
from mlspec.forecast.frame import ID, MEAN, OBSERVED, TARGET, TIME, Panel
from mlspec.forecast.scales import series_scales
from mlspec.forecast.scores import score_rows
from mlspec.forecast.windows import backtest_windows
from mlspec.jobs.check import run as run_check
from mlspec.jobs.parted_panel import open_panel
from mlspec.jobs.runtime import single_threaded
from mlspec.models.code import find_model_code
from mlspec.models.fork_client import end_idle_servers
from mlspec.spec.candidates import Custom, SeasonalNaive
from mlspec.spec.forecast import Backtest, Forecast
from mlspec.spec.metrics import MAIN
from mlspec.state.step import StepRequest
from mlspec.temporary_folder import temporary_folder

MOST_SERIES = 10
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class ModelTrial:
    """What a trial found, as JSON: `ok`, what was tried (`steps`), and what the model is."""

    ok: bool
    facts: Mapping[str, Any]


def try_model(
    spec: Forecast, resolved: Mapping[str, Any], candidate: Custom, code_root: Path, root: Path, now: str
) -> ModelTrial:
    """Try a candidate on the data of a forecast. Raises SpecError if it has no code, DataError if the data is refused.

    `resolved` is the spec as JSON. Its code is below `code_root`, its data below `root`.
    """
    code = find_model_code(code_root, candidate.class_)
    with temporary_folder() as folder, single_threaded():
        panel = _few_series(_checked_panel(spec, resolved, root, folder, now))
        located = locate(candidate, code, spec.model.quantiles, spec.dataset.series)
        trial = _Trial(located, panel, spec.model.seed)
        trial.run()
    facts = {
        "class": candidate.class_, "place": code.describe_place(), "digest": code.digest, "files": sorted(code.files),
        "package": code.package or None, "series": int(panel.frame[ID].nunique()), "periods": int(panel.frame[TIME].nunique()),
    }  # fmt: skip
    return ModelTrial(
        trial.error is None,
        {"ok": trial.error is None, **facts, **trial.facts, "steps": trial.steps, "error": trial.error},
    )


def _checked_panel(spec: Forecast, resolved: Mapping[str, Any], root: Path, folder: Path, now: str) -> Panel:
    result = run_check(
        StepRequest("check", resolved, root, folder, {}, {"now": now}), lambda _done, _total, _text: None
    )
    if "panel" not in result.outputs:
        broken = next((check["message"] for check in result.facts["checks"] if not check["ok"]), "it has no rows")
        raise DataError(f"the data breaks its contract: {broken}", hint="mlspec validate --data names the cells")
    request = StepRequest("backtest", resolved, root, folder, dict(result.outputs), {})
    return open_panel(request, spec).part_readers()[0]()


def _few_series(panel: Panel) -> Panel:
    """Return the panel of a few series, evenly chosen: the result is there in seconds, and the same each time."""
    ids = panel.series_lengths.index
    return panel.select_series(ids[:: max(1, -(-len(ids) // MOST_SERIES))])


class _Trial:
    """The steps of a trial, each with its seconds; after the first that fails there is no other."""

    def __init__(self, candidate: LocatedCustom, panel: Panel, seed: int) -> None:
        self.candidate, self.panel, self.seed = candidate, panel, seed
        self.cutoff = backtest_windows(panel, Backtest(windows=1)).cutoffs[0]
        self.known = panel.known_at(self.cutoff)
        self.steps: list[dict[str, Any]] = []
        self.facts: dict[str, Any] = {"cutoff": panel.layout.frequency.format_period(self.cutoff)}
        self.error: str | None = None

    def run(self) -> None:
        """Try everything, and keep what was found."""
        try:
            model = self._step("fit and save", self._fit)
            forecast = self._step("load and predict", lambda: model.forecast(self.known))
            # What depends on addresses of memory differs in another process only if that is no fork of the same one.
            end_idle_servers()
            again = self._step("load and predict again", lambda: self._load(model).forecast(self.known))
            if not forecast.equals(again):
                raise BrokenModel(self._differs("predict", "returned other values the second time"))  # noqa: TRY301
            second = self._step("fit and save again", self._fit)
            self._compare_states(model, second)
            self._describe(model, forecast)
        except BrokenModel as error:
            self.error = error.message
            if self.steps and self.steps[-1]["ok"]:
                self.steps.append({"name": "compare", "ok": False, "seconds": 0.0})

    def _step(self, name: str, work: Callable[[], _Result]) -> _Result:
        began, ok = time.monotonic(), False
        try:
            result = work()
            ok = True
        finally:
            self.steps.append({"name": name, "ok": ok, "seconds": round(time.monotonic() - began, 1)})
        return result

    def _fit(self) -> CustomModel:
        from mlspec.forecast.candidates import custom
        from mlspec.forecast.workers import THIS_PROCESS

        return custom.fit(self.candidate, self.known, self.seed, THIS_PROCESS)

    def _load(self, model: CustomModel) -> CustomModel:
        return load_custom(self.candidate, model.to_bytes(), self.seed)

    def _compare_states(self, first: CustomModel, second: CustomModel) -> None:
        names = sorted(first.state.keys() | second.state.keys())
        other = [name for name in names if first.state.get(name) != second.state.get(name)]
        if other:
            raise BrokenModel(self._differs("fit", f"saved other bytes the second time, in {', '.join(other[:5])}"))

    def _differs(self, method: str, what: str) -> str:
        place = self.candidate.code.describe_place(method)
        return f"candidate '{self.candidate.label}': {place}: {method} {what}: take random numbers from context.seed"

    def _describe(self, model: CustomModel, forecast: pd.DataFrame) -> None:
        naive_candidate = SeasonalNaive(kind="seasonal-naive")
        naive = families.fit_candidate(naive_candidate, self.known, self.seed)
        self.facts |= {
            "rows": len(forecast),
            "quantiles": [str(name).removeprefix("own_") for name in forecast.columns if name not in (ID, TIME, MEAN)],
            "saved": {"files": len(model.state), "bytes": sum(map(len, model.state.values()))},
            "metric": MAIN.name,
            "score": self._score(forecast),
            "score_of_seasonal_naive": self._score(forecast_means(naive, self.known, naive_candidate.label)),
        }

    def _score(self, forecast: pd.DataFrame) -> float | None:
        """Return the main metric of a forecast in the one window; None where it has no value."""
        actual = self.panel.frame[self.panel.frame[OBSERVED]][[ID, TIME, TARGET]]
        rows = forecast[[ID, TIME, MEAN]].merge(actual, on=[ID, TIME]).merge(series_scales(self.known), on=ID)
        return score_rows(rows)[MAIN.name]
