"""Parses terraform's output into progress, errors and hints.

`terraform apply -json` writes lines of JSON (https://developer.hashicorp.com/terraform/internals/machine-readable-ui). mlspec shows
only addresses, actions, durations and terraform's error messages, from which terraform itself removes sensitive values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mlspec.errors import TargetError
from mlspec.state.diagnostic import Diagnostic
from mlspec.state.resource import Json

_SHOWN = 3  # errors shown in full
_LINES = 12  # lines shown of one error
_MADE = {"create": "created", "update": "changed", "delete": "destroyed"}
_MAKING = {"create": "being created", "update": "being changed", "delete": "being destroyed"}
_WHERE = re.compile(r"^\W*with ([\w.\[\]\"-]+),", re.MULTILINE)
_LOCK = re.compile(r"Error acquiring the state lock.*?^\W*ID:\s+(\S+)", re.DOTALL | re.MULTILINE)
# Part of terraform's message: the hint. They depend on terraform's wording, so no decision depends on them.
_HELPS = (
    ("could not find default credentials", "sign in: gcloud auth application-default login"),
    ("storage: bucket doesn't exist", "apply infra/ first: it creates the bucket of the state"),
    ("Saved plan is stale", "another run changed the state meanwhile: run the same command again"),
)


def progress_sentence(value: Mapping[str, Json]) -> str | None:
    """Return a progress line for a finished or slow resource; None for other messages."""
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
    """Return the error in a JSON message; None if it holds no error."""
    diagnostic = value.get("diagnostic") or {}
    if diagnostic.get("severity") != "error":
        return None
    return Diagnostic(
        f"Error: {diagnostic['summary']}\n{diagnostic.get('detail') or ''}".rstrip(), diagnostic.get("address") or ""
    )


def parse_text_error(text: str) -> Diagnostic:
    """Return the first error in terraform's text output, without its frame."""
    lines = [line.strip("│╷╵ ").rstrip() for line in text.splitlines()]
    filled_lines = [line for line in lines if line]
    start = next((index for index, line in enumerate(filled_lines) if line.startswith("Error:")), 0)
    where = _WHERE.search(text)
    return Diagnostic("\n".join(filled_lines[start : start + _LINES]), where[1] if where else "")


def terraform_error(command: str, name: str, errors: Sequence[Diagnostic], why: str | None = None) -> TargetError:
    """Return the error of a command for one folder, with terraform's message and a hint. `why` is the reason for giving up."""
    shown = "\n".join(_indent_error(error) for error in errors[:_SHOWN])
    more = f"\n  and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    hint = _hint_for(errors, name)
    return TargetError(f"terraform {command} failed for {name}:\n{shown}{more}", hint=f"{why}; {hint}" if why else hint)


def _indent_error(error: Diagnostic) -> str:
    lines = [line for line in error.text.splitlines() if line.strip()][:_LINES]
    about = [f"with {error.address}"] if error.address and error.address not in error.text else []
    return "\n".join(f"  {line}" for line in [*lines, *about])


def _hint_for(errors: Sequence[Diagnostic], name: str) -> str:
    """Return a hint. Its commands use the files of `mlspec render --out build`."""
    setup = f"mlspec render --target TARGET --out build, terraform -chdir=build/terraform/{name} init"
    text = "\n".join(error.text for error in errors)
    # A killed terraform leaves a lock. Only a person can find out whether the lock's holder still runs.
    if lock := _LOCK.search(text):
        return (
            "another terraform run has locked this state: wait and run the same command again; if that run was killed: "
            f"{setup}, terraform -chdir=build/terraform/{name} force-unlock {lock[1]}"
        )
    if existing := next((error.address for error in errors if error.address and "Error 409" in error.text), None):
        return (
            f"the resource exists but is not in terraform's state; if it is yours: {setup}, "
            f"terraform -chdir=build/terraform/{name} import {existing} ID (the provider's page of the resource says which ID)"
        )
    helps = (hint for words, hint in _HELPS if words in text)
    return next(helps, "`mlspec render` writes the same files: you can run terraform on them yourself")
