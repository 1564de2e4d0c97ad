"""The redeploy function: an alert arrives, and what serves gives way now, not at the reconcile loop's next turn.

Pub/Sub pushes two kinds of messages here: incidents of Cloud Monitoring, and what DAGs and the loop publish themselves. Both
only say where to look. What follows is decided from the forecast's record and from what its endpoint counted, by the loop's own
code (mlspec, which travels with this file), under the forecast's lock. So a message that comes twice, late, out of order or
forged does no harm. Then the loop's job is started for that forecast: it makes the forecasts anew and tells people, and it
decides where something has to be measured first. An answer that takes long (a version has to be deployed first) is not waited
for with that: should this instance end, the job finds the lock free and goes on.

Answers: 204 for what was dealt with, and for what no second delivery would make better (it is logged as a warning); 500 where the
loop could not be started, so that Pub/Sub delivers again and, after ten times, puts the message among the dead letters. Who may
call at all, Cloud Run decides by the caller's token.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor, wait

import functions_framework

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
LOOP = "mlspec-reconcile"
SELECTORS = {"new", "modified"}  # words of --select; a forecast of that name would be taken for one
MOST = 256 * 1024  # a message that is larger is not one of ours
QUICK = 20.0  # seconds for an answer before the loop's job is started beside it
PATIENCE = "10m"  # that the job waits for whoever works on the forecast, this function for one
# What needs nobody: an incident that is over, a run whose gate did its work.
QUIET = {"resolved", "closed", "gate-closed"}


class MalformedMessage(ValueError):
    """A message that is none: delivering it again would not help."""


@functions_framework.http
def on_alert(request):
    """Answer one push of Pub/Sub."""
    try:
        forecast, state = read_message(request.get_data(cache=False)[: MOST + 1])
    except MalformedMessage as error:
        write_log("WARNING", "not a message of ours", reason=str(error))
        return "", 204
    if state in QUIET:
        write_log("INFO", "nothing to do", forecast=forecast, state=state)
        return "", 204
    with ThreadPoolExecutor(1) as beside:
        answer = beside.submit(redeploy_forecast, forecast)
        wait([answer], timeout=QUICK)
        try:
            start_loop(forecast)
        except Exception as error:  # noqa: BLE001  (whatever it is, Pub/Sub shall deliver again)
            write_log("ERROR", "the loop could not be started", forecast=forecast, error=type(error).__name__)
            return "", 500
        write_log("NOTICE", "the loop looks at a forecast", forecast=forecast, state=state)
    return "", 204


def read_message(body: bytes) -> tuple[str, str]:
    """Return the forecast that a push is about, and the state that it tells. Raises Junk for anything else."""
    if len(body) > MOST:
        raise MalformedMessage("larger than any message of ours")
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
        return parse_name(labels.get("mlspec-forecast")), parse_word(as_mapping(incident).get("state"))
    return parse_name(value.get("forecast")), parse_word(value.get("event"))


def decode_json(text: bytes) -> object:
    """Return JSON's value. Raises Junk where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedMessage("not JSON") from None


def as_mapping(value: object) -> dict:
    """Return a JSON object. Raises Junk where it is none."""
    if not isinstance(value, dict):
        raise MalformedMessage("not of the shape of a message")
    return value


def parse_name(value: object) -> str:
    """Return a forecast's name; it becomes a word of a command. Raises Junk where it cannot be one."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise MalformedMessage("it names no forecast")
    return value


def parse_word(value: object) -> str:
    """Return a state or an event. Raises Junk where it is none."""
    if not isinstance(value, str) or not re.fullmatch(r"[a-z][a-z-]{0,40}", value):
        raise MalformedMessage("it says nothing that happened")
    return value


def redeploy_forecast(forecast: str) -> None:
    """Let what serves give way where it has to. What cannot be decided or done here is the loop's, which is started next."""
    try:
        from mlspec.cli.redeploy import redeploy as judge_what_serves
        from mlspec.spec.gcp.location import GcpLocation

        place = GcpLocation(os.environ["MLSPEC_TARGET"], os.environ["MLSPEC_PROJECT"], os.environ["MLSPEC_REGION"])
        outcome = judge_what_serves(place, forecast)
    except Exception as error:  # a defect here must not keep the loop asleep
        write_log("ERROR", "the alert could not be answered here", forecast=forecast, error=type(error).__name__)
        logging.getLogger("mlspec.redeploy").debug("why the alert could not be answered", exc_info=error)
        return
    for line in (*outcome.alert_changes, *outcome.actions):
        write_log("NOTICE", line, forecast=forecast)
    for line in outcome.waits:
        write_log("INFO", line, forecast=forecast)
    if outcome.error:
        write_log("WARNING", "the alert could not be answered here", forecast=forecast, error=outcome.error.message)


def start_loop(forecast: str) -> None:
    """Start the reconcile job for one forecast, or for all where none can be selected by that name; does not wait for it."""
    from google.cloud import run_v2

    parent = f"projects/{os.environ['MLSPEC_PROJECT']}/locations/{os.environ['MLSPEC_REGION']}"
    words = ["reconcile", "--once", "--yes", "--lock-timeout", PATIENCE, "--target", os.environ["MLSPEC_TARGET"]]
    if forecast not in SELECTORS:
        words += ["--select", forecast]
    overrides = {"container_overrides": [{"args": words}]}
    jobs_client().run_job(request=run_v2.RunJobRequest(name=f"{parent}/jobs/{LOOP}", overrides=overrides), timeout=60)


def jobs_client():
    """Return the client of Cloud Run's jobs; made per call, because an instance handles one call at a time and sleeps between."""
    from google.cloud import run_v2

    return run_v2.JobsClient()


def write_log(severity: str, message: str, **fields: str) -> None:
    """Write one line of structured log, in the form of mlspec's own (`mlspec/cli/log_setup.py`), which may not be loaded yet."""
    print(json.dumps({"severity": severity, "message": message, "mlspec": fields}), flush=True)
