"""What a user may say about one forecast, and on which line they said it.

Strict YAML reader, pydantic models, semantic checks, resolution against project and target, JSON Schema.
Reads text; touches nothing else, knows no target and no data frame.
"""

from mlspec.spec.faults import Fault, Problem
from mlspec.spec.load import LoadedSpecs, read_specs
from mlspec.spec.resolve import ResolvedSpec

__all__ = ["Fault", "LoadedSpecs", "Problem", "ResolvedSpec", "read_specs"]
