"""The tests that rules name often, by short names."""

from __future__ import annotations

ALERTS = "tests/plan/test_alerting.py"
OUTBOX = "tests/notify/test_deliver.py"
WEBHOOK = "tests/notify/test_webhook.py"
CHAT = "tests/notify/test_chat.py"
STATE = "tests/targets/test_migrate.py"
SIGNALS = "tests/cli/test_signals.py"
EVIDENCE = "tests/jobs/test_evaluate.py"
ANSWERS = "tests/engine/test_alert_handler.py"
DIGEST = "tests/spec/test_digest.py"
UPGRADE = "tests/upgrade/test_upgrade.py"
NUMBERS = "tests/jobs/test_code_version.py"
LINEAGE = "tests/upgrade/test_lineage.py"
PACKAGE = "tests/plan/test_package_source.py"
DAG = "tests/airflow/test_runner.py"
ACCESS = "tests/web/test_access.py"
ADMISSION = "tests/web/test_admission.py"
SLOW = "tests/web/test_slow_clients.py"
REDEPLOY = "tests/functions/test_redeploy.py"
TEMPLATES = "tests/engine/test_template_process.py"
SAVED = "tests/plan/test_saved.py"
MARKDOWN = "tests/cli/test_plan_markdown.py"
RETENTION = "tests/plan/test_retention.py"
PINNED = "tests/gcp/test_pinned_view.py"
PRIVATE = "tests/gcp/test_private_endpoint.py"
PRUNING = "tests/engine/test_prune.py"
REMOVAL = "tests/targets/contract/test_removal.py"
ROWS = "tests/jobs/test_row_meaning.py"
APPLY = "tests/engine/test_terraform_apply.py"
HAND_OVER = "tests/gcp/test_hand_over.py"
UNDER_WAY = "tests/engine/test_under_way.py"
OWN_METRIC = "tests/models/test_package_metrics.py"
OWN_TARGET = "tests/targets/test_package_targets.py"
OWN_CODE = "tests/models/test_model_code.py"
BROKEN_MODEL = "tests/models/test_broken_models.py"
FORK_SERVER = "tests/models/test_fork_server.py"
OWN_MODEL = "tests/models/test_custom_models.py"
PYTHON = "tests/api/test_plan_apply.py"
OWN_SESSION = "tests/models/test_session.py"


def loop(test: str) -> str:
    """One of the loop's stories."""
    return f"tests/engine/test_loop.py::test_{test}"


def rollback(test: str) -> str:
    """One of those about alerts, and a version that gives way."""
    return f"tests/engine/test_rollback.py::test_{test}"


def rollout(test: str) -> str:
    """One of those about a version that comes in, and people who say otherwise."""
    return f"tests/engine/test_rollouts.py::test_{test}"


def step(test: str) -> str:
    """One of those about the tasks of a DAG, each of which makes one step of a pass."""
    return f"tests/engine/test_steps.py::test_{test}"


def setback(test: str) -> str:
    """One of those about what fails or is missing."""
    return f"tests/engine/test_setbacks.py::test_{test}"


def crash(test: str) -> str:
    """One of the loop's passes that are killed, or made by many at once."""
    return f"tests/engine/test_reconcile_crash.py::test_{test}"
