"""A plan as a file: written by `plan --out`, and applied only while a new plan would say the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from mlspec.errors import StalePlan
from mlspec.state.plan import ACTIONS, Change, FieldChange, Plan
from mlspec.state.resource import Json, digest

FORMAT = 2  # 2: `inputs`, in place of the commit
_TYPES = {"target": str, "serial": int, "lineage": str, "spec_hashes": dict, "inputs": dict, "commit": str | None}
_SHOWN = 5  # differences that a refusal names


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A saved plan, with the paths and selectors of the command that made it."""

    plan: Plan
    paths: tuple[str, ...]
    select: tuple[str, ...]


def to_text(plan: Plan, paths: tuple[str, ...], select: tuple[str, ...]) -> str:
    """Return the file's text. `paths` and `select` are those of the command, so that apply uses the same specs."""
    return (
        json.dumps(
            {"format": FORMAT, "kind": "mlspec plan", "paths": list(paths), "select": list(select), **asdict(plan)},
            indent=2,
            allow_nan=False,
        )
        + "\n"
    )


def from_text(text: str, name: str) -> SavedPlan:
    """Return the plan, with the paths and selectors of its command. Raises StalePlan if this mlspec cannot read the file."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        file_format = value["format"]
        if value["kind"] != "mlspec plan":
            raise ValueError("not a plan file")  # noqa: TRY301  (the same message as for any other file that is not a plan)
        plan = _parse_plan(value) if file_format == FORMAT else None
        call = tuple(map(str, value["paths"])), tuple(map(str, value["select"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StalePlan(
            f"{name} is not a complete plan file", hint="write it again with `mlspec plan --out FILE`"
        ) from error
    if plan is None:
        raise StalePlan(
            f"{name} has plan format {file_format}, and this mlspec reads {FORMAT}", hint="plan again with this mlspec"
        )
    return SavedPlan(plan, *call)


def check_fresh(saved: Plan, now: Plan) -> None:
    """Raise StalePlan, naming what moved, unless `now` would say the same as `saved`.

    The same is: the same target, state, specs and inputs, and for each resource the same action on the same fields from the same
    observed values. The commit and the serial are not compared: neither a squash merge of the same files nor a write about
    something else changes what an apply would do.
    """
    differences = find_differences(saved, now)
    if not differences:
        return
    shown = "; ".join(differences[:_SHOWN])
    more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
    raise StalePlan(
        f"the saved plan is stale: {shown}{more}{_commits_text(saved.commit, now.commit)}",
        hint="run `mlspec plan` again and review it",
    )


def find_differences(saved: Plan, now: Plan) -> list[str]:
    """Return what moved since the saved plan, as sentences; empty if both say the same."""
    if saved.target != now.target:
        return [f"target was {saved.target}, is {now.target}"]
    serials = [f"state serial was {saved.serial}, is {now.serial}"] if saved.serial != now.serial else []
    if saved.lineage != now.lineage:
        return [f"state lineage was {saved.lineage or 'none'}, is {now.lineage or 'none'}", *serials]
    inputs = _changed_keys(saved.inputs, now.inputs)
    changed_specs = _changed_keys(saved.spec_hashes, now.spec_hashes)
    moved = _moved_resources(saved, now, without=changed_specs)
    return [
        *(_spec_text(name, saved, now) for name in changed_specs),
        *(f"{name} changed" for name in inputs),
        *(serials if moved else []),
        *moved,
    ]


def _changed_keys(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _spec_text(name: str, saved: Plan, now: Plan) -> str:
    if name not in now.spec_hashes:
        return f"the spec of {name} is gone"
    return f"the spec of {name} changed" if name in saved.spec_hashes else f"the spec of {name} is new"


def _moved_resources(saved: Plan, now: Plan, without: Sequence[str]) -> list[str]:
    """Return a sentence for each resource whose change is no longer the planned one. A changed spec explains its own."""
    planned = {change.resource: change for change in saved.changes if change.forecast not in without}
    present = {change.resource: change for change in now.changes if change.forecast not in without}
    return [
        f"{resource}: {text}"
        for resource in dict.fromkeys([*planned, *present])
        if (text := _move_text(planned.get(resource), present.get(resource)))
    ]


def _move_text(planned: Change | None, present: Change | None) -> str:
    """Return how a change differs from the planned one; empty if it would do the same."""
    if planned is None or present is None:
        return "is not in the plan" if planned is None else "is in the plan only"
    if planned.action != present.action:
        return f"the plan says {_action_text(planned)}, now it is {_action_text(present)}"
    names = [] if planned.action == "none" else _changed_keys(_shown_values(planned), _shown_values(present))
    return f"{', '.join(names)} moved" if names else ""


def _action_text(change: Change) -> str:
    return "nothing to do" if change.action == "none" else f"{change.action} ({change.reason})"


def _shown_values(change: Change) -> dict[str, str]:
    """Return what a change says of each field, as canonical text. What is made from nothing says all its fields."""
    fields = {field.field: [field.before, field.after] for field in change.fields}
    made = change.after or {} if change.before is None else {}
    return {key: digest(value) for key, value in {**made, **fields}.items()}


def _commits_text(before: str | None, after: str | None) -> str:
    return f" (planned at commit {before or 'none'}, now {after or 'none'})" if before != after else ""


def _parse_plan(value: dict[str, Json]) -> Plan:
    changes = tuple(
        Change(**{**change, "fields": tuple(FieldChange(**field) for field in change["fields"])})
        for change in value["changes"]
    )
    if any(change.action not in (*ACTIONS, "none") for change in changes):
        raise ValueError("unknown action")
    values = {key: value[key] for key in _TYPES}
    if not all(isinstance(values[key], type_) for key, type_ in _TYPES.items()) or not all(map(_is_typed, changes)):
        raise TypeError("a key has a value of the wrong type")
    return Plan(**values, changes=changes, notes=tuple(value["notes"]), impact=tuple(value["impact"]))


def _is_typed(change: Change) -> bool:
    names = (change.forecast, change.resource, change.reason, *(field.field for field in change.fields))
    return all(isinstance(name, str) for name in names) and all(
        isinstance(values, dict | None) for values in (change.before, change.after)
    )


def _refuse_constant(text: str) -> Json:
    raise ValueError(f"{text} is not JSON")
