"""Rules of `mlspec.state`, and how each is broken."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.mutations.named_tests import STATE, step

MUTATIONS = (
    Mutation("a ledger with a moment that is none is refused", "state/moment.py",
             "if at.tzinfo is None:", "if False:", STATE),
    Mutation("watching goes on where data is refused", "state/pass_steps.py",
             '("check",), runs="any end"),', '("check",)),',
             step("data_that_breaks_its_contract_fails_for_good_and_watching_goes_on")),
    Mutation("where the gate keeps a version out the forecast is made with what serves", "state/pass_steps.py",
             '("register",), runs="no failure", kind', '("register",), kind',
             step("where_the_gate_keeps_a_version_out_the_forecast_is_made_with_what_serves_and_the_run_is_red")),
    Mutation("a pass is ended whatever failed", "state/pass_steps.py",
             '("forecast",), runs="any end", acts', '("forecast",), acts',
             "tests/engine/test_dag_is_pass.py::test_the_loop_the_steps_and_both_in_turn_end_alike"),
)  # fmt: skip
