"""What needs approval: something is destroyed, or the target is protected."""

from __future__ import annotations

import pytest

from mlspec.plan.approval import approval_reasons, destroyed_resources, missing_approvals
from mlspec.state.plan import Change


@pytest.mark.parametrize(
    ("destroyed", "protect", "reasons"),
    [
        ((), False, ()),
        ((), True, ("target 'prod' is protected",)),
        (("demand: topic", "returns: table"), False, ("demand: topic, returns: table would be destroyed",)),
        (("demand: topic",), True, ("demand: topic would be destroyed", "target 'prod' is protected")),
    ],
)
def test_each_reason_is_said_in_one_sentence(
    destroyed: tuple[str, ...], protect: bool, reasons: tuple[str, ...]
) -> None:
    assert approval_reasons("prod", destroyed, protect=protect) == reasons


def test_what_is_made_anew_is_destroyed_too() -> None:
    changes = [
        Change("demand", f"{action}.demand", action, "")
        for action in ("create", "update", "replace", "delete", "run", "none")
    ]
    assert destroyed_resources(changes) == ("replace.demand", "delete.demand")


@pytest.mark.parametrize(
    ("destroy", "protected", "missing"),
    [
        (False, False, ("data.x would be destroyed", "target 'live' is protected")),
        (True, False, ("target 'live' is protected",)),
        (False, True, ("data.x would be destroyed",)),
        (True, True, ()),
    ],
)
def test_each_approval_is_for_its_own_reason(destroy: bool, protected: bool, missing: tuple[str, ...]) -> None:
    reasons = ("data.x would be destroyed", "target 'live' is protected")
    assert missing_approvals(reasons, "live", protect=True, destroy=destroy, protected=protected) == missing
