"""Plan and apply for a target on Google Cloud: terraform's changes and the DAG's, beside each forecast's steps to come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mlspec.cli import apply_text
from mlspec.cli.messages import report
from mlspec.cli.planning import quiet
from mlspec.cli.project import find_root, is_folder, open_specs
from mlspec.cli.rendering import texts
from mlspec.cli.select import selected
from mlspec.cli.target import Opened as Remote
from mlspec.cli.target import git_commit, open_engine, open_target
from mlspec.engine.context import Engine, Tell
from mlspec.engine.infrastructure import Infrastructure, Made
from mlspec.engine.infrastructure import exit_code as made_code
from mlspec.engine.looking import Looking
from mlspec.engine.outcome import Outcome
from mlspec.engine.outcome import exit_code as steps_code
from mlspec.engine.plan import make_plan
from mlspec.errors import Exit
from mlspec.plan import cost, infra
from mlspec.render.rendering import SHARED
from mlspec.spec import Loaded, Resolved
from mlspec.spec.project import GcpTarget
from mlspec.state.plan import Plan
from mlspec.targets.gcp import terraform
from mlspec.targets.local.target import LocalTarget


def settings_of(target: str) -> GcpTarget | None:
    """Return a target's settings if it is on Google Cloud, looking at mlspec.yaml alone."""
    project = open_specs((), target).project
    found = project.targets.get(target) if project else None
    return found if isinstance(found, GcpTarget) else None


@dataclass(frozen=True)
class Opened:
    """A plan, the specs that it is about, the engine on the target, and the folder in which terraform keeps its part of it."""

    plan: Plan
    names: tuple[str, ...]
    specs: tuple[Resolved, ...]
    target: Remote
    engine: Engine
    _infrastructure: Infrastructure

    def apply(self) -> tuple[Made, ...]:
        """Carry out the plan's infrastructure and DAGs."""
        return self._infrastructure.apply(self.names, self.plan.changes, first=SHARED)

    @property
    def lost(self) -> tuple[str, ...]:
        """Addresses of cloud resources that would be destroyed, or destroyed and made anew."""
        return tuple(
            f"{change.forecast}: {address}"
            for change in infra.of_terraform(self.plan.changes)
            for address, action in (change.after or {}).items()
            if action in ("delete", "replace")
        )


@contextmanager
def opened(
    paths: Sequence[Path], target: str, select: Sequence[str], tell: Tell = quiet, lock_timeout: float = 0.0
) -> Iterator[Opened]:
    """Make the plan for the specs under `paths` that `select` takes, and keep what is needed to carry it out while it is open."""
    root, loaded = find_root(), open_specs(paths, target)
    where = open_target(loaded.project, root, target)
    looking = Looking(open_engine(where, root, tell))
    commit = git_commit(root)
    names = selected(lambda: make_plan(looking, loaded.specs, commit), select, [spec.name for spec in loaded.specs])
    whole = any(is_folder(path, root) for path in paths) and not select
    order = (SHARED, *names) if whole else tuple(names)
    chosen = replace(loaded, specs=tuple(spec for spec in loaded.specs if spec.name in names))
    files = texts(chosen.specs, loaded.project, target, root, with_shared=whole)
    with Infrastructure(
        files, terraform.Terraform(terraform.allowed_here(), report, lock_timeout), report
    ) as infrastructure:
        plan = _plan(looking, chosen, commit, infrastructure, order)
        yield Opened(plan, order, chosen.specs, where, looking.engine, infrastructure)


def _plan(
    looking: Looking, loaded: Loaded, commit: str | None, infrastructure: Infrastructure, order: Sequence[str]
) -> Plan:
    found = infrastructure.changes(order)
    plan = make_plan(looking, loaded.specs, commit)
    changes = sorted((*found, *plan.changes), key=lambda change: order.index(change.forecast))
    said = (sentence for spec in loaded.specs for sentence in cost.sentences(spec.name, spec.json))
    trainings = (sentence for sentence in plan.impact if "trains" in sentence)
    unseen = sorted(looking.unseen)
    notes = (
        *plan.notes,
        *(f"{name}: this account may not look at its data: nothing is said of new data" for name in unseen),
    )
    return replace(plan, changes=tuple(changes), notes=notes, impact=(*infra.losses(found), *said, *trainings))


def as_text(made: Sequence[Made]) -> str:
    """Return what came of an apply, a line a folder of rendered files."""
    words = {
        "nothing": "is as it shall be", "applied": "infrastructure and DAG are as the spec says",
        "failed": "failed; what terraform made before is in its state", "held": "waits: what all forecasts share failed",
    }  # fmt: skip
    return "\n".join(f"{each.name}: {words[each.status]}" for each in made)


def as_json(made: Sequence[Made], outcomes: Sequence[Outcome]) -> str:
    """Return what came of an apply as JSON."""
    rows = [{"name": each.name, "status": each.status, "error": each.error and each.error.message} for each in made]
    return json.dumps({"infrastructure": rows, **json.loads(apply_text.as_json(outcomes))}, indent=2)


def hand_over(found: Opened, specs: Sequence[Resolved]) -> None:
    """Let the loop's job make the forecasts."""
    if specs and not isinstance(found.target, LocalTarget):
        found.target.hand_over([spec.name for spec in specs])
        report("the job mlspec-reconcile makes the forecasts: `mlspec status` says when they are ready")


def standing(specs: Sequence[Resolved], made: Sequence[Made]) -> tuple[Resolved, ...]:
    """Return the specs whose infrastructure is as it shall be: the others have nothing to stand on."""
    wrong = {each.name for each in made if each.error or each.status == "held"}
    return tuple(spec for spec in specs if spec.name not in wrong)


def exit_code(made: Sequence[Made], outcomes: Sequence[Outcome]) -> Exit:
    """Return the exit code of a whole run: the infrastructure's where it failed, part-way where anything came of the rest."""
    first, then = made_code(made), steps_code(tuple(outcomes))
    if first == Exit.DONE:
        return then
    return Exit.PARTIAL if any(each.recorded for each in outcomes) else first
