"""What a package says of its kind of target, and what it is told of one target when it opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from mlspec.spec.package_settings import PackageSettings
from mlspec.state.finding import Finding
from mlspec.targets.local.secrets import secret_value
from mlspec.targets.record.store import Store

Settings = TypeVar("Settings", bound=PackageSettings)


@dataclass(frozen=True, slots=True)
class TargetPlace:
    """One target, as mlspec.yaml names it, and its places on this machine.

    `name` is the target's name, `root` the project's folder. `folder` is the target's own folder in it, for copies of files: it may
    not be there yet, and a person may remove it at any time.
    """

    name: str
    root: Path
    folder: Path

    def read_secret(self, name: str) -> str:
        """Return the value of a secret that the settings name. Raises StateError if it is not there.

        It is in the environment variable MLSPEC_SECRET_NAME, else in the file `secrets/NAME` in `folder`. From then on no log line
        and no message of an error has the value.
        """
        return secret_value(self.folder, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageTarget(Generic[Settings]):
    """One kind of target.

    `settings` is the class of its settings in mlspec.yaml. `open_store` returns where a target keeps its record. It makes no
    request: the first one is made when the record is read.

    `check` yields what `mlspec doctor` finds on a target, beside whether its record can be read; the area of a finding is `target`.
    `cost` is a sentence for plans that train, such as what a training costs there.
    """

    settings: type[Settings]
    open_store: Callable[[Settings, TargetPlace], Store]
    check: Callable[[Settings, TargetPlace], Iterable[Finding]] | None = None
    cost: str = ""
