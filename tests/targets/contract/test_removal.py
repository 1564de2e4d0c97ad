"""What goes: by destroy and purge, and by pruning. What something still needs stays."""

from mlspec.targets.contract.fixtures import another, panel, target  # noqa: F401
from mlspec.targets.contract.removal import *  # noqa: F403
