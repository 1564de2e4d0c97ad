"""The outbox: a notice is there once, until a receiver has taken it."""

from mlspec.targets.contract.fixtures import another, panel, target  # noqa: F401
from mlspec.targets.contract.outbox import *  # noqa: F403
