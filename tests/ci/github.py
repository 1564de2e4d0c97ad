"""Runs a workflow of GitHub as a runner does: its conditions, its contexts, and the shell of its steps, with the real mlspec.

What stands in: `gh` and `pip` (files of this folder), and the actions of other repositories, of which this runner knows the few
that our workflows use. An action that it does not know fails the run.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.ci.expressions import Evaluator
from tests.tools import needs

HERE = Path(__file__).parent
REPOSITORY = "acme/forecasts"
WORKFLOW = ".github/workflows/forecasts.yml"


@dataclass
class Run:
    """One run of the workflow: the result of each job, what its steps printed, and its summary."""

    number: int
    event: str
    head_sha: str
    jobs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""

    @property
    def conclusion(self) -> str:
        """What the API says of the run."""
        return "failure" if "failure" in self.jobs.values() else "success"


class GitHub:
    """A repository at GitHub, with the checkouts that its runs work in. `variables` and `secrets` are by environment; "" is all.

    `mlspec` is the command that runs find.
    """

    def __init__(self, folder: Path, checkout: Path, *, mlspec: Path, fork: bool = False) -> None:
        needs("jq")
        self.folder, self.checkout, self.fork = folder, checkout, fork
        self.variables: dict[str, dict[str, str]] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.artifacts: dict[int, Path] = {}
        folder.mkdir()
        self._state = folder / "server.json"
        server = {"repository": REPOSITORY, "tokens": {}, "comments": {}, "pulls": {}, "runs": [], "next": 1000}
        self._state.write_text(json.dumps(server))
        self._programs = folder / "bin"
        self._programs.mkdir()
        for name in ("gh", "pip"):
            (self._programs / name).symlink_to(HERE / name)
        (self._programs / "mlspec").symlink_to(mlspec)

    @property
    def server(self) -> dict[str, Any]:
        """What GitHub's server holds."""
        value: dict[str, Any] = json.loads(self._state.read_text())
        return value

    def change(self, **parts: Any) -> None:
        """Change what the server holds."""
        self._state.write_text(json.dumps({**self.server, **parts}))

    def comments(self, number: int = 1) -> list[str]:
        """The comments on a pull request."""
        return [comment["body"] for comment in self.server["comments"].get(str(number), [])]

    def merged(self, commit: str, head: str, number: int = 1) -> None:
        """A pull request went into main as this commit."""
        repository = "stranger/forecasts" if self.fork else REPOSITORY
        pull = {"number": number, "merged_at": "2026-01-01T00:00:00Z", "base": {"ref": "main"}}
        pull["head"] = {"sha": head, "repo": {"full_name": repository}}
        self.change(pulls={**self.server["pulls"], commit: [pull]})

    def git(self, *words: str) -> str:
        """Run git in the checkout."""
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        argv = ["git", *identity, *words]
        return subprocess.run(argv, cwd=self.checkout, check=True, capture_output=True, text=True).stdout.strip()

    def pull_request(self, number: int = 1) -> Run:
        """A pull request was opened, or got a commit: the checkout stands at it."""
        head = {
            "sha": self.git("rev-parse", "HEAD"),
            "repo": {"full_name": "stranger/forecasts" if self.fork else REPOSITORY},
        }
        event = {"pull_request": {"number": number, "head": head}}
        return self._run("pull_request", f"refs/pull/{number}/merge", event)

    def push(self) -> Run:
        """The checkout was pushed to main."""
        return self._run("push", "refs/heads/main", {})

    def by_hand(self) -> Run:
        """Somebody ran the workflow on main."""
        return self._run("workflow_dispatch", "refs/heads/main", {})

    def _run(self, event_name: str, ref: str, event: dict[str, Any]) -> Run:
        run = Run(len(self.server["runs"]) + 1, event_name, self.git("rev-parse", "HEAD"))
        jobs = yaml.safe_load((self.checkout / WORKFLOW).read_text())["jobs"]
        github = {
            "repository": REPOSITORY, "event_name": event_name, "ref": ref, "run_id": run.number, "event": event,
            "sha": run.head_sha,
        }  # fmt: skip
        for name, job in jobs.items():
            wanted = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            results = {other: {"result": run.jobs[other]} for other in wanted}
            succeeded = all(result["result"] == "success" for result in results.values())
            place = job.get("environment", "")
            contexts = {"github": github, "needs": results, "vars": self._of(self.variables, place)}
            if not Evaluator(contexts, {}, succeeded=succeeded).condition(job.get("if")):
                run.jobs[name] = "skipped"
                continue
            run.jobs[name] = self._job(run, job, contexts, self._of(self.secrets, place))
        row = {"id": run.number, "event": event_name, "conclusion": run.conclusion, "head_sha": run.head_sha}
        self.change(runs=[*self.server["runs"], row])
        return run

    def _of(self, values: Mapping[str, Mapping[str, str]], environment: str) -> dict[str, str]:
        hidden = {} if self.fork and values is self.secrets else values
        return {**hidden.get("", {}), **hidden.get(environment, {})}

    def _job(self, run: Run, job: dict[str, Any], contexts: dict[str, Any], hidden: dict[str, str]) -> str:
        token = secrets.token_hex(8)
        granted = {name: "read" if self.fork else level for name, level in job["permissions"].items()}
        self.change(tokens={**self.server["tokens"], token: granted})
        contexts = {**contexts, "secrets": hidden, "steps": {}, "github": {**contexts["github"], "token": token}}
        workspace = self.folder / f"run-{run.number}-{len(run.jobs)}"
        workspace.mkdir()
        succeeded = True
        for step in job["steps"]:
            files = {path: (workspace / path).exists() for path in ("mlspec-plan/plan.md",)}
            evaluator = Evaluator(contexts, files, succeeded=succeeded)
            contexts["env"] = {key: evaluator.text(value) for key, value in {**job.get("env", {})}.items()}
            if not evaluator.condition(step.get("if")):
                continue
            did = self._step(run, step, evaluator, workspace, contexts)
            succeeded = succeeded and did
        return "success" if succeeded else "failure"

    def _step(
        self, run: Run, step: dict[str, Any], evaluator: Evaluator, workspace: Path, contexts: dict[str, Any]
    ) -> bool:
        if "uses" in step:
            words = {key: evaluator.text(value) for key, value in step.get("with", {}).items()}
            return self._action(run, step["uses"], words, workspace)
        output = self.folder / "output"
        summary = self.folder / "summary"
        output.write_text("")
        summary.write_text("")
        own = {key: evaluator.text(value) for key, value in step.get("env", {}).items()}
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PG", "MLSPEC", "GIT_", "GH_"))},
            **contexts["env"], **own,
            "PATH": f"{self._programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_SHA": run.head_sha, "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary), "GH_STANDIN": str(self._state), "CI": "true",
        }  # fmt: skip
        script = self.folder / "script.sh"
        script.write_text(step["run"])
        done = subprocess.run(
            ["bash", "-e", str(script)], cwd=workspace, env=environment, capture_output=True, text=True, check=False
        )
        run.log += f"$ {step.get('name', step['run'])}\n{done.stdout}{done.stderr}"
        run.summary += summary.read_text()
        if "id" in step:
            pairs = dict(line.split("=", 1) for line in output.read_text().splitlines())
            contexts["steps"][step["id"]] = {"outputs": pairs}
        return done.returncode == 0

    def _action(self, run: Run, uses: str, words: dict[str, str], workspace: Path) -> bool:
        name, _, commit = uses.partition("@")
        assert len(commit) == 40, f"{uses} is not pinned by commit"
        if name == "actions/checkout":
            self.git("clone", "--quiet", "--no-local", ".", str(workspace))
            self.git("-C", str(workspace), "checkout", "--quiet", "--detach", run.head_sha)
        elif name == "actions/upload-artifact":
            kept = self.folder / f"artifact-{run.number}-{words['name']}"
            shutil.copytree(workspace / words["path"], kept)
            self.artifacts[run.number] = kept
        elif name == "actions/download-artifact":
            number = int(words.get("run-id") or run.number)
            if number != run.number:
                assert self.server["tokens"][words["github-token"]].get("actions") == "read"
            if number not in self.artifacts:
                run.log += f"Artifact not found for name: {words['name']}\n"
                return False
            shutil.copytree(self.artifacts[number], workspace / words["path"], dirs_exist_ok=True)
        else:
            assert name == "actions/setup-python", f"this runner does not know {uses}"
        return True
