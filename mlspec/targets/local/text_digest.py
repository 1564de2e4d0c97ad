"""The digest of a text file that is the same whether its lines end in CRLF or in LF.

Git and editors change the ends of lines, and the rows of a table stay what they were. A line end inside a quoted value is a part of
that value, and counts as it is. A file whose lines end in LF has the digest of its bytes.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO

_BLOCK = 2**20


def text_digests(file: BinaryIO) -> tuple[str, str]:
    """Return two sha256 of a file, as hex: of its bytes, and of them with each CRLF outside quotes as LF. It is read once."""
    of_bytes = hashlib.sha256()
    of_text = None  # the same as the one of the bytes, until there is a CR
    quoted, held = False, b""
    while block := file.read(_BLOCK):
        if of_text is None and b"\r" in block:
            of_text = of_bytes.copy()
        of_bytes.update(block)
        block = held + block
        held = b"\r" if block.endswith(b"\r") else b""  # the next block may begin with its LF
        block = block.removesuffix(held)
        if of_text is not None:
            of_text.update(_with_plain_ends(block, quoted=quoted))
        quoted ^= bool(block.count(b'"') % 2)
    if of_text is None:
        return of_bytes.hexdigest(), of_bytes.hexdigest()
    of_text.update(held)
    return of_bytes.hexdigest(), of_text.hexdigest()


def _with_plain_ends(block: bytes, *, quoted: bool) -> bytes:
    """Return a block with each CRLF outside quotes as LF. `quoted`: it begins inside quotes."""
    if b"\r" not in block:
        return block
    parts = block.split(b'"')
    return b'"'.join(
        part if quoted ^ bool(place % 2) else part.replace(b"\r\n", b"\n") for place, part in enumerate(parts)
    )
