"""A damaged model file is that version's trouble alone: it is refused, or it ends a process of its own, and never the step's."""

from __future__ import annotations

import io
import multiprocessing
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlspec import jobs
from mlspec.errors import DamagedModel, Defect, MissingExtra, MlspecError, ModelError, Terminated
from mlspec.forecast import trees
from mlspec.forecast.artifact import ModelArtifact, dump_model
from mlspec.forecast.candidates import ChosenCandidate, fit_candidate
from mlspec.forecast.tree_text import check_tree_text
from mlspec.jobs import isolation
from mlspec.jobs.isolation import forecast_apart, run_apart
from mlspec.jobs.runtime import single_threaded
from mlspec.models.storage import pack_archive
from mlspec.spec.candidates import GradientBoosting
from mlspec.state.step import StepRequest
from tests.examples import sales
from tests.forecast.test_workers import panel
from tests.jobs.pipeline import Pipeline
from tests.tools import needs_linux
from tests.waiting import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
PANEL = panel(4)
MUTATIONS = 200
SOURCE = "the model v1 (model.zip)"
NUMBER = re.compile(rb"(?<=[= ])-?[0-9][0-9.e+-]*")
NUMBERS = (
    b"-1",
    b"0",
    b"1",
    b"7",
    b"31",
    b"999999",
    b"2147483647",
    b"-2147483648",
    b"99999999999999999999",
    b"nan",
    b"1e300",
    b"x",
    b"",
)


def fitted(library: str) -> tuple[GradientBoosting, dict[str, bytes]]:
    """A small model of boosted trees, as the parts of its file."""
    candidate = GradientBoosting(kind="gradient-boosting", library=library, lags=(1, 7), iterations=12)  # type: ignore[arg-type]
    data = fit_candidate(candidate, PANEL, seed=0).to_bytes()
    assert data is not None
    return candidate, trees.unpack_archive(data)


def artifact(candidate: GradientBoosting, parts: dict[str, bytes], text: bytes) -> ModelArtifact:
    return ModelArtifact(ChosenCandidate(candidate), ((candidate, pack_archive({**parts, "trees": text})),), 0)


def replace_number(text: bytes, chance: Random) -> bytes:
    found = chance.choice(list(NUMBER.finditer(text)))
    return text[: found.start()] + chance.choice(NUMBERS) + text[found.end() :]


def replace_byte(text: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(text))
    return text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :]


def drop_line(text: bytes, chance: Random) -> bytes:
    lines = text.split(b"\n")
    lines.pop(chance.randrange(len(lines)))
    return b"\n".join(lines)


def repeat_line(text: bytes, chance: Random) -> bytes:
    lines = text.split(b"\n")
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return b"\n".join(lines)


def cut_short(text: bytes, chance: Random) -> bytes:
    return text[: chance.randrange(len(text))]


def drop_word(text: bytes, chance: Random) -> bytes:
    found = chance.choice(list(re.finditer(rb" [^ \n]+", text)))
    return text[: found.start()] + text[found.end() :]


KINDS: tuple[Callable[[bytes, Random], bytes], ...] = (
    replace_number, replace_number, replace_number, replace_byte, drop_line, repeat_line, cut_short, drop_word,
)  # fmt: skip


def keep_sizes(text: bytes) -> bytes:
    """Let `tree_sizes` say how long each tree is, so that LightGBM comes to read what is in it."""
    head, blank, body = text.partition(b"\n\n")
    blocks = re.split(rb"(?m)^(?=Tree=|end of trees)", body)[1:-1]
    sizes = b" ".join(str(len(block)).encode() for block in blocks)
    return re.sub(rb"(?m)^tree_sizes=.*$", b"tree_sizes=" + sizes, head) + blank + body


def mutated(text: bytes) -> list[bytes]:
    chance = Random(13)
    found = [KINDS[number % len(KINDS)](text, chance) for number in range(MUTATIONS)]
    return [keep_sizes(each) if number % 2 else each for number, each in enumerate(found)]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As in a step."""
    with single_threaded():
        yield


@pytest.fixture(scope="module")
def lightgbm() -> tuple[GradientBoosting, dict[str, bytes]]:
    return fitted("lightgbm")


def outcomes(models: list[ModelArtifact]) -> list[str]:
    """What came of each: `forecast`, `refused`, or `died`. Another error, or the death of this process, fails the test."""
    said = []
    for model in models:
        try:
            forecast_apart(model, PANEL, SOURCE)
        except ModelError as error:
            said.append("died" if "the process that read it" in error.message else "refused")
        else:
            said.append("forecast")
    return said


def is_refused(text: bytes) -> bool:
    try:
        check_tree_text(text)
    except ValueError:
        return True
    return False


def test_a_mutated_text_of_trees_is_refused_before_it_is_followed(lightgbm: Any) -> None:
    candidate, parts = lightgbm
    texts = mutated(parts["trees"])
    passed = [text for text in texts if not is_refused(text)]
    assert len(passed) < MUTATIONS / 2
    refused = next(text for text in texts if is_refused(text))
    said = outcomes([artifact(candidate, parts, text) for text in (*passed, refused)])
    assert said.count("died") == 0  # the check knows of each way in which one of these ends a process
    assert said[-1] == "refused"


def test_a_text_that_passes_the_check_and_ends_its_process_ends_nothing_else(
    lightgbm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate, parts = lightgbm
    sound = artifact(candidate, parts, parts["trees"])
    expected = forecast_apart(sound, PANEL, SOURCE)
    monkeypatch.setattr(trees, "check_tree_text", lambda _data: None)
    monkeypatch.setattr(isolation, "MOST_SECONDS", 5)  # a circle of nodes never ends
    said = outcomes([artifact(candidate, parts, text) for text in mutated(parts["trees"])[:30]])
    assert said.count("died") > 0  # without the check some do
    pd.testing.assert_frame_equal(forecast_apart(sound, PANEL, SOURCE), expected, check_exact=True)


@pytest.mark.parametrize("library", ["lightgbm", "scikit-learn"])
def test_a_process_of_its_own_changes_no_digit(library: str) -> None:
    candidate, parts = fitted(library)
    if library == "lightgbm":
        check_tree_text(parts["trees"])
    model = artifact(candidate, parts, parts["trees"])
    apart, here = forecast_apart(model, PANEL, SOURCE), model.forecast(PANEL)
    pd.testing.assert_frame_equal(apart, here, check_exact=True)
    assert list(apart.dtypes) == list(here.dtypes)


def broken_nodes(data: bytes, chance: Random) -> bytes:
    """Trees of scikit-learn with one field of one node changed."""
    parts = trees.unpack_archive(data)
    arrays = {name: np.load(io.BytesIO(part)) for name, part in parts.items() if name.endswith(".npy")}
    name = chance.choice([name for name, array in arrays.items() if array.dtype.names])
    array = arrays[name].copy()
    node = chance.randrange(len(array))
    field = chance.choice(["left", "right", "feature_idx", "is_leaf", "is_categorical"])
    array[field][node] = chance.choice([0, 1, node, 200] + ([2**31 - 1] if array.dtype[field].itemsize >= 4 else []))
    out = io.BytesIO()
    np.save(out, array)
    return pack_archive({**parts, name: out.getvalue()})


def test_nodes_of_scikit_learn_that_lead_nowhere_are_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    candidate, parts = fitted("scikit-learn")
    chance = Random(13)
    models = [artifact(candidate, parts, broken_nodes(parts["trees"], chance)) for _ in range(60)]
    monkeypatch.setattr(isolation, "MOST_SECONDS", 5)
    said = outcomes(models)
    assert said.count("died") == 0
    assert said.count("refused") > 10


def test_a_step_names_the_version_and_the_file_and_the_other_version_forecasts(tmp_path: Path) -> None:
    boosted = {"kind": "gradient-boosting", "library": "lightgbm", "lags": [1, 7], "iterations": 10}
    run = Pipeline(tmp_path, model={"candidates": [boosted, {"kind": "seasonal-naive", "season": 7}]}).data(sales(90))
    run.check()
    run.run("backtest", incumbent=None)
    for version, candidate in (("v1", boosted), ("v2", {"kind": "seasonal-naive", "season": 7})):
        run.run("train", candidate=candidate)
        run.files |= {f"model-{version}": run.files.pop("model"), f"backtest-{version}": run.files["backtest"]}
    backtest = run.files.pop("backtest")
    parts = trees.unpack_archive(run.files["model-v1"].read_bytes())
    inner = trees.unpack_archive(parts["member-0"])
    inner["trees"] = inner["trees"].replace(b"split_feature=", b"split_feature=999999 ", 1)
    run.files["model-v1"].write_bytes(pack_archive({**parts, "member-0": pack_archive(inner)}))
    with pytest.raises(ModelError) as caught:
        run.run("forecast", traffic={"v1": 100})
    assert "v1" in caught.value.message
    assert str(run.files["model-v1"]) in caught.value.message
    run.files |= {"backtest": backtest}
    assert run.run("forecast", traffic={"v2": 100})["rows"] == 4


def test_an_error_of_the_process_comes_through_as_it_was() -> None:
    def fails(error: BaseException) -> Callable[[], bytes]:
        def work() -> bytes:
            raise error

        return work

    for raised in (ModelError("too little", hint="bring more"), MissingExtra("lightgbm", "lightgbm")):
        with pytest.raises(type(raised), match=re.escape(raised.message)) as caught:
            run_apart(fails(raised), SOURCE)
        assert caught.value.hint == raised.hint
    with pytest.raises(MemoryError):
        run_apart(fails(MemoryError()), SOURCE)
    with pytest.raises(Defect, match=f"{re.escape(SOURCE)}: the forecast raised KeyError: 'x'"):
        run_apart(fails(KeyError("x")), SOURCE)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_the_death_of_the_process_is_told_with_its_signal(number: signal.Signals) -> None:
    def dies() -> bytes:
        os.kill(os.getpid(), number)
        return b""

    with pytest.raises(MlspecError, match=rf"{re.escape(SOURCE)} cannot be used: .* was ended by {number.name}"):
        run_apart(dies, SOURCE)


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were forked."""
    found: list[int] = []
    real = isolation._fork

    def fork() -> int:
        found.append(real())
        return found[-1]

    monkeypatch.setattr(isolation, "_fork", fork)
    return found


def test_a_process_that_waits_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch, forked: list[int]) -> None:
    def blocks() -> bytes:
        os.read(os.pipe()[0], 1)
        return b""

    monkeypatch.setattr(isolation, "_MOST_WAIT", 0.01)
    with pytest.raises(DamagedModel, match="had no answer after 0 s"):
        run_apart(blocks, SOURCE)
    (child,) = forked
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)


def test_a_signal_to_the_step_ends_the_process_too(forked: list[int]) -> None:
    def hears(_number: int, _frame: object) -> None:
        raise Terminated

    def blocks() -> bytes:
        os.kill(os.getppid(), signal.SIGUSR1)
        os.read(os.pipe()[0], 1)
        return b""

    before = signal.signal(signal.SIGUSR1, hears)
    try:
        with pytest.raises(Terminated):
            run_apart(blocks, SOURCE)
    finally:
        signal.signal(signal.SIGUSR1, before)
    (child,) = forked
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)


def test_a_signal_that_comes_while_the_process_is_forked_is_not_lost() -> None:
    """Python ignores what a handler raises inside the functions that libraries let run at each fork."""
    code = (
        "import os, signal\nfrom mlspec.errors import Terminated\nfrom mlspec.jobs.isolation import run_apart\n"
        "def hears(_number, _frame):\n    raise Terminated\n"
        "signal.signal(signal.SIGUSR1, hears)\n"
        "os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGUSR1))\n"
        "try:\n    run_apart(lambda: os.read(os.pipe()[0], 1), 'the model')\n"
        "except Terminated:\n    print('stopped')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.stderr) == ("stopped\n", "")


def test_a_process_of_a_server_that_dies_is_told_as_an_error(tmp_path: Path) -> None:
    """In an interpreter of its own: the process that others are forked from is one for all that an interpreter starts."""
    (tmp_path / "dying.py").write_text(
        "import os\ndef dies(work, request, sender):\n    os.abort()\ndef fails(work, request, sender):\n    raise SystemExit(3)\n"
    )
    code = (
        "import dying\nfrom pathlib import Path\nfrom mlspec import jobs\nfrom mlspec.errors import TargetError\n"
        "from mlspec.state.step import StepRequest\n"
        "jobs.libraries_to_preload = lambda spec: []\n"
        "if __name__ == '__main__':\n"
        "    for work in (dying.dies, dying.fails):\n"
        "        jobs._send_result = work\n"
        "        try:\n"
        "            jobs.predict_apart(StepRequest('forecast', {}, Path('.'), Path('.'), {}, {}))\n"
        "        except TargetError as error:\n"
        "            print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    lines = done.stdout.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["-6", "3"], done.stderr
    assert all("the process that computed the predictions ended" in line for line in lines)


@pytest.mark.parametrize("error", [None, ModelError("odd"), ValueError("odd")])
def test_a_process_of_a_server_that_was_killed_ends_without_a_word(error: Exception | None) -> None:
    def work(_request: StepRequest) -> str:
        if error:
            raise error
        return "made"

    receiver, sender = multiprocessing.Pipe(duplex=False)
    receiver.close()
    jobs._send_result(work, StepRequest("forecast", {}, Path(), Path()), sender)


def test_the_model_file_of_a_statistical_candidate_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlspec.spec.candidates import SeasonalNaive

    candidate = SeasonalNaive(kind="seasonal-naive", season=7)
    model = ModelArtifact(ChosenCandidate(candidate), ((candidate, None),), 0)
    assert b"seasonal-naive" in trees.unpack_archive(dump_model(model))["manifest.json"]
    monkeypatch.setattr(isolation, "run_apart", lambda *_: pytest.fail("forked"))
    assert len(forecast_apart(model, PANEL, SOURCE)) == 4 * 3


def test_a_step_that_is_killed_leaves_no_process_that_holds_its_lock() -> None:
    """What the forked process has open is closed once it ends: here a pipe, in a step the lock of the forecast."""
    needs_linux("only its kernel ends a process with the one that forked it")
    receiver, sender = os.pipe()
    step = os.fork()
    if step == 0:
        os.close(receiver)

        def work() -> bytes:
            os.write(sender, b"works")
            signal.pause()
            return b""

        isolation.start_apart(work, SOURCE, DamagedModel)
        signal.pause()
        os._exit(0)
    os.close(sender)
    assert os.read(receiver, 5) == b"works"
    os.kill(step, signal.SIGKILL)
    os.waitpid(step, 0)
    assert select.select([receiver], [], [], PATIENCE)[0]
    assert os.read(receiver, 1) == b""
    os.close(receiver)
