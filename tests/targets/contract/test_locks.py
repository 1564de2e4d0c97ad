"""Locks and sessions: one run works on a forecast, and reads see what others have recorded."""

from mlspec.targets.contract.fixtures import another, panel, target  # noqa: F401
from mlspec.targets.contract.locks import *  # noqa: F403
