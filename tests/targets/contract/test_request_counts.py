"""What servers count: it adds up, moves no serial, and is kept for as long as an alert looks back."""

from mlspec.targets.contract.fixtures import another, panel, target  # noqa: F401
from mlspec.targets.contract.request_counts import *  # noqa: F403
