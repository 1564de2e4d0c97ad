"""A cluster trains what one machine trains: a real one, started on this machine, on the example data that ships."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import ray

from mlspec import __version__, jobs
from mlspec.engine.unfinished import ResultFolder
from mlspec.errors import MissingExtra, ModelError, TargetError
from mlspec.forecast import artifact
from mlspec.forecast.backtest import forecast_means
from mlspec.forecast.candidates import fit_candidate, from_json
from mlspec.forecast.frame import Panel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import THIS_PROCESS, TrainingPeer, split_panel
from mlspec.installation import install_command
from mlspec.jobs import kept_results, ray_cluster
from mlspec.jobs.cluster import connect_workers
from mlspec.jobs.context import read_panel, read_spec
from mlspec.jobs.ray_cluster import RayCluster, connect_cluster, library_versions, require_same_versions
from mlspec.spec.candidates import GradientBoosting
from mlspec.spec.forecast import Forecast, Training
from mlspec.spec.reader import read_yaml
from mlspec.state.step import StepRequest
from tests.forecast.test_stored_panel import PARTED, WHOLE
from tests.jobs.pipeline import Pipeline
from tests.processes import starting_unmeasured, unmeasured
from tests.tools import needs_linux

pytestmark = pytest.mark.xdist_group("ray")
ROOT = Path(__file__).resolve().parent.parent.parent
RAY = {"engine": "ray", "workers": 2}
CANDIDATES: list[dict[str, Any]] = [
    {"kind": "seasonal-naive"},
    {"kind": "theta"},
    {"kind": "gradient-boosting", "library": "lightgbm"},
]


def demand(folder: Path, training: dict[str, Any] | None) -> Pipeline:
    """The shipped forecast of weekly sales, checked."""
    folder.mkdir()
    run = Pipeline(folder)
    spec = read_yaml((ROOT / "specs/demand.yaml").read_text()).value
    spec["model"] |= {"candidates": CANDIDATES, "backtest": {"windows": 2, "step": 8, "metric": "wape"}}
    run.spec = Forecast.model_validate({**spec, "training": training or {}}).model_dump(
        mode="json", by_alias=True, exclude={"targets"}
    )
    shutil.copytree(ROOT / "data", folder / "data")
    assert run.check()["ok"]
    return run


def boosted(run: Pipeline) -> Pipeline:
    """Backtested, and the trees trained, whoever won."""
    run.run("backtest", incumbent=None)
    run.run("train", candidate=CANDIDATES[2])
    return run


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return boosted(demand(tmp_path_factory.mktemp("project") / "here", None))


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ExitStack() as stack:
        with starting_unmeasured():
            found = stack.enter_context(connect_cluster(Training.model_validate(RAY)))
        yield found


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, cluster: RayCluster) -> Pipeline:
    """The same on a cluster: one for all steps here, as the start of one takes longer than all that is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlspec.jobs.ray_cluster.connect_cluster", lambda training: nullcontext(cluster))
        return boosted(demand(tmp_path_factory.mktemp("project") / "there", RAY))


def descendants(parent: int) -> set[int]:
    """The processes below one, by Linux's own account."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found: set[int] = {parent}
    while more := {pid for pid, above in parents.items() if above in found} - found:
        found |= more
    return found


def listening(pids: set[int]) -> set[str]:
    """The addresses, in Linux's hexadecimal form, at which some processes listen."""
    sockets = set()
    for pid in pids:
        with suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    sockets.add(descriptor.readlink().name.removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in sockets}


def test_a_ray_of_this_machine_listens_to_this_machine_alone_and_asks_for_a_token(cluster: RayCluster) -> None:
    needs_linux("/proc says who listens")
    addresses = listening(descendants(os.getpid()))
    assert addresses  # the walk found its servers
    assert addresses <= {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    address = ray.get_runtime_context().gcs_address
    assert address.startswith("127.0.0.1:")
    code = f"import ray\nray.init({address!r}, log_to_driver=False)\nprint(ray.cluster_resources())"
    stranger = {key: value for key, value in unmeasured().items() if not key.startswith("RAY_AUTH")}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**stranger, "RAY_AUTH_MODE": "disabled"},
    )  # fmt: skip
    with process:
        assert process.stderr
        refused = any("InvalidAuthToken" in line for line in process.stderr)  # it would ask again and again
        process.kill()
    assert refused


def means(run: Pipeline, candidate: str) -> pd.Series:
    rows = pd.read_parquet(run.files["backtest"])
    mine = rows[rows["candidate"] == candidate]
    return mine.set_index(["unique_id", "cutoff", "ds"])["mean"].sort_index()


@pytest.mark.parametrize("candidate", ["seasonal-naive", "theta"])
def test_what_learns_each_series_by_itself_forecasts_to_the_last_digit_as_on_one_machine(
    here: Pipeline, there: Pipeline, candidate: str
) -> None:
    pd.testing.assert_series_equal(means(there, candidate), means(here, candidate), check_exact=True)


def test_trees_learned_together_are_as_good_as_those_of_one_machine(here: Pipeline, there: Pipeline) -> None:
    one, many = means(here, "gradient-boosting"), means(there, "gradient-boosting")
    assert (one - many).abs().sum() / one.abs().sum() < 0.05  # measured 0.020: docs/decisions/0013
    wape = [
        next(each for each in run.facts["backtest"]["candidates"] if each["name"] == "gradient-boosting")["metrics"]
        for run in (here, there)
    ]
    assert wape[1]["wape"] == pytest.approx(wape[0]["wape"], abs=0.01)  # 7.07 % and 7.13 %


def test_what_a_cluster_trained_forecasts_on_one_machine_and_says_nothing_of_the_cluster(there: Pipeline) -> None:
    there.spec = {**there.spec, "training": {}}
    facts = there.run("forecast", version="v1")
    assert facts["rows"] == 7 * 8
    model = artifact.load_model(there.files["model"].read_bytes())
    ((_candidate, trees),) = model.members
    assert trees is not None
    text = artifact.trees.unpack_archive(trees)["trees"].decode()
    assert "[machines: ]" in text
    assert "[num_machines: 2]" in text


def test_the_same_panel_and_as_many_workers_give_the_same_model_file(there: Pipeline, cluster: RayCluster) -> None:
    request = StepRequest("train", there.spec, there.root, there.root, dict(there.files), {})
    spec = read_spec(request)
    model = artifact.train_model(
        from_json(CANDIDATES[2]), read_panel(request, spec), spec.model.seed, lambda *_: None, cluster
    )
    again = hashlib.sha256(artifact.dump_model(model)).hexdigest()
    assert again == hashlib.sha256(there.files["model"].read_bytes()).hexdigest()


def test_what_the_workers_have_forecast_is_kept_for_a_run_after_one_that_is_killed(
    here: Pipeline, cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_results, "WORTH_KEEPING", 0.0)
    monkeypatch.setattr("mlspec.jobs.ray_cluster.connect_cluster", lambda training: nullcontext(cluster))
    model = {**here.spec["model"], "candidates": CANDIDATES[:2]}
    spec = {**here.spec, "model": model, "training": Training.model_validate(RAY).model_dump(mode="json")}
    written = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        request = StepRequest(
            "backtest", spec, here.root, tmp_path / name, dict(here.files), {}, ResultFolder(tmp_path)
        )
        written.append({role: path.read_bytes() for role, path in jobs.run(request, lambda *_: None).outputs.items()})
        assert len([path for path in tmp_path.iterdir() if path.is_file()]) == 2 * 2  # of candidates in windows
        monkeypatch.setattr(RayCluster, "forecast_shares", lambda *_: pytest.fail("a worker was asked again"))
    assert written[0] == written[1]


def test_a_panel_in_parts_is_sent_part_by_part_and_makes_the_same_model_and_forecast(cluster: RayCluster) -> None:
    trees = GradientBoosting(kind="gradient-boosting", library="lightgbm", lags=(1, 7), iterations=10)
    made = [fit_candidate(trees, panel, 0, cluster) for panel in (WHOLE, PARTED)]
    assert made[0].to_bytes() == made[1].to_bytes()
    rows = [forecast_means(made[0], panel, "trees", cluster) for panel in (WHOLE, PARTED)]
    pd.testing.assert_frame_equal(rows[1], rows[0], check_exact=True)
    alone = trees.model_copy(update={"library": "scikit-learn"})
    on_a_worker, here = (fit_candidate(alone, PARTED, 0, workers).to_bytes() for workers in (cluster, THIS_PROCESS))
    assert on_a_worker == here


def refuse(_share: PartedPanel, place: TrainingPeer) -> str:
    if place.rank == 1:
        raise ModelError("too little history", hint="bring more")
    return "learned"


def stumble(_share: Panel) -> None:
    raise KeyError("a defect")


def test_what_a_worker_says_of_the_data_is_said_as_on_one_machine(here: Pipeline, cluster: RayCluster) -> None:
    request = StepRequest("train", here.spec, here.root, here.root, dict(here.files), {})
    panel = read_panel(request, read_spec(request))
    with pytest.raises(ModelError, match="too little history") as caught:
        cluster.train(refuse, panel, panel.series_lengths.index, alone=False)
    assert caught.value.hint == "bring more"
    with pytest.raises(TargetError, match="a worker of the Ray cluster on this machine failed: 'a defect'"):
        cluster.forecast_shares(stumble, split_panel(panel, 5))


def test_a_cluster_that_is_too_small_is_said_and_not_waited_for_for_ever(cluster: RayCluster) -> None:
    with pytest.raises(TargetError, match="had only 0 of 1 workers free within 1 s") as caught:
        RayCluster(1, "on this machine", patience=1)
    assert "training.workers" in str(caught.value.hint)


def test_signals_stay_with_who_heard_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(*_words: Any, **_options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise ConnectionError("ray client connection timeout")

    monkeypatch.setattr("mlspec.jobs.ray_cluster.ray.init", init)
    before = signal.getsignal(signal.SIGTERM)
    training = Training.model_validate({**RAY, "address": "ray://ray.example.com:10001"})
    with pytest.raises(TargetError, match=r"at ray://ray.example.com:10001 does not answer"), connect_cluster(training):
        pass
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_cluster_with_another_ray_is_refused_with_both_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(*_words: Any, **_options: Any) -> None:  # in Ray's own words
        raise RuntimeError(
            "Version mismatch: The cluster was started with:\n    Ray: 2.60.0\nThis process with:\n    Ray: 2.47.1\n"
        )

    monkeypatch.setattr("mlspec.jobs.ray_cluster.ray.init", init)
    with pytest.raises(TargetError, match=r"started with: Ray: 2.60.0 This process with: Ray: 2.47.1") as caught:
        connect_cluster(Training.model_validate(RAY)).__enter__()
    assert "RAY_AUTH_TOKEN_PATH" in str(caught.value.hint)


def test_ray_that_starts_slowly_on_this_machine_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[Any] = []

    def init(*_words: Any, **_options: Any) -> None:  # in Ray's own words, and of no class of its own
        tries.append(1)
        if len(tries) < 3:
            raise Exception("The current node timed out during startup. This could happen because")  # noqa: TRY002

    monkeypatch.setattr("mlspec.jobs.ray_cluster.ray.init", init)
    ray_cluster._connect_ray(None, 2, "on this machine")
    assert len(tries) == 3
    tries.clear()
    monkeypatch.setattr("mlspec.jobs.ray_cluster.STARTS", 2)
    with pytest.raises(TargetError, match="on this machine does not answer: The current node timed out"):
        ray_cluster._connect_ray(None, 2, "on this machine")


def test_a_cluster_that_is_slow_to_start_a_server_for_this_client_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [
        ConnectionAbortedError("Starting Ray client server failed. See ray_client_server_23000.err"),  # in Ray's words
        ConnectionError("ray client connection timeout"),
    ]
    asked: list[str] = []

    def init(address: str, **_options: Any) -> None:
        asked.append(address)
        raise answers[len(asked) - 1]

    monkeypatch.setattr("mlspec.jobs.ray_cluster.ray.init", init)
    with pytest.raises(TargetError, match="ray client connection timeout"):  # that one is no matter of patience
        ray_cluster._connect_ray("ray://ray.example.com:10001", 2, "there")
    assert asked == ["ray://ray.example.com:10001"] * 2


def test_a_cluster_without_mlspec_says_what_to_install_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(**_options: Any) -> Any:  # as Ray Client does when its server cannot unpack the worker
        raise ModuleNotFoundError("No module named 'mlspec'")

    monkeypatch.setattr("mlspec.jobs.ray_cluster.ray.remote", lambda **_: lambda _seat: SimpleNamespace(remote=refuses))
    with pytest.raises(TargetError, match="cannot start a worker: No module named 'mlspec'") as caught:
        RayCluster(1, "at ray://ray.example.com:10001")
    assert f"mlspec-forecast {__version__} with its extra 'ray'" in str(caught.value.hint)


def test_a_cluster_that_goes_away_while_it_is_asked_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(**_options: Any) -> Any:  # as Ray Client does where its server has let go of the session
        raise ConnectionError("Request can't be sent because the Ray client has already been disconnected")

    monkeypatch.setattr("mlspec.jobs.ray_cluster.ray.remote", lambda **_: lambda _seat: SimpleNamespace(remote=refuses))
    with pytest.raises(TargetError, match=r"at ray://ray\.example\.com:10001 failed: Request can't be sent"):
        RayCluster(1, "at ray://ray.example.com:10001")


def test_a_worker_with_other_libraries_is_refused() -> None:
    with pytest.raises(TargetError, match="has lightgbm 1, but here it is 4") as caught:
        require_same_versions({"mlspec": "2", "lightgbm": "4"}, {"mlspec": "2", "lightgbm": "1"})
    assert f"mlspec-forecast {__version__} with its extra 'ray'" in str(caught.value.hint)
    require_same_versions(library_versions(), library_versions())


@pytest.mark.parametrize("package", ["ray", "lightgbm"])
def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=package) as caught, connect_workers(Training.model_validate(RAY)):
        pass
    assert caught.value.hint == install_command("ray")


def test_a_cluster_of_the_users_gets_the_users_own_token(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str | None]] = []

    def init(*_words: Any, **_options: Any) -> None:
        seen.append({name: os.environ.get(name) for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")})

    monkeypatch.setattr("mlspec.jobs.ray_cluster.ray.init", init)
    monkeypatch.setattr("mlspec.jobs.ray_cluster._reload_settings", lambda: None)
    monkeypatch.setattr("mlspec.jobs.ray_cluster._users_own", {})
    monkeypatch.setattr("ray._private.ray_constants.ENABLE_RAY_CLUSTER", True)
    for name, value in (("RAY_AUTH_MODE", "token"), ("RAY_AUTH_TOKEN_PATH", "/somewhere/token")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "1")
    ray_cluster._connect_ray("ray://ray.example.com:10001", 2, "there")
    ray_cluster._connect_ray(None, 2, "here")
    ray_cluster._connect_ray("ray://ray.example.com:10001", 2, "there")
    users, ours, again = seen
    assert users == again == {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "", "RAY_AUTH_TOKEN_PATH": "/somewhere/token"}
    assert ours["RAY_AUTH_MODE"] == "token"
    assert len(ours["RAY_AUTH_TOKEN"] or "") == 64
    assert ours["RAY_AUTH_TOKEN_PATH"] is None
