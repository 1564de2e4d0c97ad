"""Keeps what a step has made so far, so that a step which is killed goes on from there when it is run again.

A result is a few frames, as one piece of bytes: their lengths, the frames as Arrow's streams, which run nothing, and before all of
it the digest of the rest. It is taken if it is whole. Its name is a digest of what it was made from, which it holds too, so that
nothing else is taken for it. Keeping is a help and no duty: where there is no room for a result, the step goes on without.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from time import monotonic

import pandas as pd
import pyarrow as pa

from mlspec.errors import MlspecError
from mlspec.forecast.arrow_stream import from_arrow, to_arrow
from mlspec.state.resource import Json, digest
from mlspec.state.step import ResultStore

logger = logging.getLogger(__name__)
WORTH_KEEPING = 2.0  # seconds: what takes less is made again
_SEAL = 64  # bytes: a sha256 as hex digits
Frames = Mapping[str, pd.DataFrame]


class KeptResults:
    """The results in one store; without a store nothing is kept."""

    def __init__(self, store: ResultStore | None) -> None:
        self._store = store

    def make(self, key: Json, make: Callable[[], Frames]) -> Frames:
        """Return the frames of an earlier run that were made from `key`; else make them now, and keep what took its time."""
        if self._store is None:
            return make()
        name = digest(key, 40)
        kept = _read_frames(self._store, name)
        if kept is not None:
            logger.info("took over a result of an earlier run that was stopped")
            return kept
        began = monotonic()
        frames = make()
        if monotonic() - began >= WORTH_KEEPING:
            _write_frames(self._store, name, frames)
        return frames


def _read_frames(store: ResultStore, name: str) -> Frames | None:
    """Return the frames of a result; None if it is not there, or damaged."""
    try:
        data = store.read_result(name)
        return None if data is None else unpack_frames(name, data)
    except (OSError, ValueError, pa.ArrowException, MlspecError) as error:
        logger.info("a result of an earlier run cannot be read, and is made again: %s", error)
        return None


def _write_frames(store: ResultStore, name: str, frames: Frames) -> None:
    try:
        store.write_result(name, pack_frames(name, frames))
    except (OSError, MlspecError) as error:
        logger.info("a result is not kept for a run after this one: %s", error)


def pack_frames(name: str, frames: Frames) -> bytes:
    """Return the result `name` as bytes."""
    streams = {key: to_arrow(frame) for key, frame in frames.items()}
    head = json.dumps({"name": name, "frames": {key: len(stream) for key, stream in streams.items()}}).encode() + b"\n"
    seal = hashlib.sha256(head)
    for stream in streams.values():
        seal.update(stream)
    return b"".join([seal.hexdigest().encode(), head, *streams.values()])


def unpack_frames(name: str, data: bytes) -> Frames:
    """Return the frames of the result `name`. Raises ValueError if the bytes are not whole, or those of another result."""
    whole = memoryview(data)
    if hashlib.sha256(whole[_SEAL:]).hexdigest().encode() != data[:_SEAL]:
        raise ValueError("its digest is not the one that was written with it")
    start = data.index(b"\n", _SEAL) + 1
    head = json.loads(data[_SEAL:start])
    if head["name"] != name:
        raise ValueError(f"it is the result {head['name']}, and not {name}")
    frames = {}
    for key, length in head["frames"].items():
        frames[key] = from_arrow(whole[start : start + length])
        start += length
    return frames
