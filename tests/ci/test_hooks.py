"""The hooks for pre-commit and the action: what they run passes where all is well, and says what is not."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.examples import edit, project, spec_text
from tests.tools import needs

ROOT = Path(__file__).parents[2]
HOOKS: dict[str, dict[str, Any]] = {
    hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
}
ACTION: dict[str, Any] = yaml.safe_load((ROOT / ".github/actions/mlspec/action.yml").read_text())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the schema that editors read."""
    found = project(tmp_path / "shop", demand=spec_text())
    (found / "mlspec.schema.json").write_text(mlspec(found, "schema", "--kind", "any").stdout)
    return found


def mlspec(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "mlspec", *words]
    return subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)


def hook(root: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Run a hook's entry as pre-commit does: split as a shell splits, at the repository's root, without files."""
    program, *words = shlex.split(HOOKS[name]["entry"])
    assert program == "mlspec"
    assert HOOKS[name]["pass_filenames"] is False
    return mlspec(root, *words)


def test_the_hooks_are_as_pre_commit_wants_them() -> None:
    done = subprocess.run(
        [needs("pre-commit"), "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_project_that_is_well_passes_both_hooks(root: Path) -> None:
    for name in HOOKS:
        done = hook(root, name)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_spec_fails_the_hook_at_its_line(root: Path) -> None:
    edit(root / "specs/demand.yaml", "horizon:", "horzion:")
    done = hook(root, "mlspec-validate")
    assert done.returncode == 1
    assert "specs/demand.yaml:12:3: model.horzion: unknown key" in done.stdout + done.stderr


def test_a_schema_of_another_mlspec_fails_the_hook_with_what_to_do(root: Path) -> None:
    (root / "mlspec.schema.json").write_text("{}")
    done = hook(root, "mlspec-schema")
    assert done.returncode == 1
    assert "mlspec schema --kind any > mlspec.schema.json" in done.stderr


@pytest.mark.parametrize(
    ("name", "path", "runs"),
    [
        ("mlspec-validate", "specs/demand.yaml", True),
        ("mlspec-validate", "planning/specs/new/store.yml", True),
        ("mlspec-validate", "mlspec.yaml", True),
        ("mlspec-validate", "data/sales.csv", False),
        ("mlspec-validate", "my-specs.yaml", False),
        ("mlspec-schema", "mlspec.schema.json", True),
        ("mlspec-schema", ".pre-commit-config.yaml", True),
        ("mlspec-schema", "specs/demand.yaml", False),
    ],
)
def test_a_hook_runs_for_the_files_that_it_is_about(name: str, path: str, *, runs: bool) -> None:
    assert bool(re.search(HOOKS[name]["files"], path)) is runs


def action(root: Path, **inputs: str) -> tuple[list[subprocess.CompletedProcess[str]], dict[str, str], str]:
    """Run the action's own steps, and return them, its outputs and the summary."""
    given = {name: inputs.get(name, value.get("default", "")) for name, value in ACTION["inputs"].items()}
    summary, output = root.parent / "summary", root.parent / "output"
    summary.write_text("")
    output.write_text("")
    environment = {
        **os.environ, "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    done: list[subprocess.CompletedProcess[str]] = []
    for step in ACTION["runs"]["steps"]:
        if "run" not in step or step["name"] == "install mlspec" or (done and done[-1].returncode):
            continue
        own = {
            key: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda name: given[name[1]], str(value))
            for key, value in step["env"].items()
        }
        argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done.append(
            subprocess.run(argv, cwd=root, env={**environment, **own}, capture_output=True, text=True, check=False)
        )
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return done, outputs, summary.read_text()


def test_the_action_validates_and_plans_and_says_whether_something_changes(root: Path) -> None:
    done, outputs, summary = action(root)
    assert [step.returncode for step in done] == [0, 0], done[-1].stderr
    assert outputs == {"changed": "true", "plan": "mlspec-plan/plan.json", "markdown": "mlspec-plan/plan.md"}
    assert summary == (root / outputs["markdown"]).read_text()
    assert set(ACTION["outputs"]) == set(outputs)
    assert mlspec(root, "apply", outputs["plan"]).returncode == 0
    assert action(root, paths="specs/demand.yaml")[1]["changed"] == "false"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [({"target": "nowhere"}, "there is no target 'nowhere'"), ({"paths": "specs/none.yaml"}, "specs/none.yaml")],
)
def test_a_wrong_call_fails_the_action_and_is_no_change(root: Path, inputs: dict[str, str], said: str) -> None:
    done, outputs, _ = action(root, **inputs)
    assert done[-1].returncode != 0
    assert said in done[-1].stdout + done[-1].stderr
    assert outputs == {}


def test_the_action_installs_by_digest_what_stands_in_this_repository() -> None:
    (install,) = [step["run"] for step in ACTION["runs"]["steps"] if step.get("name") == "install mlspec"]
    (lock,) = re.findall(r'--require-hashes -r "\$home/([\w./-]+)"', install)
    assert (ROOT / lock).is_file()
    assert (ROOT / ".github/actions/mlspec/../../.." / "pyproject.toml").is_file()
