"""The redeploy function: handles an alert at once, without waiting for the reconcile loop's next pass.

Pub/Sub pushes two kinds of messages here: incidents of Cloud Monitoring, and messages of DAGs and the loop. A message only names
a forecast. mlspec's own code (it is deployed with this file) decides what to do, by the forecast's record and its endpoint's
request counts, under the forecast's lock. So a message that is repeated, late, out of order or forged does no harm. Then the
function starts the reconcile job for that forecast. The job updates the forecast, sends notices, and makes the decisions that need
a measurement first. If a rollback takes long (a version must be deployed first), the job is started beside it. If this instance
ends, the job finds the lock free and continues.

The job is started once an incident: the state bucket remembers for which messages it was. If that memory cannot be used, the job is
started all the same.

HTTP answers: 204 if the message was handled, or if another delivery would not help (logged as a warning). 500 if the reconcile job
could not be started, 503 if another instance is about to start it: Pub/Sub then delivers again and, after ten attempts, moves the
message to the dead letter topic. Cloud Run checks the caller's token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import os
import re
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import functions_framework

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
LOOP = "mlspec-reconcile"
SELECTORS = {"new", "modified"}  # keywords of --select, which a forecast's name must not be mistaken for
MOST = 256 * 1024  # bytes; every valid message is smaller
QUICK = 20.0  # seconds to handle the alert before the reconcile job is started beside it
PATIENCE = "10m"  # the job's wait for the forecast's lock, which this function may hold
# States without an action: a closed incident, a run whose gate rejected a version.
QUIET = {"resolved", "closed", "gate-closed"}


class MalformedMessage(ValueError):
    """The message is invalid, so another delivery would not help."""


@dataclass(frozen=True)
class Message:
    """A message: its forecast, its state or event, and a digest of what names its incident."""

    forecast: str
    state: str
    digest: str


@functions_framework.http
def on_alert(request):
    """Handle one push of Pub/Sub."""
    try:
        message = read_message(request.get_data(cache=False)[: MOST + 1])
    except MalformedMessage as error:
        write_log("WARNING", "invalid message", reason=str(error))
        return "", 204
    if message.state in QUIET:
        write_log("INFO", "nothing to do", forecast=message.forecast, state=message.state)
        return "", 204
    with ThreadPoolExecutor(2) as beside:
        answer = beside.submit(redeploy_forecast, message.forecast)
        claim = beside.submit(claim_start, message)
        wait([answer, claim], timeout=QUICK)
        return "", start_loop_once(message, claim)


def start_loop_once(message: Message, claiming: Future) -> int:
    """Start the reconcile job, if it was not started for this message. Return the status of the HTTP answer."""
    claim = claiming.result() if claiming.done() else None
    about = {"forecast": message.forecast, "state": message.state}
    if claim and claim.decision == "done":
        write_log("INFO", "the reconcile job was started for this incident before", **about)
        return 204
    if claim and claim.decision == "wait":
        write_log("INFO", "another instance is about to start the reconcile job for this incident", **about)
        return 503
    try:
        start_loop(message.forecast)
    except Exception as error:  # noqa: BLE001  (Pub/Sub delivers again after any error)
        write_log("ERROR", "the reconcile job could not be started", error=type(error).__name__, **about)
        remember(claim and claim.release, message)
        return 500
    write_log("NOTICE", "started the reconcile job for a forecast", **about)
    remember(claim and claim.confirm, message)
    return 204


def read_message(body: bytes) -> Message:
    """Return what a pushed message says. Raises MalformedMessage if it is invalid."""
    if len(body) > MOST:
        raise MalformedMessage("larger than any valid message")
    message = as_mapping(decode_json(body)).get("message")
    try:
        data = base64.b64decode(as_mapping(message).get("data") or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise MalformedMessage("its data is not base64") from None
    value = as_mapping(decode_json(data))
    incident = value.get("incident")
    if incident is not None:
        # cloud.google.com/monitoring/support/notification-options, "Schema structure", version 1.2
        labels = as_mapping(as_mapping(incident).get("policy_user_labels"))
        state = parse_word(as_mapping(incident).get("state"))
        # Monitoring repeats an incident's message, with other values in its texts.
        number = as_mapping(incident).get("incident_id")
        identity = json.dumps([number, state]).encode() if isinstance(number, str) and number else data
        return Message(parse_name(labels.get("mlspec-forecast")), state, digest_of(identity))
    return Message(parse_name(value.get("forecast")), parse_word(value.get("event")), digest_of(data))


def digest_of(identity: bytes) -> str:
    """Return a digest of what names an incident. It becomes a part of an object's name."""
    return hashlib.sha256(identity).hexdigest()


def decode_json(text: bytes) -> object:
    """Return the value of a JSON text. Raises MalformedMessage if it is invalid."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedMessage("not JSON") from None


def as_mapping(value: object) -> dict:
    """Return `value` as a JSON object. Raises MalformedMessage if it is not one."""
    if not isinstance(value, dict):
        raise MalformedMessage("not a JSON object where one is expected")
    return value


def parse_name(value: object) -> str:
    """Return a forecast's name, which becomes a command's argument. Raises MalformedMessage if it is invalid."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise MalformedMessage("no valid forecast name")
    return value


def parse_word(value: object) -> str:
    """Return a state or an event. Raises MalformedMessage if it is invalid."""
    if not isinstance(value, str) or not re.fullmatch(r"[a-z][a-z-]{0,40}", value):
        raise MalformedMessage("no valid state or event")
    return value


def location() -> Any:
    """Return where mlspec's target is."""
    from mlspec.spec.gcp.location import GcpLocation

    return GcpLocation(os.environ["MLSPEC_TARGET"], os.environ["MLSPEC_PROJECT"], os.environ["MLSPEC_REGION"])


def claim_start(message: Message) -> Any:
    """Return the claim on the start of the reconcile job; None if the memory cannot be used: then it is started."""
    try:
        from mlspec.cli.redeploy import claim_start as claim

        return claim(location(), message.forecast, message.digest)
    except Exception as error:  # noqa: BLE001  (rather one start too many than one too few)
        write_log(
            "WARNING", "the memory of alerts cannot be read", forecast=message.forecast, error=type(error).__name__
        )
        return None


def remember(note: Callable[[], None] | None, message: Message) -> None:
    """Confirm or release a claim. If that fails, it runs out by itself, and a replay starts the job once more."""
    try:
        if note:
            note()
    except Exception as error:  # noqa: BLE001  (the job is started)
        write_log(
            "WARNING", "the memory of alerts cannot be written", forecast=message.forecast, error=type(error).__name__
        )


def redeploy_forecast(forecast: str) -> None:
    """Roll back if the record says so. Other decisions are left to the reconcile job, which is started next."""
    try:
        from mlspec.cli.redeploy import redeploy as judge_what_serves

        outcome = judge_what_serves(location(), forecast)
    except Exception as error:  # an error here must not prevent the start of the reconcile job
        write_log("ERROR", "the alert could not be handled here", forecast=forecast, error=type(error).__name__)
        logging.getLogger("mlspec.redeploy").debug("the cause of the error", exc_info=error)
        return
    for line in (*outcome.alert_changes, *outcome.actions):
        write_log("NOTICE", line, forecast=forecast)
    for line in outcome.waits:
        write_log("INFO", line, forecast=forecast)
    if outcome.error:
        write_log("WARNING", "the alert could not be handled here", forecast=forecast, error=outcome.error.message)


def start_loop(forecast: str) -> None:
    """Start the reconcile job for one forecast, or for all if its name is a keyword of --select. Does not wait for the job."""
    from google.cloud import run_v2

    parent = f"projects/{os.environ['MLSPEC_PROJECT']}/locations/{os.environ['MLSPEC_REGION']}"
    words = ["reconcile", "--once", "--yes", "--lock-timeout", PATIENCE, "--target", os.environ["MLSPEC_TARGET"]]
    if forecast not in SELECTORS:
        words += ["--select", forecast]
    overrides = {"container_overrides": [{"args": words}]}
    jobs_client().run_job(request=run_v2.RunJobRequest(name=f"{parent}/jobs/{LOOP}", overrides=overrides), timeout=60)


def jobs_client():
    """Return a new client of Cloud Run's jobs. It is not cached, because an instance is suspended between two calls."""
    from google.cloud import run_v2

    return run_v2.JobsClient()


def write_log(severity: str, message: str, **fields: str) -> None:
    """Write one line of structured log, in mlspec's format (`mlspec/cli/log_setup.py`), without an import of mlspec.

    Several messages are answered at once. `print` writes the end of the line by itself, so that two lines could become one,
    which Cloud Logging takes for text without a severity.
    """
    sys.stdout.write(json.dumps({"severity": severity, "message": message, "mlspec": fields}) + "\n")
    sys.stdout.flush()
