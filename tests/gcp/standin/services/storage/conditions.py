"""Preconditions: what a caller says an object must be, before anything is done to it.

See https://cloud.google.com/storage/docs/request-preconditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tests.gcp.standin.refused import Refused

_FAILED = "At least one of the pre-conditions you specified did not hold."


class Versioned(Protocol):
    """What preconditions ask about."""

    generation: int
    metageneration: int


def check(query: Mapping[str, str], found: Versioned | None, *, prefix: str = "if", reads: bool = False) -> None:
    """Raise Refused where a precondition does not hold: 412, and for a read of what is unchanged 304.

    What is not there has generation 0. `prefix` is `ifSource` for the source of a copy.
    """
    actual = {
        "Generation": found.generation if found else 0,
        "Metageneration": found.metageneration if found else 0,
    }
    for what, is_ in actual.items():
        wanted, unwanted = query.get(f"{prefix}{what}Match"), query.get(f"{prefix}{what}NotMatch")
        if wanted is not None and int(wanted) != is_:
            raise Refused("FAILED_PRECONDITION", _FAILED, status=412, reason="conditionNotMet")
        if unwanted is not None and int(unwanted) == is_:
            status = 304 if reads else 412
            raise Refused("FAILED_PRECONDITION", _FAILED, status=status, reason="conditionNotMet")
