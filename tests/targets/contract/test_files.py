"""Files of steps: each is stored once, reads back byte by byte, and a damaged one is named."""

from mlspec.targets.contract.files import *  # noqa: F403
from mlspec.targets.contract.fixtures import another, panel, target  # noqa: F401
