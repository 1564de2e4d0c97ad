"""Checks the redeploy function, which answers alerts: it exists, is active, and runs the source of this mlspec."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from mlspec.assets import asset_folder
from mlspec.state.finding import Finding
from mlspec.targets.gcp.doctor.probe import PLATFORM, TIMEOUT, GoogleProbe, run_check

FUNCTION = "mlspec-redeploy"
_RENEW = f"scripts/function-archive infra/redeploy.zip && {PLATFORM}"  # in a checkout of this mlspec
_PACKAGE = Path(__file__).parents[3]
_NOT_IN_ARCHIVES = ("_version.py", "_assets")  # what scripts/function-archive leaves out


def check_function(probe: GoogleProbe) -> Finding:
    """Return whether the function is active and runs the source of this mlspec."""
    place = probe.place
    name = f"projects/{place.project}/locations/{place.region}/functions/{FUNCTION}"

    def check() -> Finding:
        function = probe.clients.functions.get_function(name=name, retry=None, timeout=TIMEOUT)
        if function.state.name != "ACTIVE":
            why = "; ".join(message.message for message in function.state_messages)
            return Finding("platform", FUNCTION, "missing", f"it is {function.state.name}{why and ': '}{why}", PLATFORM)
        source = function.build_config.source.storage_source
        other = differing_files(_read_archive(probe, source), own_files())
        if other:
            problem = f"it runs another source than this mlspec: {other[0]} and {len(other) - 1} more files differ"
            return Finding("platform", FUNCTION, "missing", problem, _RENEW)
        return Finding("platform", FUNCTION, "ok", "active, with the source of this mlspec")

    return run_check("platform", FUNCTION, check, PLATFORM)


def _read_archive(probe: GoogleProbe, source: Any) -> bytes:
    blob = probe.clients.storage.bucket(source.bucket).blob(source.object_, generation=source.generation or None)
    return bytes(blob.download_as_bytes(timeout=TIMEOUT, retry=None))


def own_files() -> dict[str, bytes]:
    """Return the Python files of this mlspec that the function's archive has too, by their names there."""
    package = {
        f"mlspec/{path.relative_to(_PACKAGE).as_posix()}": path
        for path in _PACKAGE.rglob("*.py")
        if not set(_NOT_IN_ARCHIVES) & set(path.relative_to(_PACKAGE).parts)
    }
    entry = {path.name: path for path in (asset_folder("infra") / "functions" / "redeploy").glob("*.py")}
    return {name: path.read_bytes() for name, path in (package | entry).items()}


def differing_files(archive: bytes, own: dict[str, bytes]) -> list[str]:
    """Return the Python files that an archive lacks, has besides, or has with another content, sorted."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            held = {name: opened.read(name) for name in opened.namelist() if name.endswith(".py")}
    except zipfile.BadZipFile:
        held = {}
    return sorted(name for name in held.keys() | own.keys() if held.get(name) != own.get(name))
