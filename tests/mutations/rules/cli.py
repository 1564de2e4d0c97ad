"""Rules of `mlspec.cli`, and how each is broken."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.mutations.named_tests import MARKDOWN

MUTATIONS = (
    Mutation("no record shows a secret that was read", "cli/log_setup.py",
             "return redact_secrets(without_known_secrets(text))", "return redact_secrets(text)", "tests/cli/test_log.py"),
    Mutation("actions need a token", "cli/commands/serve.py", "if allow_actions and not token_secret:", "if False:",
             "tests/web/test_actions.py::test_actions_need_a_token"),
    Mutation("a plan file cannot name another target than the build does", "cli/commands/apply.py",
             "if given and saved.plan.target != target:", "if False:",
             "tests/cli/test_plan_apply.py::test_a_saved_plan_is_for_the_target_that_a_build_names"),
    Mutation("a comment is never longer than the API takes", "cli/plan_markdown.py",
             "if _size(block.text) <= left:", "if True:", MARKDOWN),
    Mutation("a plan in groups leaves out nothing that is destroyed", "cli/plan_text.py",
             "if group.destroys or at < MOST_GROUPS", "if at < MOST_GROUPS",
             "tests/cli/test_plan_groups.py::test_what_is_destroyed_is_never_left_out"),
    Mutation("a forecast that is not ready is not counted as up to date", "cli/commands/reconcile.py",
             "unchanged_count += not result.not_ready", "unchanged_count += 1",
             "tests/cli/test_reconcile.py::test_a_state_file_that_another_program_has_locked_is_waited_for"),
    Mutation("a loop waits for a store that is away", "cli/commands/reconcile.py",
             "if not (outage.began or isinstance(error, UNREACHABLE)):", "if not outage.began:",
             "tests/cli/test_reconcile.py::test_a_loop_whose_store_is_away_waits_and_says_so_once"),
    Mutation("a rollback that fails when no page waits any more is recorded", "cli/action_process.py",
             "            _record_failure(words, str(problem))\n", "            pass\n",
             "tests/web/test_rollback_page.py::test_a_rollback_that_fails_after_it_was_accepted_is_on_the_page_of_its_forecast"),
    Mutation("a container with other libraries takes over nothing", "cli/far_step.py",
             "digest([key, CODE_VERSION, __version__, model_libraries()])", "key",
             "tests/gcp/test_step_in_container.py::"
             "test_what_is_kept_is_of_a_step_that_the_loop_started_and_of_the_container_s_own_libraries"),
)  # fmt: skip
