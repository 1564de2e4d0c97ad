"""Rules of the modules beside the packages, and of files outside of the package."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.mutations.named_tests import DAG

MUTATIONS = (
    Mutation("a fork obeys its own signals", "stop_signals.py",
             "    _deadlines.clear()\n    _waiting.clear()\n", "", "tests/test_stop_signals.py"),
    Mutation("a signal to stop is not raised while a compiled module is initialised", "stop_signals.py",
             "if not _would_be_lost(frame) or", "if True or",
             "tests/test_stop_signals.py::test_a_signal_while_a_compiled_module_is_initialised_is_raised_after_it"),
    Mutation("a compiled module that is initialised while it is made counts too", "stop_signals.py",
             "    ExtensionFileLoader.create_module.__code__,\n", "",
             "tests/test_stop_signals.py::test_a_signal_while_a_compiled_module_is_initialised_is_raised_after_it"),
    Mutation("a signal to stop does not wait for a library in Python", "stop_signals.py",
             "if frame.f_code in _LOSING:", 'if "importlib" in frame.f_code.co_filename:',
             "tests/test_stop_signals.py::test_a_signal_is_raised_at_once_while_a_module_in_python_is_imported"),
    Mutation("a compiled module that takes too long keeps no signal back", "stop_signals.py",
             "time.monotonic() >= deadline:", "False:",
             "tests/test_stop_signals.py::test_a_compiled_module_that_takes_too_long_stops_nobody_from_ending"),
    Mutation("a signal whose exception Python ignored is sent again", "stop_signals.py",
             "    _send_later(number, _deadlines.setdefault", "    str(_deadlines.setdefault",
             "tests/test_stop_signals.py::test_a_signal_whose_exception_python_ignores_is_raised_after_that"),
    Mutation("a signal that counts once counts when its exception reaches someone", "stop_signals.py",
             "    _obeyed.discard(number)\n", "",
             "tests/test_stop_signals.py::test_a_signal_that_counts_once_counts_when_its_exception_is_not_ignored"),
    Mutation("only signals to mlspec are sent again", "stop_signals.py",
             " or not is_ours:", ":",
             "tests/test_stop_signals.py::test_other_exceptions_that_python_ignores_are_still_said"),
    # --- the DAG ---
    Mutation("a task that is tried again starts no second execution", "../templates/airflow/dag.py.j2",
             'execution = CURRENT["execution"] or find_running(job, words)', 'execution = CURRENT["execution"]', DAG),
    Mutation("an execution that takes too long is cancelled", "../templates/airflow/dag.py.j2",
             '            cancel_execution(execution)\n            raise TimeoutError', "            raise TimeoutError", DAG),
    Mutation("Airflow retries only what may pass", "../templates/airflow/dag.py.j2",
             "if code in (FAILED, WRONG_CALL, NOT_WELL):", "if code == WRONG_CALL:",
             DAG + "::test_what_no_retry_mends_is_not"),
    Mutation("a task waits for the lock", "../templates/airflow/dag.py.j2",
             '    words += ["--lock-timeout", f"{LOCK_SECONDS}s"]\n', "", DAG),
    Mutation("what no retry mends has an exit code of its own", "errors.py",
             "return not isinstance(error, _PERMANENT)", "return True",
             "tests/cli/test_step_on_target.py::test_what_may_pass_exits_75_and_what_no_retry_mends_exits_1"),
    # --- input that nobody trusts ---
    Mutation("a temporary folder that a process uses stays", "temporary_folder.py",
             "    except OSError:\n        return False\n    finally:\n",
             "    except OSError:\n        return True\n    finally:\n",
             "tests/test_temporary_folder.py::test_one_that_is_in_use_stays"),
    Mutation("a link below the project is refused before a write", "plain_files.py",
             "    if link is not None:\n        raise StateError(", "    if False:\n        raise StateError(",
             "tests/cli/test_links.py::test_a_link_in_place_of_anything_that_a_command_writes_changes_nothing_elsewhere "
             "tests/cli/test_links.py::test_a_state_folder_that_is_a_link_is_refused_by_every_command"),
    Mutation("a draft is a new file, whatever stands in its place", "plain_files.py",
             "    path.unlink(missing_ok=True)\n    return open(os.open(path, _NEW, mode), \"wb\")",
             "    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), \"wb\")",
             "tests/cli/test_links.py::test_a_link_in_place_of_anything_that_a_command_writes_changes_nothing_elsewhere"),
    Mutation("a file that is changed in place has one name", "plain_files.py",
             "if seen.st_nlink > 1:", "if False:", "tests/cli/test_links.py::test_a_file_that_is_changed_in_place_has_one_name"),
    Mutation("what mlspec stores is for its user alone", "plain_files.py",
             "PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600", "PRIVATE_FOLDER, PRIVATE_FILE = 0o777, 0o666",
             "tests/cli/test_links.py::test_state_and_data_are_for_their_user_alone"),
)  # fmt: skip
