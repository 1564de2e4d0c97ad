"""State that cannot be used, as it is newer, older or edited by hand, is refused with a hint."""

from mlspec.targets.contract.fixtures import another, panel, target  # noqa: F401
from mlspec.targets.contract.unusable_state import *  # noqa: F403
