"""Formats faults as text, JSON, SARIF and GitHub's workflow commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from mlspec import __version__
from mlspec.cli.escape import one_line, printable
from mlspec.spec import Fault

_WIDEST = 160


def as_text(faults: Sequence[Fault]) -> str:
    """Return each fault as `file:line:col: message`, its line, a caret, and a hint."""
    return "\n".join(_fault_block(fault) for fault in faults)


def _fault_block(fault: Fault) -> str:
    field = f"{fault.path}: " if fault.path else ""
    place = click.style(one_line(f"{fault.file}:{fault.line}:{fault.column}"), bold=True)
    kind = click.style("warning: ", fg="yellow") if fault.warning else ""
    lines = [f"{place}: {kind}{one_line(f'{field}{fault.message}')}"]
    if fault.text.strip():
        # Of a long line, the part around the position is shown.
        begin = max(0, fault.column - _WIDEST // 2) if len(fault.text) > _WIDEST else 0
        shown = printable(fault.text[begin : begin + _WIDEST])
        indent = len(printable(fault.text[begin : fault.column - 1]))
        lines += [f"    {shown}", f"    {' ' * indent}{click.style('^', fg='red', bold=True)}"]
    if fault.hint:
        lines.append(f"    {click.style('hint', fg='cyan')}: {one_line(fault.hint)}")
    return "\n".join(lines)


def as_json(faults: Sequence[Fault], files: int) -> str:
    """Return the faults as JSON: valid, files, errors, and warnings where there are some."""
    errors = [_as_value(fault) for fault in faults if not fault.warning]
    warnings = [_as_value(fault) for fault in faults if fault.warning]
    value = {"valid": not errors, "files": files, "errors": errors} | ({"warnings": warnings} if warnings else {})
    return json.dumps(value, indent=2, ensure_ascii=True)


def _as_value(fault: Fault) -> dict[str, Any]:
    keys = ("file", "line", "column", "path", "code", "message", "hint")
    return {key: getattr(fault, key) for key in keys}


def as_sarif(faults: Sequence[Fault]) -> str:
    """Return SARIF 2.1.0, which code hosts show beside the lines of a pull request."""
    codes = sorted({fault.code for fault in faults})
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "mlspec", "version": __version__, "rules": [{"id": code} for code in codes]}},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(fault) for fault in faults],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2)


def _sarif_result(fault: Fault) -> dict[str, Any]:
    from urllib.parse import quote  # a file's name is not an address: a space and a percent sign are escaped in it

    message = f"{fault.path}: {fault.message}" if fault.path else fault.message
    return {
        "ruleId": fault.code,
        "level": "warning" if fault.warning else "error",
        "message": {"text": f"{message} ({fault.hint})" if fault.hint else message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(fault.file, safe="/:")},
                    "region": {"startLine": fault.line, "startColumn": fault.column},
                }
            }
        ],
    }


def as_github(faults: Sequence[Fault]) -> str:
    """Return workflow commands: GitHub shows each beside its line."""
    return "\n".join(map(_github_command, faults))


def _github_command(fault: Fault) -> str:
    place = (
        f"file={_escape_property(fault.file)},line={fault.line},col={fault.column},title={_escape_property(fault.code)}"
    )
    message = f"{fault.path}: {fault.message}" if fault.path else fault.message
    return f"::{'warning' if fault.warning else 'error'} {place}::{_escape_data(message)}"


def _escape_data(text: str) -> str:
    # https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts: the characters to escape
    return printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")
