"""From terraform's plan to ours: all of a forecast's infrastructure is one change, its DAG another.

Single cloud resources stand in the change as its fields, one a resource, so that a reader sees them and nothing is modelled twice
(docs/decisions/0001-terraform-is-one-resource-a-forecast.md). What terraform marks as sensitive is never shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mlspec.state.plan import Action, Change, FieldChange
from mlspec.state.resource import Json

DAG = "google_storage_bucket_object.dag"
SENSITIVE = "(sensitive)"
_LATER = "(known after apply)"
# terraform's actions: ours, in the order in which they count for the whole.
_ACTIONS: dict[tuple[str, ...], Action] = {
    ("create",): "create", ("update",): "update", ("delete",): "delete",
    ("delete", "create"): "replace", ("create", "delete"): "replace",
}  # fmt: skip
_WORDS: tuple[tuple[Action, str], ...] = (
    ("create", "to add"), ("update", "to change"), ("replace", "to replace"), ("delete", "to destroy"),
)  # fmt: skip


def changes(forecast: str, shown: Mapping[str, Json]) -> tuple[Change, ...]:
    """Return what `terraform show -json` says of one forecast's folder: the infrastructure, and the DAG where it has one."""
    found = [each for each in shown.get("resource_changes", ()) if each["mode"] == "managed"]
    dag = [each for each in found if each["address"] == DAG]
    infra = _change(forecast, "infra", [each for each in found if each["address"] != DAG])
    return (infra, *(_change(forecast, "dag", [each]) for each in dag))


def of_terraform(found: Sequence[Change]) -> tuple[Change, ...]:
    """Return those changes that terraform carries out."""
    return tuple(change for change in found if change.resource.startswith(("infra.", "dag.")))


def _change(forecast: str, kind: str, found: Sequence[Mapping[str, Json]]) -> Change:
    acting = [(each, action) for each in found if (action := _action(each)) != "none"]
    resource = f"{kind}.{forecast}"
    if not acting:
        return Change(forecast, resource, "none", "is as it shall be")
    counts: Counter[Action] = Counter(action for _, action in acting)
    fields = tuple(field for each, action in acting for field in _fields(each, action))
    summary = ", ".join(f"{counts[action]} {word}" for action, word in _WORDS if counts[action])
    reason = summary if kind == "infra" else _dag_reason(acting[0][1])
    after = {each["address"]: action for each, action in acting}
    return Change(forecast, resource, _whole(counts, len(found)), reason, None, after, fields)


def _action(each: Mapping[str, Json]) -> Action:
    return _ACTIONS.get(tuple(each["change"]["actions"]), "none")


def _whole(counts: Counter[Action], total: int) -> Action:
    """Return what becomes of the whole: made where all is new, taken down where all goes, else changed."""
    if counts["create"] == total:
        return "create"
    return "delete" if counts["delete"] == total else "update"


def _dag_reason(action: Action) -> str:
    return {"create": "is not in Composer's folder yet", "delete": "is no longer wanted"}.get(
        action, "its text changed: the next run follows the new one"
    )


def _fields(each: Mapping[str, Json], action: Action) -> list[FieldChange]:
    address, change = each["address"], each["change"]
    if action == "create":
        return [FieldChange(address, None, "to add")]
    if action == "delete":
        return [FieldChange(address, "is there", None, lost_with(address))]
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    hidden = {**_marks(change.get("before_sensitive")), **_marks(change.get("after_sensitive"))}
    forced = {path[0] for path in change.get("replace_paths", ()) if path}
    keys = sorted(
        key for key in {*before, *after, *unknown} if before.get(key) != after.get(key) or unknown.get(key) is True
    )
    return [
        FieldChange(
            f"{address}.{key}",
            SENSITIVE if hidden.get(key) else before.get(key),
            SENSITIVE if hidden.get(key) else _LATER if unknown.get(key) is True else after.get(key),
            f"{address} is made anew" if key in forced else "",
        )
        for key in keys
    ]


def _marks(marks: Json) -> dict[str, bool]:
    """Return which attributes hold something sensitive, anywhere in them."""
    return {key: _any(value) for key, value in marks.items()} if isinstance(marks, Mapping) else {}


def _any(value: Json) -> bool:
    if isinstance(value, Mapping):
        return any(_any(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(_any(inner) for inner in value)
    return bool(value)


# What is lost with a resource: said before it is taken down. Not the files in a managed folder, which stay without it
# (google_storage_managed_folder, force_destroy).
_HOLDS = {
    "google_bigquery_table": "the forecasts in it are lost",
    "google_bigquery_dataset": "the tables in it are lost",
    "google_secret_manager_secret": "its value is lost",
    "google_vertex_ai_endpoint": "what is deployed there stops",
}


def lost_with(address: str) -> str:
    """Return what is lost with a cloud resource; empty where nothing is."""
    return _HOLDS.get(address.split(".", maxsplit=1)[0], "")


def losses(found: Sequence[Change]) -> tuple[str, ...]:
    """Return a sentence for each thing that holds something and would be taken down or made anew."""
    said = []
    for change in found:
        for field in change.fields:
            kind, name, *_ = field.field.split(".")
            lost = lost_with(kind)
            if lost and (field.effect == lost or field.effect.endswith("made anew")):
                said.append(f"{change.forecast}: {kind}.{name}: {lost}")
    return tuple(dict.fromkeys(said))
