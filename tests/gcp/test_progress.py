"""What is told while terraform works: what becomes of each resource, as it happens, and no value of any."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlspec.errors import Terminated
from mlspec.state.diagnostic import Diagnostic
from mlspec.targets.gcp.terraform import output
from mlspec.targets.gcp.terraform.runner import TerraformCli

ADDRESS = "google_pubsub_topic.alerts"
HOOK = {"resource": {"addr": ADDRESS}, "action": "create", "elapsed_seconds": 20, "id_value": "a value"}
MADE = {"type": "apply_complete", "hook": HOOK, "@message": f"{ADDRESS}: Creation complete after 20s [id=a value]"}
# Says that something was made, waits to be told to end, says far more than a pipe holds, and keeps how often it was told.
UNTIL_TOLD = f"""\
import pathlib, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print({json.dumps(MADE)!r}, flush=True)
told = signal.sigtimedwait([signal.SIGINT], 60)
print("x" * 1_000_000, flush=True)
again = signal.SIGINT in signal.sigpending()
pathlib.Path("kept").write_text("never" if told is None else "twice" if again else "once")
"""
TALKS = f"""\
import sys
for _ in range(2000):
    print("x" * 100, file=sys.stderr, flush=True)
    print({json.dumps(MADE)!r}, flush=True)
print('{{"type": "diagnostic", "diagnostic": {{"severity": "error", "summary": "too much", "address": "{ADDRESS}"}}}}')
sys.exit(1)
"""
Stand = Callable[[str, Callable[[str], None]], TerraformCli]


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """Let a program stand where terraform does."""

    def made(text: str, tell: Callable[[str], None]) -> TerraformCli:
        program = tmp_path / "bin" / "terraform"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\n{text}")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))
        return TerraformCli({"PATH": "/bin:/usr/bin"}, tell)

    return made


def test_a_ctrl_c_asks_terraform_once_to_end_and_waits_until_it_kept_its_state(stand: Stand, tmp_path: Path) -> None:
    told: list[str] = []

    def stopped(text: str) -> None:
        told.append(text)
        if "created in" in text:
            raise KeyboardInterrupt(text)

    with pytest.raises(KeyboardInterrupt, match="created in 20 s"):
        stand(UNTIL_TOLD, stopped).apply(tmp_path)
    assert (tmp_path / "kept").read_text() == "once"
    assert told[1:] == ["  terraform is finishing its current changes and saving its state: please wait"]


def test_one_that_is_asked_twice_to_hurry_is_waited_for_all_the_same(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who reads what it says may go away: it would die of that, and its state with it."""
    waited = subprocess.Popen.communicate
    again = [KeyboardInterrupt("twice"), Terminated()]

    def hurried(process: subprocess.Popen[str], *words: Any, **given: Any) -> Any:
        if again:
            raise again.pop()
        return waited(process, *words, **given)

    def stopped(text: str) -> None:
        if "created in" in text:
            raise KeyboardInterrupt("once")

    monkeypatch.setattr(subprocess.Popen, "communicate", hurried)
    with pytest.raises(KeyboardInterrupt, match="once"):
        stand(UNTIL_TOLD, stopped).apply(tmp_path)
    assert (tmp_path / "kept").read_text() == "once"


def test_a_terraform_that_says_much_is_read_to_its_end(stand: Stand, tmp_path: Path) -> None:
    told: list[str] = []
    assert stand(TALKS, told.append).apply(tmp_path) == (Diagnostic("Error: too much", ADDRESS),)
    assert told == [f"  {ADDRESS}: created in 20 s"] * 2000


def test_who_waits_for_a_lock_lets_terraform_wait_too(stand: Stand, tmp_path: Path) -> None:
    asked = stand("import sys; print(*sys.argv[1:]); sys.exit(1)", print)
    (wrong,) = replace(asked, lock_timeout=30.0).apply(tmp_path, slower=True)
    assert wrong.text == "apply -json -auto-approve -lock-timeout=30s -parallelism=1 plan.tfplan"


@pytest.mark.parametrize(("kind", "action", "said"), [
    ("apply_complete", "create", f"  {ADDRESS}: created in 20 s"), ("apply_complete", "delete", f"  {ADDRESS}: destroyed in 20 s"),
    ("apply_progress", "update", f"  {ADDRESS}: still being changed, after 20 s"),
    ("apply_start", "create", None), ("apply_complete", "read", None), ("outputs", "create", None),
])  # fmt: skip
def test_what_is_told_is_what_became_of_a_resource(kind: str, action: str, said: str | None) -> None:
    assert output.progress_sentence({"type": kind, "hook": {**HOOK, "action": action}}) == said


@pytest.mark.parametrize("said", [{}, {"diagnostic": {"severity": "warning", "summary": "deprecated"}}, {"hook": HOOK}])
def test_what_is_no_error_is_none(said: dict[str, Any]) -> None:
    assert output.parse_diagnostic(said) is None


def test_of_many_errors_the_first_are_told_and_the_rest_counted() -> None:
    found = [Diagnostic(f"Error: number {number}", ADDRESS) for number in range(5)]
    message = output.terraform_error("apply", "demand", found).message
    assert "number 2" in message
    assert "number 3" not in message
    assert message.endswith("and 2 more")
