"""Plans and applies a forecast's infrastructure and DAG with terraform, from the files that `mlspec render` writes.

Exactly the plan is applied: terraform keeps it in the folder, and refuses it if the state has changed since.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

from mlspec.engine.defects import as_error
from mlspec.engine.part_way import stops_part_way
from mlspec.engine.terraform_apply import TerraformApplier, apply_with_retries
from mlspec.errors import Exit, MlspecError
from mlspec.plan.gcp import terraform_plan, terraform_state
from mlspec.state.plan import Change
from mlspec.state.resource import Json
from mlspec.temporary_folder import temporary_folder

logger = logging.getLogger(__name__)


class TerraformRunner(TerraformApplier, Protocol):
    """Runs terraform in a folder of rendered files."""

    def plan(self, folder: Path) -> Mapping[str, Json]:
        """Plan, keep the plan in the folder, and return it as `terraform show -json` prints it. Raises TargetError."""
        ...

    def show_state(self, folder: Path) -> Mapping[str, Json]:
        """Return the folder's state as `terraform show -json` prints it. Raises TargetError if it cannot be read."""
        ...

    def destroy(self, folder: Path, protected: Sequence[str], image: str | None) -> None:
        """Remove the protection of the `protected` resources, then destroy all. Raises TargetError with terraform's message."""
        ...


@dataclass(frozen=True, slots=True)
class InfrastructureResult:
    """The result of one folder of rendered files."""

    name: str
    status: Literal["nothing", "applied", "failed", "held"]
    error: MlspecError | None = None


def _leave_deployed(_forecast: str) -> None:
    """Do nothing: no endpoint of this target has deployments."""


class Infrastructure:
    """The rendered `files` in a temporary folder, as a context manager. `tell` is called with each action."""

    def __init__(self, files: Mapping[str, str], terraform: TerraformRunner, tell: Callable[[str], None]) -> None:
        self._files, self._terraform, self._tell = files, terraform, tell
        self._opened = ExitStack()
        self._begun = False  # whether an apply was started

    def __enter__(self) -> Infrastructure:
        self._folder = self._opened.enter_context(temporary_folder())
        for path, text in self._files.items():
            file = self._folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def plan_changes(self, names: Sequence[str]) -> tuple[Change, ...]:
        """Return terraform's changes for each name, in order. Raises TargetError if terraform cannot plan."""
        changes: list[Change] = []
        for name in names:
            self._tell(f"terraform plan: {name}")
            changes += terraform_plan.terraform_changes(name, self._terraform.plan(self._folder_of(name)))
        return tuple(changes)

    def destroyed_addresses(self, planned: Sequence[Change]) -> tuple[str, ...]:
        """Return the cloud resources that a plan would destroy, or destroy and make anew."""
        return terraform_plan.destroyed_addresses(planned)

    def loss_sentences(self, planned: Sequence[Change]) -> tuple[str, ...]:
        """Return what would be lost with them."""
        return terraform_plan.loss_sentences(planned)

    def apply_changes(
        self,
        names: Sequence[str],
        planned: Sequence[Change],
        first: str,
        undeploy: Callable[[str], None] = _leave_deployed,
    ) -> tuple[InfrastructureResult, ...]:
        """Carry out the planned changes, name by name. A failure stops no other name, except a failure of `first`, which all need.

        `undeploy` is called with a forecast whose endpoint is about to be removed: Google deletes none with a deployment.
        A signal ends the run between two calls of terraform, or makes terraform end. Raises StoppedPartWay if an apply was
        started.
        """
        results: list[InfrastructureResult] = []
        done = "what terraform made is in its state"
        with stops_part_way(lambda: bool(self._begun), done=done, hint="run the same command again"):
            for name in names:
                blocked = any(result.name == first and result.error for result in results)
                results.append(self._apply_folder(name, planned, undeploy, blocked=blocked))
        return tuple(results)

    def _apply_folder(
        self, name: str, planned: Sequence[Change], undeploy: Callable[[str], None], *, blocked: bool
    ) -> InfrastructureResult:
        if all(
            change.action == "none"
            for change in terraform_plan.select_terraform_changes(planned)
            if change.forecast == name
        ):
            return InfrastructureResult(name, "nothing")
        if blocked:
            return InfrastructureResult(name, "held")
        self._tell(f"terraform apply: {name}")
        self._begun = True
        try:
            if terraform_plan.removes_endpoint(planned, name):
                self._tell("  google_vertex_ai_endpoint.this: undeploying what serves there")
                undeploy(name)
            apply_with_retries(self._terraform, self._folder_of(name), self._tell)
        except Exception as error:  # a defect in one folder's work does not stop the others
            logger.debug("terraform apply failed: %s", name, exc_info=error)
            return InfrastructureResult(name, "failed", as_error(error))
        return InfrastructureResult(name, "applied")

    def load_state(self, name: str) -> terraform_state.TerraformState:
        """Return the terraform state of one name. Raises TargetError if it cannot be read."""
        self._tell(f"terraform show: {name}")
        return terraform_state.parse_terraform_state(self._terraform.show_state(self._folder_of(name)))

    def destroy_resources(self, name: str, state: terraform_state.TerraformState) -> None:
        """Destroy the resources of one name, by its state alone. Raises TargetError; running it again continues."""
        if state.addresses:
            self._tell(f"terraform destroy: {name}")
            self._terraform.destroy(self._folder_of(name), state.protected, state.job_image)

    def _folder_of(self, name: str) -> Path:
        return self._folder / "terraform" / name


def infrastructure_exit_code(results: Sequence[InfrastructureResult]) -> Exit:
    """Return the exit code of a run: PARTIAL if some names failed and others were applied."""
    if not any(result.status in ("failed", "held") for result in results):
        return Exit.DONE
    return Exit.PARTIAL if any(result.status == "applied" for result in results) else Exit.FAILED
