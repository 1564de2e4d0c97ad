"""Renders a project's own templates in a process of their own: with limits, and without this process's environment.

A template is code. Jinja's sandbox keeps it to the facts that it is given, but not from a loop without an end or a text of any
size. mlspec's own templates are rendered in this process.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError

import mlspec
from mlspec.errors import TargetError
from mlspec.render.rendering import RenderJob

CPU_SECONDS = 10  # processor time for all templates of a project, and
CPU_SECONDS_A_FORECAST = 0.5  # so much more for each forecast; mlspec's own take a hundredth of it
MEMORY_BYTES = 1 << 30
TEXT_BYTES = 50_000_000  # of all rendered files
_PATIENCE = 20  # times the processor time, until a process that does not even use the processor is ended
# What the process gets of this one's environment: where a Python finds its own library.
_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# Not `-m`: it would look for mlspec where the working directory or the site's settings say.
_CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from mlspec.engine import template_worker; template_worker.main()"


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """The limits of a process that renders: processor time in seconds, memory, and the size of all texts in bytes."""

    cpu_seconds: int
    memory_bytes: int
    text_bytes: int


def render_apart(job: RenderJob, own: Path) -> dict[str, str]:
    """Return all files of a job, rendered in a process of its own. Raises TargetError if a template fails or takes too much."""
    limits = RenderLimits(CPU_SECONDS + int(CPU_SECONDS_A_FORECAST * len(job.sources)), MEMORY_BYTES, TEXT_BYTES)
    answer = _ask_process(job, limits, own)
    if "error" in answer:
        raise _own_template_error(str(answer["error"]), own)
    files: dict[str, str] = answer["files"]
    return files


def _ask_process(job: RenderJob, limits: RenderLimits, own: Path) -> dict[str, Any]:
    path = [str(Path(mlspec.__file__).parents[1]), *(str(Path(entry).absolute()) for entry in sys.path if entry)]
    argv = [
        sys.executable,
        "-I",
        "-S",
        "-X",
        "utf8",
        *(["-B"] if sys.dont_write_bytecode else []),
        "-c",
        _CODE,
        json.dumps(path),
    ]
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    try:
        done = subprocess.run(
            argv, input=pickle.dumps((job, limits)), capture_output=True, check=False, env=environment, cwd="/",
            timeout=_PATIENCE * limits.cpu_seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _own_template_error("templates take too long", own) from error
    if done.returncode in (-signal.SIGKILL, -signal.SIGXCPU):
        raise _own_template_error(
            f"templates take more than {limits.cpu_seconds} s of processor time, or too much memory", own
        )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise _own_template_error(f"the process that renders templates ended: {lines[-1][:200]}", own)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _own_template_error(message: str, own: Path) -> TargetError:
    return TargetError(message, hint=f"correct the templates in {own}, or remove them to use mlspec's own")


def describe_template_error(error: BaseException) -> str:
    """Return the sentence about a template that failed: which, at which line, and why."""
    why = getattr(error, "message", None) or str(error) or type(error).__name__
    kind = "" if isinstance(error, TemplateError) else f"{type(error).__name__}: "
    return f"the template {_error_location(error)} cannot be rendered: {kind}{why}"


def _error_location(error: BaseException) -> str:
    """Return FILE:LINE of a template's error: from a syntax error itself, or from the traceback of any other."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name}:{error.lineno}"
    calls = [call for call in extract_tb(error.__traceback__) if call.filename.endswith(".j2")]
    return f"{calls[-1].filename}:{calls[-1].lineno}" if calls else str(error)
