"""Rules of `mlspec.api`, and how each is broken."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.mutations.named_tests import PYTHON

MUTATIONS = (
    Mutation("an apply from Python needs the approvals that its plan needs", "api/apply_worker.py",
             "    if missing:\n", "    if False:\n", f"{PYTHON}::test_what_was_not_approved_is_refused_and_nothing_is_changed"),
    Mutation("a plan that was reviewed in Python is applied as it was or refused", "api/apply_worker.py",
             "            if request.plan is not None:\n", "            if False:\n",
             f"{PYTHON}::test_a_plan_that_was_reviewed_is_applied_as_reviewed_or_refused"),
)  # fmt: skip
