"""Cloud Build, GitHub and the image: what can be known of them without their servers holds."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
ACTION = (ROOT / ".github/actions/mlspec/action.yml").read_text()
GITLAB = {"a project's": PROJECT[".gitlab-ci.yml"], "an unsaid project's": UNSAID[".gitlab-ci.yml"]}
# Every text of ours that names an image, and how an image stands in it. Cloud Build's own images have no other names.
IMAGES = {
    "the image": ((ROOT / "Dockerfile").read_text(), r"^FROM (\S+)"),
    "a project's image": (PROJECT["Dockerfile"], r"^FROM (\S+)"),
    **{f"build: {name}": (text, r"(?m)^    name: (\S+)$") for name, text in BUILDS.items()},
    **{f"GitLab: {name}": (text, r"(?m)^ +image: (?:\{name: )?([^\s,]+)") for name, text in GITLAB.items()},
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
    calls = [call.split() for call in re.findall(r"(?m)(?:^\s*|\|\| )(?:\.venv/bin/)?mlspec ([^>|#\n]+)", text)]
    renders = ["render"] if name == "ours" else []
    assert [call[0] for call in calls] == ["validate", *renders, "plan", "apply"]
    for call in calls[:-1]:
        assert front.run(call) == 0, call


def test_the_triggers_set_what_the_build_reads() -> None:
    text = (ROOT / "infra" / "build.tf").read_text()
    declared = set(yaml.safe_load(BUILDS["ours"])["substitutions"])
    assert set(re.findall(r"\b(_[A-Z_]+) +=", text)) == declared


@pytest.mark.parametrize("name", ["the image", "a project's image"])
def test_the_image_is_as_hadolint_wants_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(IMAGES[name][0])
    done = subprocess.run(
        [needs("hadolint"), "--failure-threshold", "info", str(tmp_path / "Dockerfile")],
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
    assert all(re.search(r":\d+\.\d+\.\d+-[a-z-]+@sha256:[0-9a-f]{64}$", base) for base in bases)
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


@pytest.mark.parametrize("name", IMAGES)
def test_every_image_is_named_by_its_digest(name: str) -> None:
    text, pattern = IMAGES[name]
    images = re.findall(pattern, text, re.MULTILINE)
    assert images
    assert [image for image in images if not re.search(r"@sha256:[0-9a-f]{64}$", image)] == []


def test_all_name_the_same_digest_of_an_image() -> None:
    """One place that was forgotten would run another Python than the rest."""
    digests: dict[str, set[str]] = {}
    for text, pattern in IMAGES.values():
        for image in re.findall(pattern, text, re.MULTILINE):
            digests.setdefault(image.partition("@")[0], set()).add(image)
    assert {name: found for name, found in digests.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", [*WORKFLOWS, "the action"])
def test_every_action_is_pinned_by_commit(name: str) -> None:
    used = re.findall(r"(?m)^ +(?:- )?uses: (\S+)(.*)", {**WORKFLOWS, "the action": ACTION}[name])
    assert used
    assert [
        action for action, version in used if not re.search(r"@[0-9a-f]{40}$", action) or " # v" not in version
    ] == []


def test_nothing_that_a_build_installs_for_mlspec_is_without_a_digest() -> None:
    """mlspec itself is pinned by its line in the requirements file, and comes without what it needs."""
    texts = [
        *BUILDS.values(),
        *WORKFLOWS.values(),
        *GITLAB.values(),
        ACTION,
        IMAGES["the image"][0],
        PROJECT["Dockerfile"],
    ]
    installs = [line.strip() for text in texts for line in text.splitlines() if re.search(r"\bpip\d? install\b", line)]
    assert installs
    loose = [line for line in installs if "--require-hashes" not in line and "--no-deps" not in line]
    assert [line for line in loose if "[$EXTRAS]" not in line] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_as_zizmor_wants_it(name: str, tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "workflow.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(WORKFLOWS[name])
    said = zizmor(workflow)
    assert said == ""
    assert yaml.safe_load(WORKFLOWS[name])["permissions"] == {}


def test_the_action_is_as_zizmor_wants_it(tmp_path: Path) -> None:
    action = tmp_path / "action.yml"
    action.write_text(ACTION)
    assert zizmor(action) == ""


def zizmor(file: Path) -> str:
    """What zizmor has to say against a file; empty if it has nothing."""
    argv = [needs("zizmor"), "--offline", "--no-progress", "--pedantic", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


# Each file of locked packages, and what has to be in it: an extra of ours, or lines of scripts/tools.
LOCKS = {
    "templates/project/requirements.lock.j2": ["forecast", "gcp", "notify", "postgres", "serve"],
    ".ci/locks/test.txt": ["test"],
    "infra/functions/redeploy/requirements.lock": ["gcp"],
}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def wanted(extras: list[str]) -> list[Requirement]:
    """What pyproject.toml asks for, with these extras and those that they name."""
    found = [Requirement(text) for text in PYPROJECT["project"]["dependencies"]]
    for extra in extras:
        for text in PYPROJECT["project"]["optional-dependencies"][extra]:
            requirement = Requirement(text)
            found += wanted(sorted(requirement.extras)) if requirement.name == "mlspec-forecast" else [requirement]
    return found


def pinned(text: str) -> dict[str, set[str]]:
    """The versions of each package in a lock: there may be one for each platform."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize("path", LOCKS)
def test_a_lock_has_what_pyproject_asks_for(path: str) -> None:
    versions = pinned((ROOT / path).read_text())
    missing = [
        str(requirement)
        for requirement in wanted(LOCKS[path])
        if not any(
            requirement.specifier.contains(version) for version in versions.get(canonicalize_name(requirement.name), ())
        )
    ]
    assert missing == [], "run scripts/lock"


@pytest.mark.parametrize(
    "path",
    [
        "templates/project/requirements.lock.j2",
        "infra/functions/redeploy/requirements.lock",
        *sorted(str(file.relative_to(ROOT)) for file in (ROOT / ".ci/locks").glob("*.txt")),
    ],
)
def test_every_package_of_a_lock_has_a_version_and_digests(path: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / path).read_text().partition("\n")[2])
    assert len(entries) >= 1
    for entry in entries:
        assert re.match(r"[a-z0-9-]+(\[[a-z,-]+\])?==\S+", entry), entry
        assert "--hash=sha256:" in entry


def test_the_function_on_google_cloud_gets_the_versions_that_the_tests_ran_with() -> None:
    function, tested = (
        pinned((ROOT / path).read_text())
        for path in ("infra/functions/redeploy/requirements.lock", ".ci/locks/test.txt")
    )
    assert {name: versions for name, versions in function.items() if not versions <= tested[name]} == {}
    needed = Requirement((ROOT / "infra/functions/redeploy/requirements.txt").read_text().strip())
    assert all(needed.specifier.contains(version) for version in function[needed.name])


def test_there_is_a_lock_for_each_tool_that_builds_install() -> None:
    listed = subprocess.run(["sh", ROOT / "scripts/tools", "--list"], capture_output=True, text=True, check=True).stdout
    tools = {line.partition(" ")[0] for line in listed.splitlines()}
    assert {"airflow", "airflow-oldest", "checkov"} <= tools
    assert tools | {"test", "dist", "uv"} == {file.stem for file in (ROOT / ".ci/locks").glob("*.txt")}
