"""Checks the loop: its job and the job's last execution, the schedule, and the subscription by which alerts reach the function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlspec.state.finding import Finding
from mlspec.targets.gcp.doctor.probe import PLATFORM, TIMEOUT, GoogleProbe, get_job, run_check
from mlspec.targets.gcp.jobs.loop_job import LOOP_JOB

_SUBSCRIPTION = "mlspec-alerts-push"


def check_loop(probe: GoogleProbe) -> Iterator[Finding]:
    """Yield what starts forecasts by itself, and whether it did so well last time."""
    yield _check_execution(probe)
    yield _check_schedule(probe)
    yield _check_subscription(probe)


def _check_execution(probe: GoogleProbe) -> Finding:
    place = probe.place
    start = f"gcloud run jobs execute {LOOP_JOB} --region={place.region} --project={place.project}"
    look = f"mlspec status --target {place.target}"

    def check() -> Finding:
        job = get_job(probe, LOOP_JOB)
        if job.terminal_condition.state.name == "CONDITION_FAILED":
            return Finding(
                "loop", "last execution", "missing", f"the job cannot run: {job.terminal_condition.message}", start
            )
        newest = job.latest_created_execution.name.rpartition("/")[2]
        if not newest:
            return Finding("loop", "last execution", "missing", f"the job {LOOP_JOB} has never run", start)
        execution = probe.clients.executions.get_execution(
            name=f"{job.name}/executions/{newest}", retry=None, timeout=TIMEOUT
        )
        if execution.failed_count or execution.cancelled_count:
            ended = "failed" if execution.failed_count else "was cancelled"
            return Finding("loop", "last execution", "missing", f"{newest} {ended}", f"{look} && {start}")
        return Finding(
            "loop", "last execution", "ok", f"{newest} {'succeeded' if execution.completion_time else 'runs'}"
        )

    return run_check("loop", "last execution", check, PLATFORM)


def _check_schedule(probe: GoogleProbe) -> Finding:
    """Without a schedule DAGs, alerts and hand-overs alone start the loop: that is a choice, so it is no miss."""
    from google.api_core.exceptions import NotFound

    place = probe.place
    where = f"{LOOP_JOB} --location={place.region} --project={place.project}"
    url = f"https://cloudscheduler.googleapis.com/v1/projects/{place.project}/locations/{place.region}/jobs/{LOOP_JOB}"

    def check() -> Finding:
        try:
            job: Any = probe.get_json(url)
        except NotFound:
            said = "none (`reconcile_schedule`): what outlasts an execution waits for a DAG, an alert or a hand-over"
            return Finding("loop", "schedule", "ok", said)
        if job["state"] != "ENABLED":
            mend = f"gcloud scheduler jobs resume {where}"
            return Finding(
                "loop", "schedule", "missing", f"it is {job['state']}", mend if job["state"] == "PAUSED" else PLATFORM
            )
        if job.get("status", {}).get("code"):  # of the last attempt, as google.rpc.Code; 0 is well
            said = f"its last attempt failed: {job['status'].get('message') or 'code ' + str(job['status']['code'])}"
            return Finding("loop", "schedule", "missing", said, f"{PLATFORM} && gcloud scheduler jobs run {where}")
        return Finding("loop", "schedule", "ok", f"{job['schedule']} ({job['timeZone']})")

    return run_check("loop", "schedule", check, PLATFORM)


def _check_subscription(probe: GoogleProbe) -> Finding:
    place = probe.place

    def check() -> Finding:
        found: Any = probe.get_json(
            f"https://pubsub.googleapis.com/v1/projects/{place.project}/subscriptions/{_SUBSCRIPTION}"
        )
        problem = _subscription_problem(found, place.alerts_topic)
        if problem:
            return Finding("loop", f"subscription {_SUBSCRIPTION}", "missing", problem, PLATFORM)
        return Finding("loop", f"subscription {_SUBSCRIPTION}", "ok", "pushes alerts to the function")

    return run_check("loop", f"subscription {_SUBSCRIPTION}", check, PLATFORM)


def _subscription_problem(subscription: Any, topic: str) -> str:
    if subscription["topic"] != topic:  # `_deleted-topic_` where somebody deleted it
        return f"it is of {subscription['topic']}, not of {topic}"
    if not subscription.get("pushConfig", {}).get("pushEndpoint"):
        return "it pushes to nobody"
    if subscription.get("state") == "RESOURCE_ERROR":
        return "Pub/Sub cannot push: its state is RESOURCE_ERROR"
    return ""
