"""Helpers for `save` and `load`: estimators of scikit-learn as files that run no code when they are read, twice the same bytes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_EPOCH = (1980, 1, 1, 0, 0, 0)
_ADDRESS = re.compile(r'(?<="__id__": )[0-9]+|(?<=")[0-9]+(?=\.npy")')


def save_estimator(estimator: Any, file: Path) -> None:
    """Write an estimator or pipeline of scikit-learn to a file by skops. The same estimator gives the same bytes."""
    import skops.io

    file.write_bytes(renumber_ids(skops.io.dumps(estimator)))


def load_estimator(file: Path, trusted: Sequence[str] = ()) -> Any:
    """Return the estimator of a file. `trusted` names types beyond those that skops trusts; it refuses a file with others."""
    import skops.io

    return skops.io.loads(file.read_bytes(), trusted=list(trusted))


def pack_archive(parts: dict[str, bytes]) -> bytes:
    """Return a zip of named parts, in order, without timestamps."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in parts.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, data, compresslevel=6)
    return out.getvalue()


def renumber_ids(data: bytes) -> bytes:
    """Return what skops wrote with sequential numbers for the addresses of memory that it has in it."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        parts = {info.filename: packed.read(info) for info in packed.infolist()}
    numbers: dict[str, str] = {}
    schema = _ADDRESS.sub(
        lambda address: numbers.setdefault(address[0], str(len(numbers))), parts.pop("schema.json").decode()
    )
    arrays = {f"{numbers[name.removesuffix('.npy')]}.npy": content for name, content in parts.items()}
    return pack_archive(
        {"schema.json": schema.encode()} | {name: arrays[name] for name in sorted(arrays, key=_array_number)}
    )


def _array_number(name: str) -> int:
    return int(name.removesuffix(".npy"))
