"""The spec language: what a spec may contain, and the file and line of every value.

Strict YAML reader, pydantic models, semantic checks, resolution for project and target, JSON Schema. It reads files and has no
other effect; it uses no target and no data frame.
"""

from mlspec.spec.faults import Fault, Problem
from mlspec.spec.load import LoadedSpecs, read_specs
from mlspec.spec.resolve import ResolvedSpec

__all__ = ["Fault", "LoadedSpecs", "Problem", "ResolvedSpec", "read_specs"]
