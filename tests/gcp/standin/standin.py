"""All of it together: the doors, the way out, and what a test may ask."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from tests.gcp.standin import admin
from tests.gcp.standin.cloud import Cloud, Settings
from tests.gcp.standin.commands import Hook
from tests.gcp.standin.grpc_door import GrpcDoor
from tests.gcp.standin.iam.policies import Grant, Need
from tests.gcp.standin.identity import Identity
from tests.gcp.standin.journal import Fault, Journal
from tests.gcp.standin.proxy import Proxy
from tests.gcp.standin.refused import Refused
from tests.gcp.standin.rest_door import RestDoor

_LOCAL = "localhost,127.0.0.1"


class Standin:
    """The process's one stand-in. What clients need to find it is in `environment`, and in the folder as env.sh and env.json."""

    def __init__(self, folder: Path, project: str) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._identity = Identity(self.folder, project)
        self.journal = Journal()
        proxy = self._open()
        self.environment = self._environment(project, f"http://127.0.0.1:{proxy}")
        self._runs = 0
        self._kept: dict[str, tuple[Cloud, Journal]] = {}
        self.cloud = self._cloud()
        self._write(admin.serve(self._questions()))

    def _open(self) -> int:
        doors = (self._identity, lambda: self.cloud, lambda: self.journal, self._cut)
        ports = GrpcDoor(*doors).start(), RestDoor(*doors).start()
        self._proxy = Proxy(self._identity.served, *ports, self._refused)
        return self._proxy.start()

    def _cut(self, port: int) -> None:
        self._proxy.cut(port)

    def _refused(self, host: str) -> None:
        self.journal.strangers.append(host)

    def _environment(self, project: str, proxy: str) -> dict[str, str]:
        authority = str(self._identity.authority)
        ways_out = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), proxy)
        return {
            **ways_out, "NO_PROXY": _LOCAL, "no_proxy": _LOCAL, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": authority,
            "REQUESTS_CA_BUNDLE": authority, "SSL_CERT_FILE": authority, "GOOGLE_CLOUD_PROJECT": project,
            "GOOGLE_APPLICATION_CREDENTIALS": str(self._identity.account),
        }  # fmt: skip

    def _write(self, port: int) -> None:
        lines = (f"export {key}={shlex.quote(value)}\n" for key, value in self.environment.items())
        (self.folder / "env.sh").write_text("".join(lines))
        ready = {"environment": self.environment, "admin": f"http://127.0.0.1:{port}"}
        part = self.folder / "env.json.part"
        part.write_text(json.dumps(ready, indent=1))
        part.replace(self.folder / "env.json")  # whoever waits for the file finds it whole

    def _next_folder(self) -> Path:
        self._runs += 1
        return self.folder / str(self._runs)

    def _cloud(self) -> Cloud:
        cloud = Cloud(self._next_folder(), self.environment, owner=self._identity.email)
        cloud.commands.account_file = self._identity.account_file
        return cloud

    def _questions(self) -> dict[str, admin.Ask]:
        return {
            "reset": self._reset,
            "keep": self._keep,
            "bring_back": self._bring_back,
            "fault": lambda given: self.journal.add_fault(Fault(**given)),
            "calm": lambda _: self.journal.faults.clear(),
            "settings": self._set,
            "hook": lambda given: self.cloud.commands.hooks.append(Hook(**given)),
            "predicted": self._predicted,
            "likewise": self._likewise,
            "calls": lambda _: self.journal.calls,
            "strangers": lambda _: self.journal.strangers,
            "ignored": lambda _: self.journal.ignored,
            "account": lambda given: str(self._identity.account_file(given["email"])),
            "grant": lambda given: self.cloud.iam.add(Grant(**given)),
            "revoke": lambda given: self.cloud.iam.remove(Grant(**given)),
            "role": self._define_role,
            "allow": self._allow,
            "authorize": self._authorize,
            "denied": lambda _: self.cloud.iam.denied,
            "grants": self._grants,
            "outputs": lambda _: [run.said for run in self.cloud.commands.runs],
        }

    def _define_role(self, given: dict[str, Any]) -> None:
        self.cloud.iam.custom[given["name"]] = frozenset(given["permissions"])

    def _allow(self, given: dict[str, Any]) -> None:
        for name, permissions in given["roles"].items():
            self._define_role({"name": name, "permissions": permissions})
        for grant in given["grants"]:
            self.cloud.iam.add(Grant(**grant))

    def _authorize(self, given: dict[str, Any]) -> str:
        """Say in Google's words why an account may not; nothing where it may."""
        with self.cloud.lock:
            try:
                self.cloud.iam.require(given["email"], [Need(**each) for each in given["needs"]])
            except Refused as refused:
                return refused.message
        return ""

    def _grants(self, _: dict[str, Any]) -> list[dict[str, Any]]:
        """Every grant that there ever was, with the permissions that it allowed calls."""
        used: dict[Grant, list[str]] = {}
        for grant, permission in self.cloud.iam.used:
            used.setdefault(grant, []).append(permission)
        return [{**asdict(each), "allowed": sorted(used.get(each, []))} for each in self.cloud.iam.known]

    def _likewise(self, given: dict[str, Any]) -> None:
        from tests.gcp.standin.likewise import likewise

        with self.cloud.lock:
            likewise(self.cloud, **given)

    def _predicted(self, given: dict[str, Any]) -> None:
        from tests.gcp.standin.services import predicted

        with self.cloud.lock:
            predicted.count(self.cloud, **given)

    def _reset(self, _: dict[str, Any]) -> None:
        self.cloud.close()
        self.cloud, self.journal = self._cloud(), Journal()

    def _keep(self, given: dict[str, Any]) -> None:
        self._kept[given["name"]] = self.cloud.copy_into(self._next_folder()), self.journal.copied()

    def _bring_back(self, given: dict[str, Any]) -> None:
        cloud, journal = self._kept[given["name"]]
        self.cloud.close()
        self.cloud, self.journal = cloud.copy_into(self._next_folder()), journal.copied()

    def _set(self, given: dict[str, Any]) -> dict[str, Any]:
        unknown = given.keys() - {field.name for field in fields(Settings)}
        if unknown:
            raise ValueError(f"there is no setting {sorted(unknown)}")
        for name, value in given.items():
            setattr(self.cloud.settings, name, value)
        return asdict(self.cloud.settings)
