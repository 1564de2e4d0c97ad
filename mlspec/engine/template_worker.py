"""The process that renders a project's own templates: a job comes in on stdin, its files or an error go out on stdout.

`engine.template_process` starts it with an empty environment. What comes in is from that process; what a template makes goes out as
JSON.
"""

from __future__ import annotations

import json
import pickle
import resource
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

from mlspec.engine.template_process import RenderLimits, describe_template_error
from mlspec.render.rendering import RenderJob, render_files

_GRACE = 5  # seconds of processor time, in which a template that took too long can be named


class TemplateLimitExceeded(Exception):
    """A template took more than it may."""


def main() -> None:
    """Render one job."""
    job, limits = pickle.load(sys.stdin.buffer)  # noqa: S301  (from the process that started this one)
    _set_limits(limits)
    json.dump(_render(job, limits), sys.stdout)


def _render(job: RenderJob, limits: RenderLimits) -> dict[str, Any]:
    """Return the files, or the error of a template: whatever it raises is about the template."""
    try:
        files = render_files(job)
    except MemoryError as error:
        too_much = TemplateLimitExceeded("it takes too much memory")
        return {"error": describe_template_error(too_much.with_traceback(error.__traceback__))}
    except Exception as error:  # noqa: BLE001
        return {"error": describe_template_error(error)}
    size = sum(map(len, files.values()))
    if size > limits.text_bytes:
        longest = max(files, key=lambda path: len(files[path]))
        return {"error": f"the templates make {size:,} characters, more than {limits.text_bytes:,}: most in {longest}"}
    return {"files": files}


def _set_limits(limits: RenderLimits) -> None:
    """Limit processor time and memory from now on, and write no file."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)  # it is sent every second from now on
        raise TemplateLimitExceeded(f"it takes more than {limits.cpu_seconds} s of processor time")

    signal.signal(signal.SIGXCPU, stop)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + limits.cpu_seconds
    _lower(resource.RLIMIT_CPU, seconds, seconds + _GRACE)
    _lower(resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes)
    _lower(resource.RLIMIT_FSIZE, 0, 0)


def _lower(kind: int, soft: int, hard: int) -> None:
    highest = resource.getrlimit(kind)[1]
    if highest != resource.RLIM_INFINITY:
        soft, hard = min(soft, highest), min(hard, highest)
    with suppress(ValueError, OSError):  # macOS has no limit of memory
        resource.setrlimit(kind, (soft, hard))
