"""Every call of a first pass goes wrong: refused, too many, late, unanswered, or the last that the process made.

What passes by itself happens to all calls at once: whatever is asked goes wrong the first time, and well the second.

A process that is killed is, for Google, one whose calls stop: from one on none arrives, and what it held in memory is gone. What is
left behind is the same wherever between two changes that was, so one point a change is enough; a look at an operation is a point
too, as Google goes on with one while somebody looks. Here a pass in this process stops, with steps whose results are kept from the
first time; `test_faults.py` kills real ones.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlspec import jobs
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.state.resource import digest
from mlspec.state.step import Progress, StepRequest, StepResult
from mlspec.targets.gcp.record import lease
from mlspec.targets.local.artifacts import sha256_of
from tests.gcp import platform
from tests.gcp.acme import Acme
from tests.gcp.standin.harness import Running
from tests.moments import tried
from tests.waiting import skip_pauses

pytestmark = pytest.mark.no_cover  # the same way again, for every call
ONCE = ("reconcile", "--once")
PARTS = 2  # of the points, so that they are tried at the same time
EVER = 10**9
FAULTS: dict[str, dict[str, Any]] = {
    "unavailable": {"code": 503}, "too many": {"code": 429, "retry_after": 3}, "timed out": {"code": 504}, "lost": {"lost": True},
    "done too late": {"code": 504, "lost": True},
}  # fmt: skip
LOOKS_ON = re.compile(r"Operations\.GetOperation$|jobs\.get")
Run = Callable[[StepRequest, Progress], StepResult]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, StepResult]:
    """What steps came to, by all that they were given."""
    return {"": StepResult({"folder": tmp_path_factory.mktemp("steps")})}


@pytest.fixture(autouse=True)
def quick(kept: dict[str, StepResult], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a step with the same inputs hand back the same files, and no pause be taken."""
    run, folder = jobs.run, kept[""].outputs["folder"]

    def remembered(request: StepRequest, progress: Progress) -> StepResult:
        inputs = {role: sha256_of(path) for role, path in request.inputs.items()}
        asked = digest([request.step, request.spec, inputs, {**request.options, "now": None}])
        if asked not in kept:
            found = run(request, progress)
            shutil.copytree(request.out, folder / asked)
            names = {role: Path(path.relative_to(request.out)) for role, path in found.outputs.items()}
            kept[asked] = StepResult(names, found.facts)
        shutil.copytree(folder / asked, request.out, dirs_exist_ok=True)
        outputs = {role: request.out / name for role, name in kept[asked].outputs.items()}
        return StepResult(outputs, kept[asked].facts)

    monkeypatch.setattr(jobs, "run", remembered)
    skip_pauses(monkeypatch)


class World:
    """A project that is new at each point."""

    def __init__(self, standin: Running, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._standin, self._folder, self._patch, self._made = standin, folder, monkeypatch, 0

    def anew(self) -> Acme:
        """Empty the cloud, and make the project in it."""
        self._made += 1
        self._standin.reset()
        acme = Acme(self._standin, self._folder / str(self._made))
        self._patch.chdir(acme.root)
        self._patch.setenv("XDG_CACHE_HOME", str(acme.root / "cache"))
        acme.online()
        return acme


@pytest.fixture
def world(acme: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(acme.standin, tmp_path / "worlds", monkeypatch)


def ended(acme: Acme, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Where it ended, times left out: whatever is there twice shows."""
    history = acme.asked(capsys, "history", "demand")
    name = derived_names("demand")["Cloud Run job"]
    return {
        "versions": [(each["version"], each["state"]) for each in history["versions"]],
        "releases": [(each["release"], each["version"]) for each in history["releases"]],
        "registered": sorted(tuple(sorted(each.version_aliases)) for each in acme.versions()),
        "traffic": acme.traffic(),
        "deployed": sorted((each.display_name, each.id) for each in acme.endpoint().deployed_models),
        "rows": sorted((row["series"], str(row["time"]), str(row["quantile"]), row["value"]) for row in acme.rows()),
        "forecast": acme.asked(capsys, "forecast", "demand")["rows"],
        "models": acme.objects("models"),
        "executions": len(platform.executions(acme.project, name)),
    }


def well(world: World, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return where a pass ends that nothing happens to, and its calls."""
    acme = world.anew()
    before = len(acme.standin.calls())
    assert acme.run(*ONCE) == 0
    calls = acme.standin.calls()[before:]
    return ended(acme, capsys), calls


@pytest.mark.parametrize("fault", list(FAULTS))
def test_every_call_may_go_wrong_the_first_time(world: World, capsys: pytest.CaptureFixture[str], fault: str) -> None:
    expected, calls = well(world, capsys)
    acme = world.anew()
    before = len(acme.standin.calls())
    acme.standin.fault(".", first=True, count=EVER, **FAULTS[fault])
    assert acme.run(*ONCE) == 0, capsys.readouterr()
    acme.standin.calm()
    made = acme.standin.calls()[before:]
    assert len([each for each in made if each["answer"] != "OK"]) >= len({each["asked"] for each in calls})
    assert ended(acme, capsys) == expected
    assert not [each for each in acme.objects("state") if each.endswith("/lease")]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_pass_whose_calls_stop_anywhere_is_made_good_by_the_next(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    expected, calls = well(world, capsys)
    points = [place for place, each in enumerate(calls) if each["mutating"] or LOOKS_ON.search(each["method"])]
    for point in tried(points)[part::PARTS]:
        acme = world.anew()
        acme.standin.fault(".", skip=point, count=EVER, code=403)  # a no that nobody asks about twice
        acme.run(*ONCE)
        acme.standin.calm()
        with monkeypatch.context() as later:
            # A minute later nobody renewed it: whoever works on the forecast next takes it over.
            later.setattr(lease, "_ran_out", lambda _seen: True)
            assert acme.run(*ONCE) == 0, (point, capsys.readouterr())
        assert ended(acme, capsys) == expected, point
        before = acme.changed()
        assert acme.run(*ONCE) == 0
        assert acme.changed() == before, point
