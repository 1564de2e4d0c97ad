"""The version of the code that shapes a model: the part of mlspec that a version's lineage names.

A new release of mlspec trains nothing again. What is trained follows from this constant, and from nothing else of the package.
"""

from __future__ import annotations

# Named for the release since which the code makes other models, or other forecasts with a model, of the same data, spec and
# libraries. To raise it trains every forecast of every user again: raise it deliberately, in a commit of its own, and say so in
# the release notes (docs/decisions/0018). tests/jobs/test_code_version.py says when it has to be raised.
CODE_VERSION = "0.1.0"
