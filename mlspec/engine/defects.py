"""Turns an unexpected exception into an error: it ends the work on one forecast only, and its traceback is logged."""

from __future__ import annotations

import logging

from mlspec.errors import Defect, MlspecError
from mlspec.log_context import without_known_secrets
from mlspec.spec.secrecy import redact_secrets

logger = logging.getLogger(__name__)
_LONGEST = 200  # characters of an exception's text that are kept in the state


def as_error(error: Exception) -> MlspecError:
    """Return `error` itself if it is an MlspecError, else a Defect that names it; the traceback is logged before."""
    if isinstance(error, MlspecError):
        return error
    said = redact_secrets(without_known_secrets(f"{type(error).__name__}: {error}".splitlines()[0]))[:_LONGEST]
    logger.error("a defect of mlspec: %s", said, exc_info=error)
    defect = Defect(f"a defect of mlspec: {said}", hint="please report it, with the traceback that was logged")
    defect.__cause__ = error
    return defect
