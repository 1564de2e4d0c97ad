"""Rules of `mlspec.jobs`, and how each is broken."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.mutations.named_tests import EVIDENCE, OWN_MODEL

MUTATIONS = (
    Mutation("what a version in quarantine served counts no more", "jobs/evaluate.py",
             'served[~served[VERSION].isin(request.options.get("quarantined") or ())]', "served", EVIDENCE),
    Mutation("forecasts stand in the order in which they were made", "jobs/evaluate.py",
             "if role.startswith(prefix)), reverse=True\n", "if role.startswith(prefix))\n",
             EVIDENCE + "::test_of_two_forecasts_with_one_cutoff_the_later_one_served"),
    Mutation("a backfill sees no row after its moment", "jobs/moment.py",
             "if frequency.period_end(period) <= moment), None)", "), None)",
             "tests/jobs/test_past_forecast.py::test_a_forecast_and_its_stock_as_of_a_past_moment_use_no_row_of_a_later_period"),
    Mutation("no version is blamed for the zeros of a series that ended", "jobs/evaluate.py",
             "frame = frame[frame[METHOD] != BY_END].drop(columns=METHOD)", "frame = frame.drop(columns=METHOD)",
             "tests/jobs/test_ended_series.py::test_zeros_are_never_scored_also_if_the_series_comes_back"),
    Mutation("a step that runs out of memory is told so", "jobs/memory_bound.py",
             "    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))\n", "",
             "tests/forecast/test_source_memory.py::test_a_step_that_takes_more_than_is_free_fails_and_is_not_killed"),
    Mutation("a Ray of this machine listens to this machine alone", "jobs/ray_cluster.py",
             "    ray_constants.ENABLE_RAY_CLUSTER = False", "    pass",
             "tests/jobs/test_cluster.py::test_a_ray_of_this_machine_listens_to_this_machine_alone_and_asks_for_a_token"),
    Mutation("a training that is stopped leaves no process behind", "jobs/tree_process.py",
             "        with suppress(ProcessLookupError):\n            self.process.kill()\n", "",
             "tests/jobs/test_tree_process.py::test_a_signal_to_the_step_leaves_no_process_behind"),
    Mutation("trees are fitted by several threads in no fork", "jobs/process_workers.py",
             "TrainingPeer(open_rows=self._tree_process.open_rows, is_here=True)", "TrainingPeer(is_here=True)",
             "tests/jobs/test_tree_process.py::test_the_workers_of_a_step_fit_trees_by_all_their_processors"),
    Mutation("a step reads a panel in parts one part at a time", "jobs/parted_panel.py",
             "    if len(parts) < 2 or spec.training.engine is not None or spec.dataset.hierarchy is not None:\n", "    if True:\n",
             "tests/jobs/test_parted_panel.py::test_a_step_never_reads_all_parts_at_once"),
    Mutation("a share that fails leaves no process behind", "jobs/process_workers.py",
             "                forked.kill()\n", "                pass\n",
             "tests/jobs/test_process_workers.py::test_a_signal_to_the_step_leaves_no_process_behind"),
    Mutation("it is trained only with the code that was judged", "jobs/model_code.py",
             "    if digest not in codes:\n", "    digest = next(iter(codes))\n    if False:\n",
             OWN_MODEL + "::test_it_is_trained_only_with_the_code_that_was_judged"),
    Mutation("terms that no order can have break the data contract", "jobs/check.py",
             "results.append(judge_series_terms(terms, spec.inventory, evidence.spans.active, layout.horizon))", "pass",
             "tests/jobs/test_series_terms.py::test_a_table_and_columns_of_the_history_give_each_series_its_terms"),
    Mutation("the facts of a part that knew other periods than all parts have are not used", "jobs/evidence.py",
             "if grid is not None and grid.is_same(guess):", "if grid is not None:",
             "tests/jobs/test_check_in_parts.py::test_parts_change_no_byte"),
)  # fmt: skip
