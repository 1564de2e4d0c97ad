"""A plan as a file: written by `plan --out`, and applied only if state, specs and commit are still the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from mlspec.errors import StalePlan
from mlspec.state.plan import ACTIONS, Change, FieldChange, Plan
from mlspec.state.resource import Json

FORMAT = 1
_TYPES = {"target": str, "serial": int, "lineage": str, "spec_hashes": dict, "commit": str | None}


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
        value = json.loads(text)
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
    """Raise StalePlan, naming the differences, unless `now` has the state, specs, commit and steps of `saved`."""
    differences = [
        f"{label} was {_value_text(before)}, is {_value_text(after)}"
        for label, before, after in (
            ("target", saved.target, now.target),
            ("state lineage", saved.lineage, now.lineage),
            ("state serial", saved.serial, now.serial),
            ("git commit", saved.commit, now.commit),
        )
        if before != after
    ]
    names = sorted(saved.spec_hashes.keys() | now.spec_hashes.keys())
    differences += [
        f"the spec of {name} changed" for name in names if saved.spec_hashes.get(name) != now.spec_hashes.get(name)
    ]
    if not differences and _planned_steps(saved) != _planned_steps(now):
        differences = [
            "the changes are no longer those that were planned (the data changed, or the plan file was edited)"
        ]
    if differences:
        raise StalePlan(
            f"the saved plan is stale: {'; '.join(differences)}", hint="run `mlspec plan` again and review it"
        )


def _value_text(value: str | int | None) -> str:
    return "none" if value in (None, "") else str(value)


def _planned_steps(plan: Plan) -> list[tuple[str, str, Mapping[str, Json] | None]]:
    return [(change.resource, change.action, change.after) for change in plan.changes]


def _parse_plan(value: dict[str, Json]) -> Plan:
    changes = tuple(
        Change(**{**change, "fields": tuple(FieldChange(**field) for field in change["fields"])})
        for change in value["changes"]
    )
    if any(change.action not in (*ACTIONS, "none") for change in changes):
        raise ValueError("unknown action")
    values = {key: value[key] for key in _TYPES}
    if not all(isinstance(values[key], type_) for key, type_ in _TYPES.items()):
        raise TypeError("a key has a value of the wrong type")
    return Plan(**values, changes=changes, notes=tuple(value["notes"]), impact=tuple(value["impact"]))
