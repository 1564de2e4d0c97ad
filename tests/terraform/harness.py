"""Real Terraform in a folder of its own, against a cloud of its own, without a network."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import unmeasured

ROOT = Path(__file__).resolve().parents[2]
LONG_ENOUGH = 300
"""Seconds after which a run is hung, not slow."""

# Collecting garbage is a quarter of what a run of Terraform does, and runs are short: its memory is cleaned up where it is short.
UNCOLLECTED = {"GOGC": "off", "GOMEMLIMIT": "400MiB"}
# State stays in the folder whatever backend the code under test names: there is no bucket to keep it in.
LOCAL_BACKEND = 'terraform {\n  backend "local" {}\n}\n'


@dataclass(frozen=True)
class Result:
    """What a run of Terraform answered."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """All that it said, with the frame around its diagnostics and its line breaks taken out."""
        lines = (line.strip().lstrip("│╷╵").strip() for line in (self.stdout + "\n" + self.stderr).splitlines())
        return " ".join(filter(None, lines))

    def json(self) -> Any:
        return json.loads(self.stdout)

    def expect(self, returncode: int = 0) -> Result:
        """The result itself if it ended like this; else what it said."""
        if self.returncode != returncode:
            raise AssertionError(
                f"terraform ended with {self.returncode}, not {returncode}:\n{self.stdout}\n{self.stderr}"
            )
        return self


class Terraform:
    """Terraform in one folder."""

    def __init__(self, folder: Path, env: Mapping[str, str], program: str = "terraform"):
        self.folder, self.env, self.program = folder, dict(env), program

    def run(self, *words: str) -> Result:
        argv = [self.program, *words]
        done = subprocess.run(
            argv, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=LONG_ENOUGH, check=False
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def init(self, *words: str) -> Result:
        (self.folder / "backend_override.tf").write_text(LOCAL_BACKEND)
        return self.run("init", "-input=false", "-no-color", *words)

    def validate(self) -> Result:
        return self.run("validate", "-no-color")

    def plan(self, *words: str) -> Result:
        """Ends with 0 where nothing is to do, with 2 where something is, with 1 where it fails."""
        return self.run("plan", "-input=false", "-no-color", "-detailed-exitcode", *words)

    def apply(self, *words: str) -> Result:
        return self.run("apply", "-input=false", "-no-color", "-auto-approve", *words)

    def destroy(self, *words: str) -> Result:
        return self.run("destroy", "-input=false", "-no-color", "-auto-approve", *words)

    def show(self, *words: str) -> Result:
        return self.run("show", "-no-color", *words)

    def fmt(self, *words: str) -> Result:
        """Ends with 3 where something is not formatted."""
        return self.run("fmt", "-check", "-diff", "-recursive", "-no-color", *words)

    def changes(self, *words: str) -> dict[str, list[str]]:
        """What a plan would do, by address: ["create"], ["update"], ["delete"], ["delete", "create"]."""
        planned = self.plan("-out=changes.tfplan", *words)
        if planned.returncode == 1:
            planned.expect(0)
        found = self.show("-json", "changes.tfplan").expect(0).json()
        actions = {change["address"]: change["change"]["actions"] for change in found.get("resource_changes", [])}
        return {address: action for address, action in actions.items() if action not in (["no-op"], ["read"])}

    def state(self) -> dict[str, dict[str, Any]]:
        """The attributes of each resource in the state, by address; what is sensitive in clear text."""
        values = self.show("-json").expect(0).json().get("values") or {}
        found: dict[str, dict[str, Any]] = {}
        modules = [values.get("root_module", {})]
        while modules:
            module = modules.pop()
            modules += module.get("child_modules", [])
            found |= {resource["address"]: resource["values"] for resource in module.get("resources", [])}
        return found


class ProviderProcess:
    """The stand-in's process, for as many clouds as a worker needs; `words` and `env` are more of what it is started with.

    A cloud is a folder, so one that was ended from outside is started again for the next: no test fails for an earlier one's sake.
    """

    def __init__(self, cache: Path, log: Path, *words: str, env: Mapping[str, str] | None = None):
        self.log, self.env = log, {"GRPC_VERBOSITY": "ERROR", **(env or {})}
        self.argv = [sys.executable, "-m", "tests.terraform.provider", "--cache", str(cache), *words]
        self.process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        with self.log.open("a") as stderr:
            return subprocess.Popen(
                self.argv, cwd=ROOT, env={**unmeasured(), **self.env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=stderr, text=True, start_new_session=True,  # a signal to the group of the tests ends it without a word
            )  # fmt: skip

    def open(self, folder: Path, account: str = "") -> str:
        """The value of TF_REATTACH_PROVIDERS for the cloud in a folder, and for whoever acts as the account there."""
        if self.process.poll() is not None:
            self.stop()
            self.process = self._started()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(f"{folder}\t{account}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            code = self.process.wait(LONG_ENOUGH)
            raise RuntimeError(f"the stand-in for Google's provider ended with {code}:\n{self.log.read_text()}")
        return answer.strip()

    def stop(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def environment(reattach: str, home: Path, program: str) -> dict[str, str]:
    """Nothing of the caller's: no credentials, no settings, no plugin cache, no call home.

    Code under test that calls plain `terraform` finds the same program, by a script on the PATH: mlspec passes no `GOGC` on.
    """
    wrapper = home / "bin" / "terraform"
    wrapper.parent.mkdir(exist_ok=True)
    settings = " ".join(f"{name}={value}" for name, value in UNCOLLECTED.items())
    wrapper.write_text(f'#!/bin/sh\n{settings} exec {shlex.quote(program)} "$@"\n')
    wrapper.chmod(0o755)
    return {
        "PATH": os.pathsep.join([str(wrapper.parent), os.environ["PATH"]]),
        **UNCOLLECTED,
        "HOME": str(home),
        "TF_REATTACH_PROVIDERS": reattach,
        "TF_CLI_CONFIG_FILE": os.devnull,
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }


def copy(source: Path, folder: Path) -> None:
    """The code of a folder, without what a run leaves in it."""
    leftovers = shutil.ignore_patterns(".terraform", "terraform.tfstate*", "*.tfplan", ".terraform.lock.hcl")
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=leftovers)
