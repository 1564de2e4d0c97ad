"""A small world in which time passes, data comes in and versions turn out well or badly, for stories about the loop."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mlspec.engine.loop import reconcile_specs
from mlspec.engine.pass_result import PassResult
from mlspec.errors import ModelError
from mlspec.plan.moments import format_moment
from mlspec.state.ledger import Ledger
from mlspec.state.observed import Observed
from mlspec.state.step import StepRequest
from mlspec.targets.local.target import LocalTarget
from tests.engine.steps import METRICS, Spec, Steps, engine, spec
from tests.examples import project, sales
from tests.stores import Home, recorded, target_at, url_of

ACCURACY = {
    "name": "accuracy", "metric": "wape", "above": 0.2, "below": None, "outside": None, "window": None, "for": None,
    "by": [], "baseline": None, "severity": "critical", "inhibits": [],
}  # fmt: skip
CANARY = {"serve": "batch", "rollout": {"strategy": "canary", "steps": [10, 50, 100], "interval": "1h"}}


class Turned(Steps):
    """Steps that know how each version's forecasts turned out: `well` by version, None where no period is mature yet.

    That is how a version would have done in place of another, too; `otherwise` is how one would have that `well` does not name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.well: dict[str, float | None] = {}
        self.otherwise: float | None = None
        self.weighable = True  # whether a version can forecast from an earlier cutoff

    def forecast(self, request: StepRequest) -> dict[str, Any]:
        if request.options.get("cutoffs") and not self.weighable:
            raise ModelError("too little history at an earlier cutoff")
        return super().forecast(request)

    def evaluate(self, request: StepRequest) -> dict[str, Any]:
        serving, bad = request.options["versions"], request.options["quarantined"]
        known = [self.well.get(name) for name in self.well if name not in bad]
        others = (request.options.get("instead") or {}).values()
        judged = {name: self.well.get(name) for name in serving}
        judged |= {name: self.well.get(name, self.otherwise) for name in others}
        overall = max((value for value in known if value is not None), default=None)
        return {
            "outputs": ("evaluation",), "periods": 9, "metrics": {**METRICS, "wape": overall},
            "alerts": [
                {
                    "name": alert["name"], "segments": {"": [overall] * 9},
                    "by_version": {name: {"": [value] * 9} for name, value in judged.items()},
                    "made_at": {name: [] if value is None else ["2024-02-11"] for name, value in judged.items()},
                }
                for alert in request.spec["alerts"]
            ],
        }  # fmt: skip


class World:
    """One project with one forecast. Each `look` is a pass of the loop at the world's present moment."""

    def __init__(self, folder: Path, home: Home | None = None, **parts: Any) -> None:
        self.root = (home.project if home else project)(folder / "project")
        self.steps = Turned()
        self.now = datetime.fromisoformat("2024-03-01T00:00:00+00:00")
        self.spec = self.write(**parts)
        self.days = 42

    def write(self, **parts: Any) -> Spec:
        """Commit another spec."""
        parts.setdefault("alerts", [ACCURACY])
        parts.setdefault("rollback", {"on": ["accuracy"]})
        parts["model"] = {"candidates": "auto", **parts.get("model", {})}  # another model than the one that falls back
        self.spec = spec(**parts)
        return self.spec

    def pass_time(self, **span: float) -> None:
        """Let time go by."""
        self.now += timedelta(**span)

    def new_data(self) -> None:
        """Let another day's rows come in."""
        self.days += 1
        (self.root / "data/sales.csv").write_text(sales(days=self.days))

    def look(self, *others: Spec, code: str = "0.1.0") -> PassResult:
        """Make a pass, and return what it did to the world's own forecast."""
        self.steps.asked.clear()
        found = reconcile_specs(self.engine(code), [self.spec, *others])
        return found[0]

    def look_at(self, target: LocalTarget) -> PassResult:
        """Make a pass on another target than the usual one, which has the same record."""
        return reconcile_specs(replace(self.engine(), target=target), [self.spec])[0]

    def engine(self, code: str = "0.1.0") -> Any:
        """An engine at this moment; a new one each time, so that nothing is remembered but what is recorded."""
        return engine(self.root, self.steps, code, format_moment(self.now))

    def bad(self, version: str, wape: float | None = 0.5) -> None:
        """Let a version's forecasts turn out badly, from the next day on."""
        self.well(version, wape)

    def well(self, version: str, wape: float | None = 0.1) -> None:
        """Let it be known how a version's forecasts turned out; evidence comes with a new day."""
        self.steps.well[version] = wape
        self.pass_time(days=1)

    @property
    def target(self) -> LocalTarget:
        """The target, as anyone would open it."""
        return target_at(self.root)

    @property
    def observed(self) -> Observed:
        """What the target holds of the forecast."""
        return self.target.observe_forecast("demand")

    @property
    def ledger(self) -> Ledger:
        """What the loop remembers."""
        return self.observed.ledger

    @property
    def traffic(self) -> dict[str, int]:
        """Each version's share now; never anything but 100 in all."""
        found: dict[str, int] = self.observed.find_fact("deployment", "traffic")
        assert sum(found.values()) == 100
        return found

    @property
    def serves(self) -> str:
        """The one version that serves everything."""
        (found,) = self.traffic
        return found

    def events(self) -> list[str]:
        """The reasons of all events, oldest first."""
        return [event.reason for event in reversed(self.target.load_events("demand"))]

    def promoted(self, **model: Any) -> str:
        """Commit another model, let it take over, and return its version."""
        self.write(
            model=model, **{key: self.spec.json[key] for key in ("rollback", "deployment", "budget", "reconcile")}
        )
        self.look()
        return self.serves

    def state(self) -> dict[str, bytes]:
        """Every byte under the target's folder, and every row of its database."""
        folder = self.root / ".mlspec"
        files = {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
        return {**files, "database": repr(recorded(self.root)).encode()} if url_of(self.root) else files


def with_two_versions(world: World) -> tuple[str, str]:
    """A world where a first version proved good, and a second one took over."""
    world.look()
    first = world.serves
    world.well(first)
    world.look()
    return first, world.promoted(seed=1)


def on_its_way(world: World, **deployment: object) -> tuple[str, str]:
    """A world where a second version is at its rollout's first step."""
    world.write(deployment=deployment or CANARY)
    world.look()
    first = world.serves
    world.well(first)
    world.look()
    world.write(deployment=deployment or CANARY, model={"seed": 1})
    world.look()
    rollout = world.ledger.rollout
    assert rollout is not None
    return first, rollout.version
