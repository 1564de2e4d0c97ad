"""The version of the code that affects models and forecasts. It is part of the lineage of a forecast version.

A new release of mlspec does not retrain any forecast. Only a change of this constant does.
"""

from __future__ import annotations

# The first release whose code makes these models and forecasts from the same data, spec and libraries. Raising it retrains every
# forecast of every user: raise it in a separate commit, and announce it in the release notes (docs/decisions/0018).
# tests/jobs/test_code_version.py fails if it has to be raised.
CODE_VERSION = "0.2.0"
