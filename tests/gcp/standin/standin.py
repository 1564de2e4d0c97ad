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
from tests.gcp.standin.identity import Identity
from tests.gcp.standin.journal import Fault, Journal
from tests.gcp.standin.proxy import Proxy
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

    def _cloud(self) -> Cloud:
        self._runs += 1
        return Cloud(self.folder / str(self._runs), self.environment)

    def _questions(self) -> dict[str, admin.Ask]:
        return {
            "reset": self._reset,
            "fault": lambda given: self.journal.add_fault(Fault(**given)),
            "calm": lambda _: self.journal.faults.clear(),
            "settings": self._set,
            "hook": lambda given: self.cloud.commands.hooks.append(Hook(**given)),
            "predicted": self._predicted,
            "likewise": self._likewise,
            "calls": lambda _: self.journal.calls,
            "strangers": lambda _: self.journal.strangers,
            "outputs": lambda _: [run.said for run in self.cloud.commands.runs],
        }

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

    def _set(self, given: dict[str, Any]) -> dict[str, Any]:
        unknown = given.keys() - {field.name for field in fields(Settings)}
        if unknown:
            raise ValueError(f"there is no setting {sorted(unknown)}")
        for name, value in given.items():
            setattr(self.cloud.settings, name, value)
        return asdict(self.cloud.settings)
