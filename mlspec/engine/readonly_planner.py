"""Planning with an account that may read the record and not the data, such as the CI account of a pull request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mlspec.engine.context import Engine, Spec, metric_code_digests, model_code_digests
from mlspec.errors import TargetError
from mlspec.plan.desired import DesiredForecast
from mlspec.state.observed import SourceFacts
from mlspec.targets.base import Target


@dataclass(frozen=True)
class ReadonlyPlanner:
    """An engine that only reads. `unseen` names the forecasts whose data could not be read: it is assumed to be unchanged."""

    engine: Engine
    unseen: set[str] = field(default_factory=set)

    @property
    def target(self) -> Target:
        """The engine's target."""
        return self.engine.target

    @property
    def clock(self) -> Callable[[], str]:
        """The engine's clock."""
        return self.engine.clock

    def desired_forecast(self, spec: Spec) -> DesiredForecast:
        """Return the desired state of a spec on its present data, or on the data that was checked last."""
        try:
            return self.engine.desired_forecast(spec)
        except TargetError:
            self.unseen.add(spec.name)
            seen = self.target.observe_forecast(spec.name).resources.get("data")
            digest = str(seen.resource.fields["data.digest"]) if seen else ""
            return DesiredForecast(
                spec.name, spec.forecast, spec.spec_hash, SourceFacts(digest, (), 0), self.engine.code,
                model_code_digests(spec.forecast, self.engine.root), metric_code_digests(spec.forecast),
            )  # fmt: skip

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of a plan on forecasts whose data could not be read."""
        unseen = sorted(self.unseen)
        return tuple(f"{name}: this account cannot read its data, so new data is not shown" for name in unseen)
