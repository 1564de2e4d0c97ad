"""What terraform says: how far it is, what went wrong, and what helps.

`terraform apply -json` says each as a line of JSON (https://developer.hashicorp.com/terraform/internals/machine-readable-ui). Only
addresses, actions and durations are repeated, and errors in terraform's own words: it leaves out of them what is sensitive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mlspec.errors import TargetError
from mlspec.state.diagnostic import Wrong
from mlspec.state.resource import Json

_SHOWN = 3  # errors in full
_LINES = 12  # of one error
_MADE = {"create": "made", "update": "changed", "delete": "destroyed"}
_MAKING = {"create": "being made", "update": "being changed", "delete": "being destroyed"}
_WHERE = re.compile(r"^\W*with ([\w.\[\]\"-]+),", re.MULTILINE)
_LOCK = re.compile(r"Error acquiring the state lock.*?^\W*ID:\s+(\S+)", re.DOTALL | re.MULTILINE)
# What terraform says, and what helps; it is terraform's own words that are read, so nothing here decides anything.
_HELPS = (
    ("could not find default credentials", "sign in: gcloud auth application-default login"),
    ("storage: bucket doesn't exist", "apply infra/ first: it makes the bucket that keeps the state"),
    ("Saved plan is stale", "another run changed the state since: run the same command again"),
)


def progress(value: Mapping[str, Json]) -> str | None:
    """Return a sentence for what became of a resource, or for one that takes long; None for all else that is said."""
    hook = value.get("hook") or {}
    address, action = (hook.get("resource") or {}).get("addr"), hook.get("action")
    if action not in _MADE:
        return None
    if value.get("type") == "apply_complete":
        return f"  {address}: {_MADE[action]} in {hook.get('elapsed_seconds', 0):.0f} s"
    if value.get("type") == "apply_progress":  # every ten seconds
        return f"  {address}: still {_MAKING[action]}, after {hook.get('elapsed_seconds', 0):.0f} s"
    return None


def wrong(value: Mapping[str, Json]) -> Wrong | None:
    """Return the error that a line of JSON says; None where it says none."""
    said = value.get("diagnostic") or {}
    if said.get("severity") != "error":
        return None
    return Wrong(f"Error: {said['summary']}\n{said.get('detail') or ''}".rstrip(), said.get("address") or "")


def of_text(text: str) -> Wrong:
    """Return the first error of what terraform says as text, without its frame."""
    lines = [line.strip("│╷╵ ").rstrip() for line in text.splitlines()]
    said = [line for line in lines if line]
    start = next((index for index, line in enumerate(said) if line.startswith("Error:")), 0)
    where = _WHERE.search(text)
    return Wrong("\n".join(said[start : start + _LINES]), where[1] if where else "")


def failed(command: str, name: str, found: Sequence[Wrong], why: str | None = None) -> TargetError:
    """Return the error of a command for one folder: what terraform said, and what helps; `why` says why it does not go on."""
    said = "\n".join(_indented(each) for each in found[:_SHOWN])
    more = f"\n  and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    hint = _hint(found, name)
    return TargetError(f"terraform {command} failed for {name}:\n{said}{more}", hint=f"{why}; {hint}" if why else hint)


def _indented(each: Wrong) -> str:
    lines = [line for line in each.text.splitlines() if line.strip()][:_LINES]
    about = [f"with {each.address}"] if each.address and each.address not in each.text else []
    return "\n".join(f"  {line}" for line in [*lines, *about])


def _hint(found: Sequence[Wrong], name: str) -> str:
    """Return what helps: commands are for the files of `mlspec render --out build`."""
    there = f"mlspec render --target TARGET --out build, terraform -chdir=build/terraform/{name} init"
    text = "\n".join(each.text for each in found)
    # What a terraform that was killed leaves behind, and only a person can tell from one that still works.
    if lock := _LOCK.search(text):
        return (
            "another terraform works on this: wait for it, and run the same command again; if it was killed: "
            f"{there}, terraform -chdir=build/terraform/{name} force-unlock {lock[1]}"
        )
    if known := next((each.address for each in found if each.address and "Error 409" in each.text), None):
        return (
            f"it is there, and terraform's state does not know it; if it is yours: {there}, "
            f"terraform -chdir=build/terraform/{name} import {known} ID (the provider's page of the resource says which ID)"
        )
    helps = (hint for words, hint in _HELPS if words in text)
    return next(helps, "mlspec render writes the same files, for you to run terraform on")
