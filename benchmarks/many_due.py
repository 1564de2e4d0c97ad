"""How long 200 forecasts take that all come due at once on Google Cloud, by the clock of the tests' stand-in for Google's servers.

Run: python benchmarks/many_due.py [FORECASTS]; exits 1 beyond a bar. Each forecast is new, trains on a machine of its own, and
serves online. A backtest and a training take 12 minutes each, a deployment 15, an upload and every other container one. One
forecast's backtest never ends. The loop is the product's, in as many tasks as it starts for so many forecasts. Each call that it
makes takes 100 ms of the simulated time. Two parts are not real: what a container writes is what the tests' steps write, and no
table in BigQuery is filled.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlspec.engine.context import Engine  # noqa: E402  (the tests' stand-in is beside the package)
from mlspec.engine.loop import reconcile_specs  # noqa: E402
from mlspec.plan.moments import format_moment  # noqa: E402
from mlspec.plan.shares import Share, tasks_for  # noqa: E402
from mlspec.spec.gcp.location import GcpLocation  # noqa: E402
from mlspec.state.step import StepRequest  # noqa: E402
from mlspec.targets.gcp.data.bigquery import Warehouse  # noqa: E402
from mlspec.targets.gcp.target import GcpTarget  # noqa: E402
from tests.engine.steps import Spec, Steps, spec  # noqa: E402
from tests.examples import project  # noqa: E402
from tests.gcp import platform  # noqa: E402
from tests.gcp.standin.harness import Running  # noqa: E402

MANY, TASKS = 200, 10  # forecasts, and infra's default of reconcile_tasks
BAR = timedelta(minutes=60)
CALL, POLL = timedelta(milliseconds=100), timedelta(seconds=30)
START = datetime(2026, 3, 2, 6, tzinfo=UTC)
STUCK = "f007"
FOREVER = 1e8
DURATIONS = {
    "step (backtest|train) ": 720.0, "step (check|forecast|inventory) ": 60.0, f"forecasts/{STUCK}/": FOREVER,
    "UploadModel": 60.0, "DeployModel": 900.0,
}  # fmt: skip
PARTS: dict[str, Any] = {
    "alerts": [], "training": {"machine": "n2-highmem-8"},
    "deployment": {"serve": "both", "rollout": {"strategy": "all-at-once", "steps": [], "interval": "1h"}},
}  # fmt: skip


@dataclass
class Containers:
    """What the containers of steps do, once their time is over: the tests' steps, which take no time, and write to the bucket."""

    project: str
    bucket: Any
    written: set[str] = field(default_factory=set)

    def finish(self, now: datetime) -> None:
        """Write the results of all that has run long enough."""
        for words, created in self._started():
            folder = words[words.index("--out") + 1].partition("forecasts/")[2]
            seconds = 720.0 if words[1] in ("backtest", "train") else 60.0
            if (
                folder not in self.written
                and not folder.startswith(STUCK)
                and created + timedelta(seconds=seconds) <= now
            ):
                self._write(words, folder)

    def _started(self) -> list[tuple[list[str], datetime]]:
        from google.cloud import aiplatform_v1, run_v2

        region = {"api_endpoint": f"{platform.REGION}-aiplatform.googleapis.com"}
        place = platform.place(self.project)
        jobs = aiplatform_v1.JobServiceClient(client_options=region).list_custom_jobs(parent=place)
        executions = run_v2.ExecutionsClient().list_executions(parent=f"{place}/jobs/-")
        found = [(job.job_spec.worker_pool_specs[0].container_spec.args, job.create_time) for job in jobs]
        found += [(each.template.containers[0].args, each.create_time) for each in executions]
        return [(list(words), created) for words, created in found]

    def _write(self, words: list[str], folder: str) -> None:
        """Write the outputs and then the result of one step, as `mlspec step` does."""
        self.written.add(folder)
        value = json.loads(self.bucket.blob(f"forecasts/{folder}/spec.json").download_as_bytes())
        options = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--option")
        options = {name: json.loads(text) if text.startswith(("{", "[")) else text for name, text in options.items()}
        with tempfile.TemporaryDirectory() as out:
            request = StepRequest(words[1], value, Path(out), Path(out), {}, {"incumbent": None, **options})  # type: ignore[arg-type]
            result = Steps()(request, lambda *_words: None)
            for path in result.outputs.values():
                self.bucket.blob(f"forecasts/{folder}/{path.name}").upload_from_filename(str(path))
        said = {"facts": result.facts, "outputs": {role: path.name for role, path in result.outputs.items()}}
        self.bucket.blob(f"forecasts/{folder}/result.json").upload_from_string(json.dumps(said))


@dataclass
class Task:
    """One task of the loop's job, with the forecasts that it still has to finish."""

    target: GcpTarget
    root: Path
    left: list[Spec]

    def make_pass(self, now: datetime) -> list[str]:
        """Make a pass over what is left, and return the names of what is finished."""
        at = format_moment(now)
        engine = Engine(
            self.target, Steps(), self.root, lambda: at, "0.1.0", {"numpy": "2"}, lambda *_words: None, "0.1.0",
            run_remote_step=self.target.run_remote_step,
        )  # fmt: skip
        results = reconcile_specs(engine, self.left)
        wrong = [f"{result.forecast}: {result.error.message}" for result in results if result.error]
        assert not wrong, wrong
        done = [
            result.forecast for result in results if not result.under_way and self.target.load_runs(result.forecast)
        ]
        self.left = [each for each in self.left if each.name not in done]
        return done


def simulated(standin: Running, folder: Path, names: Sequence[str]) -> dict[str, timedelta]:
    """Return how long each forecast took that was finished within the bar."""
    standin.set(durations=DURATIONS, clock=START.isoformat())
    platform.buckets(standin.project)
    for name in names:
        platform.forecast(standin.project, name, online=True)
    root, count = project(folder / "acme"), tasks_for(len(names), TASKS)
    specs, location = [spec(name, **PARTS) for name in names], GcpLocation("dev", standin.project, platform.REGION)
    tasks = []
    for index in range(count):
        mine = [each for each in specs if Share(index, count).has(each.name)]
        tasks.append(Task(GcpTarget(location, folder / f"cache{index}"), root, mine))
    bucket = platform.storage(standin.project).bucket(platform.bucket(standin.project, "state"))
    containers, now, took = Containers(standin.project, bucket), START, dict[str, timedelta]()
    while now < START + BAR and any(each.name != STUCK for task in tasks for each in task.left):
        standin.set(clock=now.isoformat())
        containers.finish(now)
        spent = []
        for task in tasks:
            before = standin.counted().total()
            done = task.make_pass(now)
            spent.append((standin.counted().total() - before) * CALL)
            took |= dict.fromkeys(done, now + spent[-1] - START)
        print(
            f"     {now - START}: {len(took)} of {len(names)} are finished; the pass took its slowest task {max(spent)}"
        )
        now += max(POLL, *spent)
    return took


def main() -> int:
    """Simulate, print a table, and return 1 where a bar is not met."""
    names = [f"f{number:03}" for number in range(1, 1 + int(sys.argv[1] if len(sys.argv) > 1 else MANY))]
    Warehouse.publish_forecast = lambda *_words: None  # type: ignore[method-assign,assignment]
    with tempfile.TemporaryDirectory() as folder:
        standin = Running(Path(folder, "standin"))
        os.environ.update(standin.environment, MLSPEC_IMAGE="step", XDG_CACHE_HOME=str(Path(folder, "cache")))
        try:
            took = simulated(standin, Path(folder), names)
        finally:
            standin.stop()
    others = len(names) - 1
    finished = [each for name, each in took.items() if name != STUCK]
    longest = f"{max(finished, default=BAR).total_seconds() / 60:.0f} min"
    print(f"{'ok  ' if len(finished) == others else 'MISS'} {len(finished):4} of {others} in {longest}  (bar {BAR})")
    print(f"{'ok  ' if STUCK not in took else 'MISS'} the one whose backtest never ends is not among them")
    return int(len(finished) != others or STUCK in took)


if __name__ == "__main__":
    sys.exit(main())
