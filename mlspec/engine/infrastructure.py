"""A forecast's infrastructure and its DAG: what terraform would do, from the text that `mlspec render` writes, and doing just that.

What was planned is what is applied: terraform keeps its plan in the folder, and refuses it itself where the state has moved since.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

from mlspec.engine.defects import as_error
from mlspec.engine.going_on import Applying, carry_out
from mlspec.errors import Exit, MlspecError, StoppedPartWay, Terminated
from mlspec.plan import infra, takedown
from mlspec.state.plan import Change
from mlspec.state.resource import Json

logger = logging.getLogger(__name__)


class Terraform(Applying, Protocol):
    """Whoever runs terraform in a folder of rendered files."""

    def plan(self, folder: Path) -> Mapping[str, Json]:
        """Return its plan as `terraform show -json` says it, and keep it in the folder. Raises TargetError where it cannot."""
        ...

    def made(self, folder: Path) -> Mapping[str, Json]:
        """Return the folder's state as `terraform show -json` says it. Raises TargetError where it cannot be read."""
        ...

    def destroy(self, folder: Path, held: Sequence[str], image: str | None) -> None:
        """Destroy what the state holds, `held` once its protection is taken off. Raises TargetError with terraform's own words."""
        ...


@dataclass(frozen=True, slots=True)
class Made:
    """What came of one folder of rendered files."""

    name: str
    status: Literal["nothing", "applied", "failed", "held"]
    error: MlspecError | None = None


class Infrastructure:
    """The rendered `files` in a folder of their own, as long as it is open; `tell` is told what is being done."""

    def __init__(self, files: Mapping[str, str], terraform: Terraform, tell: Callable[[str], None]) -> None:
        self._files, self._terraform, self._tell = files, terraform, tell
        self._folder = tempfile.TemporaryDirectory(prefix="mlspec-plan-")
        self._begun = False  # whether terraform was let loose on anything

    def __enter__(self) -> Infrastructure:
        for path, text in self._files.items():
            file = Path(self._folder.name, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def changes(self, names: Sequence[str]) -> tuple[Change, ...]:
        """Return terraform's changes for each name, in order. Raises TargetError where terraform cannot plan."""
        found: list[Change] = []
        for name in names:
            self._tell(f"terraform plan: {name}")
            found += infra.changes(name, self._terraform.plan(self._at(name)))
        return tuple(found)

    def apply(self, names: Sequence[str], planned: Sequence[Change], first: str) -> tuple[Made, ...]:
        """Carry out what was planned, name by name; one that fails holds up no other, but `first`, which all stand on.

        A signal ends the run between two calls of terraform, or makes terraform end its own: StoppedPartWay if anything was begun.
        """
        made: list[Made] = []
        try:
            for name in names:
                made.append(self._apply(name, planned, held=any(each.name == first and each.error for each in made)))
        except (KeyboardInterrupt, Terminated) as stopped:
            if not self._begun:
                raise
            raise StoppedPartWay(
                f"stopped by {type(stopped).__name__}; what terraform made is in its state",
                hint="run the same command again",
            ) from stopped
        return tuple(made)

    def _apply(self, name: str, planned: Sequence[Change], *, held: bool) -> Made:
        if all(change.action == "none" for change in infra.of_terraform(planned) if change.forecast == name):
            return Made(name, "nothing")
        if held:
            return Made(name, "held")
        self._tell(f"terraform apply: {name}")
        self._begun = True
        try:
            carry_out(self._terraform, self._at(name), self._tell)
        except Exception as error:  # a defect in one folder's work holds up no other
            logger.debug("terraform apply failed: %s", name, exc_info=error)
            return Made(name, "failed", as_error(error))
        return Made(name, "applied")

    def standing(self, name: str) -> takedown.Standing:
        """Return what stands of one name. Raises TargetError where terraform cannot say."""
        self._tell(f"terraform show: {name}")
        return takedown.standing(self._terraform.made(self._at(name)))

    def take_down(self, name: str, found: takedown.Standing) -> None:
        """Destroy what stands of one name, with its state alone. Raises TargetError; run again, it goes on from there."""
        if found.made:
            self._tell(f"terraform destroy: {name}")
            self._terraform.destroy(self._at(name), found.held, found.image)

    def _at(self, name: str) -> Path:
        return Path(self._folder.name, "terraform", name)


def exit_code(made: Sequence[Made]) -> Exit:
    """Return the exit code of a run: what failed stopped it part-way, where anything else was made."""
    if not any(each.status in ("failed", "held") for each in made):
        return Exit.DONE
    return Exit.PARTIAL if any(each.status == "applied" for each in made) else Exit.FAILED
