"""The test's side: starts the process, and asks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.processes import unmeasured

ROOT = Path(__file__).resolve().parents[3]
LONG_ENOUGH = 60
"""Seconds after which a question is lost, not slow."""


class Running:
    """A stand-in in a process of its own. `environment` leads any client of Google's to it."""

    def __init__(self, folder: Path, project: str = "acme-test") -> None:
        self.folder, self.project = folder, project
        self.prepared: dict[str, list[str]] = {}
        """The specs whose Terraform is granted, by the name of what was prepared and kept: see `acme.Acme.prepare`."""
        argv = [sys.executable, "-m", "tests.gcp.standin", "--dir", str(folder), "--project", project, "--until-eof"]
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "stderr.txt").open("wb") as log:
            self._process = subprocess.Popen(
                argv, cwd=ROOT, env=unmeasured(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout
        if not self._process.stdout.readline().startswith("ready"):
            raise RuntimeError(f"the stand-in did not start:\n{(folder / 'stderr.txt').read_text()}")
        ready = json.loads((folder / "env.json").read_text())
        self.environment: dict[str, str] = ready["environment"]
        self.admin: str = ready["admin"]
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def for_terraform(self) -> dict[str, str]:
        """The environment of Terraform's stand-in that is joined to this one: see `tests.gcp.joined`."""
        return {**self.environment, "MLSPEC_TEST_STANDIN": self.admin}

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, question: str, **given: Any) -> Any:
        request = urllib.request.Request(f"{self.admin}/{question}", json.dumps(given).encode(), method="POST")
        try:
            with self._direct.open(request, timeout=LONG_ENOUGH) as found:
                return json.load(found)
        except urllib.error.HTTPError as wrong:
            with wrong:
                raise ValueError(json.load(wrong)) from None

    def reset(self) -> None:
        """Empty the cloud, the journal, the faults, hooks and settings; end what still runs."""
        self._ask("reset")

    def keep(self, name: str) -> None:
        """Keep the cloud and the journal as they are, under a name. Raises ValueError where a program was run in it."""
        self._ask("keep", name=name)

    def bring_back(self, name: str) -> None:
        """Let the cloud and the journal be as they were when they were kept; what still runs is ended."""
        self._ask("bring_back", name=name)

    def fault(self, method: str, **how: Any) -> None:
        """Let calls go wrong from now on: see `journal.Fault` for what can be said."""
        self._ask("fault", method=method, **how)

    def calm(self) -> None:
        """Let calls go well again, whatever faults were still to come."""
        self._ask("calm")

    def set(self, **settings: Any) -> None:
        """Turn settings: see `cloud.Settings`."""
        self._ask("settings", **settings)

    def hook(
        self, image: str, command: list[str], *, env: dict[str, str] | None = None, cwd: str | None = None
    ) -> None:
        """Let a program run in place of images: see `commands.Hook`."""
        self._ask("hook", image=image, command=command, env=env or {}, cwd=cwd)

    def hook_code(self, image: str, code: str, *, cwd: str, env: dict[str, str] | None = None) -> None:
        """Let Python run in place of images, in a fork that has imported mlspec and Google's clients: see `commands.Hook`."""
        self._ask("hook", image=image, command=["python", "-c", code], code=code, env=env or {}, cwd=cwd)

    def predicted(self, **minute: Any) -> None:
        """Let Vertex AI have counted a minute of a deployed model's requests: see `predicted.count`."""
        self._ask("predicted", **minute)

    def likewise(self, name: str, others: Sequence[str]) -> None:
        """Let there be for each other forecast what there is for `name`: see `likewise.py`."""
        self._ask("likewise", name=name, others=list(others))

    def account(self, email: str) -> str:
        """The file that lets a client act as an account, for GOOGLE_APPLICATION_CREDENTIALS. What it may do, `grant` says."""
        return str(self._ask("account", email=email))

    @contextmanager
    def acting_as(self, email: str) -> Iterator[None]:
        """Let this process act as an account, and what it starts."""
        before = os.environ["GOOGLE_APPLICATION_CREDENTIALS"]
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = self.account(email)
        try:
            yield
        finally:
            os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = before

    def grant(self, resource: str, role: str, member: str, condition: str = "") -> None:
        """Grant a role, as IAM's policies name resources and members: see `iam.policies`."""
        self._ask("grant", resource=resource, role=role, member=member, condition=condition)

    def revoke(self, resource: str, role: str, member: str, condition: str = "") -> None:
        """Take a role away."""
        self._ask("revoke", resource=resource, role=role, member=member, condition=condition)

    def allow(self, roles: Mapping[str, Sequence[str]], grants: Sequence[Any]) -> None:
        """Let there be roles of the project's own, and many grants at once."""
        self._ask("allow", roles=dict(roles), grants=[asdict(each) for each in grants])

    def define_role(self, name: str, permissions: Sequence[str]) -> None:
        """Let there be a role of the project's own."""
        self._ask("role", name=name, permissions=list(permissions))

    def denied(self) -> list[str]:
        """What was refused so far for want of a permission, in order."""
        return list(self._ask("denied"))

    def grants(self) -> list[dict[str, Any]]:
        """Every grant that there ever was, each with the permissions that it allowed calls."""
        return list(self._ask("grants"))

    def outputs(self) -> list[str]:
        """What each program said so far, after the line that started it."""
        return list(self._ask("outputs"))

    def calls(self) -> list[dict[str, Any]]:
        """Every call so far: method, mutating, and the answer's code."""
        return list(self._ask("calls"))

    def counted(self, *, mutating: bool | None = None) -> Counter[str]:
        """How often each method was called; all of them, or those that change something, or those that do not."""
        return Counter(call["method"] for call in self.calls() if mutating in {None, call["mutating"]})

    def strangers(self) -> list[str]:
        """What was asked for beyond Google's own hosts, each with its method."""
        return list(self._ask("strangers"))

    def ignored(self) -> list[str]:
        """What callers set and Google would have dropped without a word: each method with the field."""
        return list(self._ask("ignored"))
