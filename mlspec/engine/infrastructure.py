"""What terraform would do for each forecast, from the same text that `mlspec render` writes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlspec.engine.context import Spec
from mlspec.plan import infra
from mlspec.plan.desired import Wanted
from mlspec.state.plan import Change
from mlspec.state.resource import Json
from mlspec.targets.base import Sight

# Asked for terraform's plan of one folder, as `terraform show -json` says it.
Terraform = Callable[[Path], Mapping[str, Json]]


@dataclass(frozen=True, slots=True)
class Look:
    """What a plan is made with where nothing can be carried out: a target that is only looked at."""

    target: Sight
    root: Path
    code: str

    def wanted(self, spec: Spec) -> Wanted:
        """Return what a spec wants, with what its data is called."""
        return Wanted(spec.name, spec.json, spec.spec_hash, self.target.source(spec.json, self.root), self.code)


def infrastructure(
    files: Mapping[str, str], names: Sequence[str], terraform: Terraform, tell: Callable[[str], None]
) -> tuple[Change, ...]:
    """Return terraform's changes for the rendered `files` of `names`, in order. Raises TargetError where terraform cannot plan."""
    found: list[Change] = []
    with tempfile.TemporaryDirectory(prefix="mlspec-plan-") as folder:
        root = Path(folder)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(text.encode())
        for name in names:
            tell(f"terraform plan: {name}")
            found += infra.changes(name, terraform(root / "terraform" / name))
    return tuple(found)
