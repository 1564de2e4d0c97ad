"""Cloud Build, GitHub and the image: what can be known of them without their servers holds."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlspec.cli import main as front
from mlspec.render.project import project_files
from tests.tools import needs

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "mlspec-forecast[forecast,gcp] @ git+https://example.com/mlspec.git@0123abc"
PROJECT = project_files({"name": "acme", "spec": "demand", "package": SOURCE, "why": None})
# Of a project whose builds do not know yet where to get mlspec.
UNSAID = project_files({"name": "acme", "spec": "demand", "package": None, "why": "It is on one machine."})
BUILDS = {
    "ours": (ROOT / "cloudbuild.yaml").read_text(),
    "a project's": PROJECT["cloudbuild.yaml"],
    "an unsaid project's": UNSAID["cloudbuild.yaml"],
}
WORKFLOWS = {
    "a project's": PROJECT[".github/workflows/forecasts.yml"],
    "an unsaid project's": UNSAID[".github/workflows/forecasts.yml"],
    "the release": (ROOT / ".github/workflows/release.yml").read_text(),
}
# Given by Cloud Build itself: cloud.google.com/build/docs/configuring-builds/substitute-variable-values
BUILT_IN = {"PROJECT_ID", "COMMIT_SHA", "BUILD_ID"}


def seconds(text: str) -> int:
    assert re.fullmatch(r"[0-9]+s", text)
    return int(text[:-1])


@pytest.mark.parametrize("name", BUILDS)
def test_a_build_has_time_for_all_of_its_steps(name: str) -> None:
    build: dict[str, Any] = yaml.safe_load(BUILDS[name])
    assert all({"id", "name", "timeout"} <= set(step) for step in build["steps"])
    assert sum(seconds(step["timeout"]) for step in build["steps"]) <= seconds(build["timeout"]) <= 86_400
    assert len({step["id"] for step in build["steps"]}) == len(build["steps"])
    assert build["options"]["logging"] == "CLOUD_LOGGING_ONLY"  # an account of its own needs it


@pytest.mark.parametrize("name", BUILDS)
def test_every_substitution_of_a_build_is_declared_and_used(name: str) -> None:
    build: dict[str, Any] = yaml.safe_load(BUILDS[name])
    text = "\n".join(str(word) for step in build["steps"] for word in (*step["args"], step["name"]))
    # Two dollars are one for the shell.
    used = set(re.findall(r"(?<!\$)\$\{?([A-Z_][A-Z0-9_]*)", text))
    assert used <= set(build["substitutions"]) | BUILT_IN
    assert {key for key in build["substitutions"] if key not in text} <= {"_REGION"}


@pytest.mark.parametrize("name", BUILDS)
def test_the_shell_of_every_step_can_be_read(name: str) -> None:
    for step in yaml.safe_load(BUILDS[name])["steps"]:
        script = re.sub(r"\$(\$|\{_[A-Z]+\})", lambda found: "$" if found[1] == "$" else "x", step["args"][-1])
        shell = "bash" if step["entrypoint"] == "bash" else "sh"
        done = subprocess.run([shell, "-n", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_pull_request_applies_nothing() -> None:
    for text in BUILDS.values():
        build = yaml.safe_load(text)
        assert build["substitutions"]["_APPLY"] == "false"
        (apply,) = [step for step in build["steps"] if step["id"] == "apply"]
        assert apply["args"][-1].lstrip().startswith('test "${_APPLY}" = true')


@pytest.mark.parametrize("name", BUILDS)
def test_every_command_of_a_build_is_one_and_a_pull_request_is_planned_as_it_stands(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if name == "ours":
        shutil.copy(ROOT / "mlspec.yaml", tmp_path)
        for folder in ("specs", "data"):
            shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns(".mlspec"))
    else:
        assert front.run(["init", "."]) == 0
    build = yaml.safe_load(BUILDS[name])
    text = "\n".join(str(step["args"][-1]) for step in build["steps"])
    for key, value in build["substitutions"].items():
        text = text.replace(f"${{{key}}}", value)
    calls = [call.split() for call in re.findall(r"(?m)^\s*(?:\.venv/bin/)?mlspec ([^>|#\n]+)", text)]
    assert [call[0] for call in calls] == ["validate", "render", "plan", "apply"]
    for call in calls[:-1]:
        assert front.run(call) == 0, call


def test_the_triggers_set_what_the_build_reads() -> None:
    text = (ROOT / "infra" / "build.tf").read_text()
    declared = set(yaml.safe_load(BUILDS["ours"])["substitutions"])
    assert set(re.findall(r"\b(_[A-Z_]+) +=", text)) - {"_WORKER_POOL"} == declared


def test_the_image_is_as_hadolint_wants_it() -> None:
    done = subprocess.run(
        [needs("hadolint"), "--failure-threshold", "info", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_image_holds_what_is_there_and_runs_as_nobody() -> None:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    assert copied
    for names in copied:
        for name in names:
            assert (ROOT / name).exists(), name
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {name for names in copied for name in names} <= allowed
    # State of a local target may lie within what is copied.
    assert "**/.mlspec" in (ROOT / ".dockerignore").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER 65532:65532"]
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in bases)
    assert not any(word in line.lower() for line in lines for word in ("secret", "password", "token"))


def test_what_the_image_copies_is_enough_to_install_from(tmp_path: Path) -> None:
    lines = (ROOT / "Dockerfile").read_text().split("\nFROM ")[1].splitlines()
    for line in lines:
        if line.startswith("COPY "):
            for name in line.split()[1:-1]:
                source = ROOT / name
                (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "dist").glob("mlspec_forecast-*.whl"))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_as_zizmor_wants_it(name: str, tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "workflow.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(WORKFLOWS[name])
    done = subprocess.run(
        [needs("zizmor"), "--offline", "--no-progress", "--pedantic", str(workflow)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert yaml.safe_load(WORKFLOWS[name])["permissions"] == {}
