"""A target where a deployment takes time, and may fail: what a rollback meets on Google Cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlspec.errors import TargetError, WorkUnderWay
from mlspec.spec.forecast import Forecast
from mlspec.state.ledger import StartedWork
from mlspec.state.record import Version
from mlspec.targets.local.target import LocalTarget

_MANY = 5  # deployments: more than any story needs


class DeployingTarget(LocalTarget):
    """A local record; a version is deployed before traffic goes to it, and the wait ends the deployment.

    As at an endpoint: a recorded deployment that failed is an error, and one that is not recorded is started anew.
    """

    def __init__(self, folder: Path, *, fails: bool = False) -> None:
        super().__init__(folder)
        self.fails = fails
        self.started: list[str] = []
        self.failed: set[str] = set()
        self.deployed: set[str] = set()

    def route_traffic(
        self, forecast: str, spec: Forecast, traffic: Mapping[str, int], main: str, versions: Mapping[str, Version]
    ) -> None:
        if main in self.deployed:
            return
        known = {work.mark: work.name for work in self.observe_forecast(forecast).ledger.under_way}
        name = known.get(main, "")
        if name in self.failed:
            raise TargetError(f"deploy {main}: the container did not start")
        if not name:
            name = f"deployment {len(self.started) + 1}"
            self.started.append(main)
            assert len(self.started) < _MANY, "it deploys again and again"
        raise WorkUnderWay(kind="deployment", name=name, mark=main, what=f"deploy {main}", limit=3600.0)

    def is_work_over(self, started: StartedWork) -> bool:
        return started.name in self.failed or started.mark in self.deployed

    def wait_for_work(self, started: Sequence[StartedWork], _seconds: float) -> tuple[StartedWork, ...]:
        with self.lock_forecast("demand", "look", "now", 0.0):  # nobody holds the lock during a wait
            for work in started:
                if self.fails:
                    self.failed.add(work.name)
                else:
                    self.deployed.add(work.mark)
        return tuple(started)
