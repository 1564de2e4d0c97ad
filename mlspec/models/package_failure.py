"""Says in words what a package's code did wrong: the file and line in the package, the kind of error, its text."""

from __future__ import annotations

from types import TracebackType


def describe_failure(error: BaseException, import_name: str) -> str:
    """Return an error as FILE:LINE: TYPE: MESSAGE, with the innermost line that is in the package's own code."""
    top = import_name.partition(":")[0].partition(".")[0]
    place = _place_in_package(error.__traceback__, top)
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{_shorten_path(error.filename, top)}:{error.lineno}"
    text = (str(error).splitlines() or [""])[0]
    name = type(error).__name__
    return ": ".join(part for part in (place, name, text) if part)


def _place_in_package(traceback: TracebackType | None, top: str) -> str:
    place = ""
    while traceback is not None:
        frame = traceback.tb_frame
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == top:
            place = f"{_shorten_path(frame.f_code.co_filename, top)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def _shorten_path(path: str, top: str) -> str:
    """Return a path from the package's own folder on: `tiny_costs/errors.py`; of a module without one its name."""
    folders, _, inside = path.rpartition(f"/{top}/")
    return f"{top}/{inside}" if folders else path.rpartition("/")[2]
