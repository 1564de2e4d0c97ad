"""Rules of `mlspec.models`, and how each is broken."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.mutations.named_tests import BROKEN_MODEL, FORK_SERVER, OWN_CODE, OWN_METRIC, OWN_SESSION, OWN_TARGET

MUTATIONS = (
    Mutation("the code of a model leads out of the project by no link", "models/code.py",
             "if file is not None and not file.resolve().is_relative_to(root.resolve()):", "if False:", OWN_CODE),
    Mutation("the digest of a model's code covers what it imports", "models/code.py",
             "waiting += [found, *_parent_packages(root, found)]", "pass",
             OWN_CODE + "::test_it_is_the_file_and_what_that_imports_of_the_project"),
    Mutation("a model's process has no secret of the environment", "models/process.py",
             "if _ENVIRONMENT.fullmatch(name) and not _SECRET.search(name.upper())", "if True",
             BROKEN_MODEL + "::test_it_sees_no_secret_of_the_environment_and_no_other_file_of_the_project"),
    Mutation("a model that hangs is ended", "models/worker.py",
             'faulthandler.dump_traceback_later(job["seconds"], exit=True, file=trace)', "pass",
             BROKEN_MODEL + "::test_one_that_hangs_is_ended_and_named_with_its_line"),
    Mutation("what a model started ends with it", "models/fork_client.py",
             "            os.killpg(child, signal.SIGKILL)\n", "            pass\n",
             BROKEN_MODEL + "::test_what_it_starts_ends_with_it"),
    Mutation("a model's process is a fork of one with the environment of its time", "models/fork_client.py",
             "if server.start == start:", "if True:", FORK_SERVER + "::test_a_call_has_the_environment_of_its_time"),
    Mutation("a model's process has no socket of the server", "models/fork_server.py",
             "        control.close()\n", "        pass\n",
             FORK_SERVER + "::test_a_call_inherits_its_own_streams_and_no_other_descriptor"),
    Mutation("check-model fits twice in memory with other addresses", "jobs/model_check.py",
             "            end_idle_servers()\n", "            pass\n",
             OWN_SESSION + "::test_a_trial_says_what_is_wrong_and_fails"),
    Mutation("a package whose metric clashes with one of mlspec's own is refused", "models/package_metrics.py",
             "    if clashes:\n", "    if False:\n",
             OWN_METRIC + "::test_names_that_clash_or_have_another_form_are_refused_and_doctor_says_so"),
    Mutation("a package whose type of target clashes with one of mlspec's own is refused", "models/package_targets.py",
             "for name in own if name in built_in)", "for name in own if False)",
             OWN_TARGET + "::test_names_that_clash_or_have_another_form_are_refused_and_doctor_says_so"),
)  # fmt: skip
