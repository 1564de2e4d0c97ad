"""A model of the project's own that breaks is refused in words that name its file and line, and costs no other its turn."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlspec.errors import BrokenModel
from tests.models.projects import NAIVE, PROMO, changed, pipeline, write_model
from tests.tools import needs_linux
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]

RETURN = '        return future[["unique_id", "ds"]].assign(mean=means)\n'
FIT = "        self.means = {f"
# What the model does, and what is said of it. Lines are those of the file.
MEAN = "assign(mean=means)"
BROKEN = {
    "raises": (changed(RETURN, '        raise ValueError("no promotions")\n'), "models/promo.py:19: ValueError: no promotions"),
    "raises while it learns": (changed(FIT, f"        1 / 0\n{FIT}"), "models/promo.py:14: ZeroDivisionError: division by zero"),
    "is no Python at import": (changed("import json\n", "import json\nimport nothing_of_that_name\n"),
                               "models/promo.py:2: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
    "exits": (changed(FIT, f"        raise SystemExit(3)\n{FIT}"), "models/promo.py:14: SystemExit: 3"),
    "kills itself": (changed(FIT, f"        import os; os.kill(os.getpid(), 9)\n{FIT}"),
                     "models/promo.py:11: fit ended its process by SIGKILL"),
    "crashes": (changed(FIT, f"        import ctypes; ctypes.string_at(0)\n{FIT}"),
                "models/promo.py:14: fit ended its process by SIGSEGV"),
    "leaves": (changed(FIT, f"        import os; os._exit(0)\n{FIT}"),
        "models/promo.py:11: fit ended its process with exit code 0"),
    "returns NaN": (changed(MEAN, 'assign(mean=float("nan"))'),
                    "models/promo.py:16: returned NaN or an infinite value for series '001', 'NA'"),
    "returns infinity": (changed(MEAN, 'assign(mean=float("inf"))'), "returned NaN or an infinite value"),
    "returns too few rows": (changed(MEAN, "assign(mean=means).iloc[1:]"),
                             "models/promo.py:16: returned 3 of 4 rows; there is none for a period of series '001'"),
    "returns a row twice": (changed(MEAN, "assign(mean=means).iloc[[0, 0, 1, 2, 3]]"),
                            "returned a period twice for series '001'"),
    "returns an unknown series": (changed(MEAN, 'assign(mean=means, unique_id="shop")'),
        "returned a period twice for series 'shop'"),
    "returns another period": (changed(MEAN, 'assign(mean=means, ds=future["ds"] + (future["ds"].max() - future["ds"].min()) * 9)'),
                               "returned a series or period that was not asked for"),
    "returns other columns": (changed(MEAN, "assign(mean=means, price=1.0)"),
                              "returned a column price; expected unique_id, ds, mean, q0.1, q0.5, q0.9"),
    "returns no mean": (changed(MEAN, "assign(forecast=means)"), "returned no column mean"),
    "returns text": (changed(MEAN, 'assign(mean="ten")'), "returned a column mean that holds no numbers"),
    "returns no frame": (changed(RETURN, "        return means\n"), "predict returned list, and has to return a pandas DataFrame"),
    "returns crossed quantiles": (changed(MEAN, 'assign(mean=means, **{"q0.1": 3.0, "q0.5": 2.0, "q0.9": 4.0})'),
                                  "models/promo.py:16: returned quantiles that cross for series '001', 'NA'"),
    "returns some quantiles": (changed(MEAN, 'assign(mean=means, **{"q0.5": 2.0})'),
                               "returned some quantiles and no q0.1, q0.9; return all of the spec's, or none"),
    "saves a link": (changed("def save(self, folder):", 'def save(self, folder):\n        (folder / "link").symlink_to("/etc")'),
                     "models/promo.py:21: save wrote 'link', which is no plain file"),
    "saves a strange name": (changed('"means.json").write_text', '"a b").write_text'),
        "models/promo.py:21: save wrote a file of the name 'a b'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_it_is_left_out_with_its_reason_and_the_others_compete(case: str, tmp_path: Path) -> None:
    text, said = BROKEN[case]
    run = pipeline(tmp_path, text=text)
    facts = run.run("backtest", incumbent=None)
    assert facts["champion"] == "seasonal-naive"
    assert [candidate["name"] for candidate in facts["candidates"]] == ["seasonal-naive"]
    (note,) = facts["notes"]
    assert note.startswith("left out: candidate 'custom': ")
    assert said in note


def test_one_that_hangs_is_ended_and_named_with_its_line(tmp_path: Path) -> None:
    text = changed(FIT, f"        while True: pass\n{FIT}")
    run = pipeline(tmp_path, NAIVE, {**PROMO, "timeout": "1s"}, text=text, backtest={"windows": 2})
    facts = run.run("backtest", incumbent=None)
    assert facts["left_out"] == ["candidate 'custom': models/promo.py:14: fit took longer than 1 s (timeout)"]


def test_one_that_leaks_memory_fails_and_is_not_killed_with_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = changed(FIT, f"        kept = []\n        while True: kept.append(bytearray(10**8))\n{FIT}")
    run = pipeline(tmp_path, text=text)
    monkeypatch.setenv("MLSPEC_MEMORY_LIMIT", "1500MiB")
    facts = run.run("backtest", incumbent=None)
    assert facts["left_out"] == ["candidate 'custom': models/promo.py:15: MemoryError: it has too little memory"]


def test_alone_it_fails_the_training_with_its_reason(tmp_path: Path) -> None:
    run = pipeline(tmp_path, PROMO, text=BROKEN["raises"][0])
    with pytest.raises(BrokenModel, match=r"models/promo\.py:19: ValueError: no promotions"):
        run.run("backtest", incumbent=None)


def test_an_ensemble_goes_on_with_its_other_members(tmp_path: Path) -> None:
    mean = {"kind": "ensemble", "of": "all"}
    run = pipeline(tmp_path, NAIVE, {"kind": "croston"}, PROMO, mean, text=BROKEN["raises"][0])
    facts = run.run("backtest", incumbent=None)
    assert [candidate["name"] for candidate in facts["candidates"]] == ["seasonal-naive", "croston", "ensemble"]


def test_what_it_prints_is_logged_and_reaches_no_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    text = changed(FIT, f'        print("learning", len(history))\n        import os; os.system("echo deep")\n{FIT}')
    run = pipeline(tmp_path, text=text)
    with caplog.at_level(logging.INFO):
        assert run.run("backtest", incumbent=None)["notes"] == []
    assert {"candidate 'custom' printed: learning 80", "candidate 'custom' printed: deep"} <= set(caplog.messages)
    assert capfd.readouterr() == ("", "")


def test_output_without_an_end_is_bounded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = changed(FIT, f'        for number in range(100_000): print("line", number)\n{FIT}')
    run = pipeline(tmp_path, text=text)
    with caplog.at_level(logging.INFO):
        assert run.run("backtest", incumbent=None)["notes"] == []
    assert len(caplog.messages) < 600
    assert "candidate 'custom' printed 99500 more lines" in caplog.messages


def test_what_it_starts_ends_with_it(tmp_path: Path) -> None:
    needs_linux("/proc")
    kept = tmp_path / "pid"
    text = changed(
        FIT,
        f'        import subprocess; open({str(kept)!r}, "w").write(str(subprocess.Popen(["sleep", "600"]).pid))\n{FIT}',
    )
    run = pipeline(tmp_path, text=text)
    assert run.run("backtest", incumbent=None)["notes"] == []
    until(lambda: is_gone(int(kept.read_text())), 20)


def is_gone(number: int) -> bool:
    """Whether a process has ended, though nobody may have asked how."""
    try:
        os.kill(number, 0)
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


STEP = """
import sys
from pathlib import Path
from tests.models.projects import pipeline
pipeline(Path(sys.argv[1]), text=Path(sys.argv[2]).read_text()).run("backtest", incumbent=None)
"""


def test_it_ends_with_a_step_that_is_killed(tmp_path: Path) -> None:
    needs_linux("/proc")
    kept, text = tmp_path / "pid", tmp_path / "text"
    waits = f"        import os, time; open({str(kept)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}} '); time.sleep(600)\n{FIT}"
    text.write_text(changed(FIT, waits))
    (tmp_path / "project").mkdir()
    step = subprocess.Popen([sys.executable, "-c", STEP, str(tmp_path / "project"), str(text)], cwd=ROOT)
    until(lambda: kept.exists() and kept.read_text().endswith(" "), 60)
    call, server = map(int, kept.read_text().split())
    assert not is_gone(call)
    step.kill()
    step.wait()
    until(lambda: is_gone(call) and is_gone(server), 20)


def test_it_sees_no_secret_of_the_environment_and_no_other_file_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_PASSWORD", "hunter2hunter2")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    seen = '        import os\n        assert not {"ORDERS_PASSWORD", "HF_TOKEN"} & set(os.environ), "a secret"\n'
    write_model(tmp_path, "VALUE = 1\n", "models/other.py")
    text = changed(FIT, f'{seen}        __import__("models.other")\n{FIT}')
    monkeypatch.chdir(tmp_path)
    run = pipeline(tmp_path, text=text)
    (why,) = run.run("backtest", incumbent=None)["left_out"]
    assert why.endswith("ModuleNotFoundError: No module named 'models.other'")
