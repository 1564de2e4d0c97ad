"""What a picture of the report shows, as text inside the file: its version and its WAPE, so that a test sees when it is old.

python -m tests.docs.picture FILE TEXT
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEY = b"Description"


def read_text(picture: Path) -> str:
    """Return the description inside a PNG file; empty if it has none."""
    texts = (body for kind, body in _chunks(picture.read_bytes()) if kind == b"tEXt")
    return next((body.partition(b"\0")[2].decode("latin-1") for body in texts if body.startswith(_KEY)), "")


def write_text(picture: Path, text: str) -> None:
    """Put a description into a PNG file, in place of the one that it has."""
    chunks = [chunk for chunk in _chunks(picture.read_bytes()) if chunk[0] != b"tEXt"]
    chunks.insert(1, (b"tEXt", _KEY + b"\0" + text.encode("latin-1")))
    picture.write_bytes(_SIGNATURE + b"".join(_packed(kind, body) for kind, body in chunks))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert data.startswith(_SIGNATURE)
    place = len(_SIGNATURE)
    while place < len(data):
        (size,) = struct.unpack(">I", data[place : place + 4])
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        place += size + 12


def _packed(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


if __name__ == "__main__":
    write_text(Path(sys.argv[1]), sys.argv[2])
