"""Rules of `mlspec.spec`, and how each is broken."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.mutations.named_tests import DIGEST, OWN_TARGET, UPGRADE

MUTATIONS = (
    Mutation("a key that is new in the language changes no digest while it has its default", "spec/digest.py",
             "if rule.later and value[key] == rule.default:", "if False:", f"{DIGEST} {UPGRADE}"),
    Mutation("what a user says is part of the digest", "spec/digest.py",
             "if rule.later and value[key] == rule.default:", "if rule.later:", DIGEST),
    Mutation("an empty value that a user gives is a value", "spec/digest.py",
             "if later and written == empty), written)", "if False), written)", DIGEST),
    Mutation("a link has no character that a chat reads as markup", "spec/fields.py", "(/[A-Za-z0-9._~%/+-]*)?$", "(/.*)?$",
             "tests/spec/test_project.py::test_an_address_that_no_page_can_have_is_refused"),
    Mutation("a list of errors has an end", "spec/load.py",
             "limit_faults(sorted(set(faults), key=fault_order))", "tuple(sorted(set(faults), key=fault_order))",
             "tests/cli/test_validate.py::test_a_file_with_thousands_of_errors_shows_the_first_and_says_how_many_more"),
    Mutation("a database on another machine is asked for TLS", "spec/checks/database.py",
             'words.get("sslmode") not in ENCRYPTING', "False", "tests/spec/test_project.py"),
    Mutation("settings of a package hold no value of a key that names a secret", "spec/package_settings.py",
             'if inner not in (None, "") and is_secret_key(str(key)):', "if False:",
             OWN_TARGET + "::test_a_secret_in_the_settings_of_a_package_is_refused_by_every_command_and_not_shown"),
    Mutation("no line that a fault shows has the value of a key that names a secret", "spec/document.py",
             "redact_line(line)", "redact_secrets(line)",
             OWN_TARGET + "::test_a_secret_in_the_settings_of_a_package_is_refused_by_every_command_and_not_shown"),
    Mutation("a private endpoint has no alert on its requests", "spec/checks/deployment.py",
             'if metric_kind(alert.metric) == "serving":', "if False:", "tests/spec/test_checks.py"),
    Mutation("auto leaves out what takes too long at a size", "spec/candidate_costs.py",
             "    return cost is not None and cost.backtest > most_seconds(candidate)\n", "    return False\n",
             "tests/plan/test_run_estimate.py"),
)  # fmt: skip
