"""Settlements: each is written whole or not at all, and what was settled reads back."""

from mlspec.targets.contract.fixtures import another, panel, target  # noqa: F401
from mlspec.targets.contract.settlements import *  # noqa: F403
