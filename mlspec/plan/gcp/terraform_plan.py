"""Translates terraform's plan: all of a forecast's infrastructure is one change, its DAG another.

The cloud resources are the fields of that change, so that a reader sees them and no resource is modelled twice
(docs/decisions/0001-terraform-is-one-resource-a-forecast.md). Values that terraform marks as sensitive are never shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mlspec.state.plan import Action, Change, FieldChange
from mlspec.state.resource import Json

DAG = "google_storage_bucket_object.dag"
SENSITIVE = "(sensitive)"
_LATER = "(known after apply)"
# terraform's actions: mlspec's actions.
_ACTIONS: dict[tuple[str, ...], Action] = {
    ("create",): "create", ("update",): "update", ("delete",): "delete",
    ("delete", "create"): "replace", ("create", "delete"): "replace",
}  # fmt: skip
_WORDS: tuple[tuple[Action, str], ...] = (
    ("create", "to add"), ("update", "to change"), ("replace", "to replace"), ("delete", "to destroy"),
)  # fmt: skip


def terraform_changes(forecast: str, shown: Mapping[str, Json]) -> tuple[Change, ...]:
    """Return the changes in `terraform show -json` of one forecast's folder: infrastructure, and the DAG if it has one."""
    entries = [entry for entry in shown.get("resource_changes", ()) if entry["mode"] == "managed"]
    dag = [entry for entry in entries if entry["address"] == DAG]
    infra = _folder_change(forecast, "infra", [entry for entry in entries if entry["address"] != DAG])
    return (infra, *(_folder_change(forecast, "dag", [entry]) for entry in dag))


def select_terraform_changes(all_changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes that terraform carries out."""
    return tuple(change for change in all_changes if change.resource.startswith(("infra.", "dag.")))


def _folder_change(forecast: str, kind: str, entries: Sequence[Mapping[str, Json]]) -> Change:
    acting = [(entry, action) for entry in entries if (action := _entry_action(entry)) != "none"]
    resource = f"{kind}.{forecast}"
    if not acting:
        return Change(forecast, resource, "none", "is up to date")
    counts: Counter[Action] = Counter(action for _, action in acting)
    fields = tuple(field for entry, action in acting for field in _entry_fields(entry, action))
    summary = ", ".join(f"{counts[action]} {word}" for action, word in _WORDS if counts[action])
    reason = summary if kind == "infra" else _dag_reason(acting[0][1])
    after = {entry["address"]: action for entry, action in acting}
    return Change(forecast, resource, _overall_action(counts, len(entries)), reason, None, after, fields)


def _entry_action(entry: Mapping[str, Json]) -> Action:
    return _ACTIONS.get(tuple(entry["change"]["actions"]), "none")


def _overall_action(counts: Counter[Action], total: int) -> Action:
    """Return create if all resources are new, delete if all are removed, else update."""
    if counts["create"] == total:
        return "create"
    return "delete" if counts["delete"] == total else "update"


def _dag_reason(action: Action) -> str:
    return {"create": "is not in Composer's folder yet", "delete": "is no longer wanted"}.get(
        action, "its text changed; the next run uses the new text"
    )


def _entry_fields(entry: Mapping[str, Json], action: Action) -> list[FieldChange]:
    address, change = entry["address"], entry["change"]
    if action == "create":
        return [FieldChange(address, None, "to add")]
    if action == "delete":
        return [FieldChange(address, "is there", None, loss_of(address))]
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    hidden = {**_sensitive_keys(change.get("before_sensitive")), **_sensitive_keys(change.get("after_sensitive"))}
    forced = {path[0] for path in change.get("replace_paths", ()) if path}
    keys = sorted(
        key for key in {*before, *after, *unknown} if before.get(key) != after.get(key) or unknown.get(key) is True
    )
    return [
        FieldChange(
            f"{address}.{key}",
            SENSITIVE if hidden.get(key) else before.get(key),
            SENSITIVE if hidden.get(key) else _LATER if unknown.get(key) is True else after.get(key),
            f"{address} is replaced" if key in forced else "",
        )
        for key in keys
    ]


def _sensitive_keys(marks: Json) -> dict[str, bool]:
    """Return which attributes contain a sensitive value, at any depth."""
    return {key: _is_marked(value) for key, value in marks.items()} if isinstance(marks, Mapping) else {}


def _is_marked(value: Json) -> bool:
    if isinstance(value, Mapping):
        return any(_is_marked(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(_is_marked(inner) for inner in value)
    return bool(value)


def destroyed_addresses(all_changes: Sequence[Change]) -> tuple[str, ...]:
    """Return the cloud resources that would be destroyed or replaced, each with its forecast."""
    return tuple(
        f"{change.forecast}: {address}"
        for change in select_terraform_changes(all_changes)
        for address, action in (change.after or {}).items()
        if action in ("delete", "replace")
    )


def removes_endpoint(all_changes: Sequence[Change], forecast: str) -> bool:
    """Return whether a forecast's endpoint would be destroyed, or destroyed and made anew."""
    return any(
        address.startswith("google_vertex_ai_endpoint.") and action in ("delete", "replace")
        for change in select_terraform_changes(all_changes)
        if change.forecast == forecast
        for address, action in (change.after or {}).items()
    )


# What is lost with a resource, shown before it is destroyed. The files in a managed folder are not: they stay without it
# (google_storage_managed_folder, force_destroy).
_LOSSES = {
    "google_bigquery_table": "the forecasts in it are lost",
    "google_bigquery_dataset": "the tables in it are lost",
    "google_secret_manager_secret": "its value is lost",
    "google_vertex_ai_endpoint": "what is deployed there stops",
}


def loss_of(address: str) -> str:
    """Return what is lost with a cloud resource; empty if nothing is."""
    return _LOSSES.get(address.split(".", maxsplit=1)[0], "")


def loss_sentences(all_changes: Sequence[Change]) -> tuple[str, ...]:
    """Return a sentence for each resource with content that would be destroyed or replaced."""
    sentences = []
    for change in all_changes:
        for field in change.fields:
            kind, name, *_ = field.field.split(".")
            loss = loss_of(kind)
            if loss and (field.effect == loss or field.effect.endswith("is replaced")):
                sentences.append(f"{change.forecast}: {kind}.{name}: {loss}")
    return tuple(dict.fromkeys(sentences))
