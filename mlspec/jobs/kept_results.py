"""Keeps what a step has made so far in a folder, so that a step which is killed goes on from there when it is run again.

A result is a few frames, in a folder of its own that gets its name when all of them are written: it is there whole, or not at all.
Its name is a digest of what it was made from, so that nothing else is taken for it. The files are Arrow's, which run nothing.
Keeping is a help and no duty: where there is no room for a result, the step goes on without.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic

import pandas as pd
import pyarrow as pa

from mlspec.forecast.arrow_stream import from_arrow, to_arrow
from mlspec.plain_files import find_link
from mlspec.state.resource import Json, digest

logger = logging.getLogger(__name__)
WORTH_KEEPING = 2.0  # seconds: what takes less is made again
_SUFFIX, _NAMES = ".arrow", "names.json"
Frames = Mapping[str, pd.DataFrame]


class KeptResults:
    """The results in one folder, which exists; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def make(self, key: Json, make: Callable[[], Frames]) -> Frames:
        """Return the frames of an earlier run that were made from `key`; else make them now, and keep what took its time."""
        if self._folder is None:
            return make()
        place = self._folder / digest(key, 40)
        kept = _read_frames(place)
        if kept is not None:
            logger.info("took over a result of an earlier run that was stopped")
            return kept
        began = monotonic()
        frames = make()
        if monotonic() - began >= WORTH_KEEPING:
            _write_frames(frames, place)
        return frames


def _read_frames(place: Path) -> dict[str, pd.DataFrame] | None:
    """Return the frames of a result; None if it is not there, or damaged."""
    if find_link(place, below=place.parent) is not None or not place.is_dir():
        return None
    try:
        names = json.loads((place / _NAMES).read_bytes())
        return {name: from_arrow((place / f"{name}{_SUFFIX}").read_bytes()) for name in names}
    except (OSError, ValueError, pa.ArrowException) as error:
        logger.info("a result of an earlier run cannot be read, and is made again: %s", error)
        return None


def _write_frames(frames: Frames, place: Path) -> None:
    try:
        unfinished = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
        try:
            for name, frame in frames.items():
                (unfinished / f"{name}{_SUFFIX}").write_bytes(to_arrow(frame))
            (unfinished / _NAMES).write_text(json.dumps(list(frames)))
            unfinished.replace(place)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        logger.info("a result is not kept for a run after this one: %s", error)
