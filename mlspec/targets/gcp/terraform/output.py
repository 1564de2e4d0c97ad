"""What terraform says: how far it is, what went wrong, and what helps.

`terraform apply -json` says each as a line of JSON (https://developer.hashicorp.com/terraform/internals/machine-readable-ui). Only
addresses, actions and durations are repeated, and errors in terraform's own words: it leaves out of them what is sensitive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mlspec.errors import TargetError
from mlspec.state.diagnostic import Diagnostic
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


def progress_sentence(value: Mapping[str, Json]) -> str | None:
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


def parse_diagnostic(value: Mapping[str, Json]) -> Diagnostic | None:
    """Return the error that a line of JSON says; None where it says none."""
    diagnostic = value.get("diagnostic") or {}
    if diagnostic.get("severity") != "error":
        return None
    return Diagnostic(
        f"Error: {diagnostic['summary']}\n{diagnostic.get('detail') or ''}".rstrip(), diagnostic.get("address") or ""
    )


def parse_text_error(text: str) -> Diagnostic:
    """Return the first error of what terraform says as text, without its frame."""
    lines = [line.strip("│╷╵ ").rstrip() for line in text.splitlines()]
    filled_lines = [line for line in lines if line]
    start = next((index for index, line in enumerate(filled_lines) if line.startswith("Error:")), 0)
    where = _WHERE.search(text)
    return Diagnostic("\n".join(filled_lines[start : start + _LINES]), where[1] if where else "")


def terraform_error(command: str, name: str, errors: Sequence[Diagnostic], why: str | None = None) -> TargetError:
    """Return the error of a command for one folder: what terraform said, and what helps; `why` says why it does not go on."""
    shown = "\n".join(_indent_error(error) for error in errors[:_SHOWN])
    more = f"\n  and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    hint = _hint_for(errors, name)
    return TargetError(f"terraform {command} failed for {name}:\n{shown}{more}", hint=f"{why}; {hint}" if why else hint)


def _indent_error(error: Diagnostic) -> str:
    lines = [line for line in error.text.splitlines() if line.strip()][:_LINES]
    about = [f"with {error.address}"] if error.address and error.address not in error.text else []
    return "\n".join(f"  {line}" for line in [*lines, *about])


def _hint_for(errors: Sequence[Diagnostic], name: str) -> str:
    """Return what helps: commands are for the files of `mlspec render --out build`."""
    setup = f"mlspec render --target TARGET --out build, terraform -chdir=build/terraform/{name} init"
    text = "\n".join(error.text for error in errors)
    # What a terraform that was killed leaves behind, and only a person can tell from one that still works.
    if lock := _LOCK.search(text):
        return (
            "another terraform works on this: wait for it, and run the same command again; if it was killed: "
            f"{setup}, terraform -chdir=build/terraform/{name} force-unlock {lock[1]}"
        )
    if existing := next((error.address for error in errors if error.address and "Error 409" in error.text), None):
        return (
            f"it is there, and terraform's state does not know it; if it is yours: {setup}, "
            f"terraform -chdir=build/terraform/{name} import {existing} ID (the provider's page of the resource says which ID)"
        )
    helps = (hint for words, hint in _HELPS if words in text)
    return next(helps, "mlspec render writes the same files, for you to run terraform on")
