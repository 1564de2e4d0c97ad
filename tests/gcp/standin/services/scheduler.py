"""Cloud Scheduler's jobs, over REST (v1); none is started by the clock."""

from __future__ import annotations

import re

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid, precondition
from tests.gcp.standin.rest import Request, Response, Route, answer

_HOST = "//cloudscheduler.googleapis.com"  # in its full name; Cloud Run's jobs have the same short names
_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")


def create_job(cloud: Cloud, request: Request) -> Response:
    """Make a job of a cron expression; whatever state the caller says, it is ENABLED."""
    given, parent = request.json(), request.path.removeprefix("/v1/").removesuffix("/jobs")
    name = given.get("name", "")
    if not name.startswith(f"{parent}/jobs/") or not _ID.fullmatch(name.rpartition("/")[2]):
        raise invalid("Job name must be formatted: projects/PROJECT/locations/LOCATION/jobs/JOB")
    if len(given.get("schedule", "").split()) != 5:
        raise invalid("Schedule or time zone is invalid.")
    if sum(key in given for key in ("httpTarget", "pubsubTarget", "appEngineHttpTarget")) != 1:
        raise invalid("A job has one target.")
    if f"{_HOST}/{name}" in cloud.resources:
        raise Refused("ALREADY_EXISTS", f"Job already exists: {name}")
    made = cloud.resources[f"{_HOST}/{name}"] = {"timeZone": "UTC", **given, "state": "ENABLED"}
    return answer(made)


def get_job(cloud: Cloud, request: Request) -> Response:
    """Return a job, with what its last attempt ended with where the settings say."""
    code = cloud.settings.schedule_code
    job = cloud.get(f"{_HOST}/{request.path.removeprefix('/v1/')}")
    return answer({**job, **({"status": {"code": code}} if code else {})})


def pause_job(cloud: Cloud, request: Request) -> Response:
    """Pause a job. Raises Refused where it is paused already."""
    job = cloud.get(f"{_HOST}/{request.path.removeprefix('/v1/').removesuffix(':pause')}")
    if job["state"] != "ENABLED":
        raise precondition("The job must be ENABLED to be paused.")
    job["state"] = "PAUSED"
    return answer(job)


_JOBS = "/v1/projects/{project}/locations/{location}/jobs"
ROUTES = [
    Route("POST", _JOBS, "cloudscheduler.jobs.create", create_job),
    Route("GET", f"{_JOBS}/{{job}}", "cloudscheduler.jobs.get", get_job),
    Route("POST", f"{_JOBS}/{{job}}:pause", "cloudscheduler.jobs.pause", pause_job),
]
