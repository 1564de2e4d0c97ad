"""Queries Google once per check, with a short timeout and no retries, because a user waits; a failed query is a finding too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mlspec.errors import MissingExtra, TargetError
from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.finding import Finding
from mlspec.state.resource import Json
from mlspec.targets.gcp.clients import AGENT, SCOPE, Clients
from mlspec.targets.gcp.retry import explain_google_errors

TIMEOUT = 10.0  # seconds for one request
PLATFORM = "terraform -chdir=infra apply"
PROJECTS = "https://cloudresourcemanager.googleapis.com/v3/projects"
SIGN_IN = "gcloud auth application-default login"


class GoogleProbe:
    """Queries one project and region under one account: by Google's clients if mlspec has one, else by HTTP and JSON."""

    def __init__(self, place: GcpLocation) -> None:
        """Find and refresh Application Default Credentials. Raises TargetError or MissingExtra."""
        self.place, self.clients = place, Clients(place.project, place.region)
        try:
            import google.auth
            from google.auth.transport.requests import AuthorizedSession, Request
        except ModuleNotFoundError as error:
            raise MissingExtra(error.name or "google-auth", "gcp") from error
        with explain_google_errors("sign in to Google Cloud"):
            self._credentials, _ = google.auth.default([SCOPE])
            self._credentials.refresh(Request())
        self._session: Any = AuthorizedSession(self._credentials)
        self._session.headers["User-Agent"] = AGENT

    @property
    def member(self) -> str:
        """The account as an IAM member. Sometimes only gcloud knows the name of a user; then it is a shell command."""
        service = getattr(self._credentials, "service_account_email", None)
        person = getattr(self._credentials, "account", None)
        return f"serviceAccount:{service}" if service else f"user:{person or '$(gcloud config get-value account)'}"

    def get_json(self, url: str, **query: str) -> dict[str, Json]:
        """Return the JSON answer to a GET request. Raises Google's own exceptions."""
        return self._request_json("GET", url, params=query)

    def post_json(self, url: str, body: Json) -> dict[str, Json]:
        """Return the JSON answer to a POST request. Raises Google's own exceptions."""
        return self._request_json("POST", url, json=body)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
        self.clients.close()

    def _request_json(self, method: str, url: str, **how: Any) -> dict[str, Json]:
        from google.api_core.exceptions import from_http_response

        response = self._session.request(method, url, timeout=TIMEOUT, **how)
        if not response.ok:
            raise from_http_response(response)
        value: dict[str, Json] = response.json()
        return value


def list_pages(probe: GoogleProbe, url: str, field: str, **query: str) -> Iterator[Any]:
    """Yield the items of all pages of a list. Raises Google's own exceptions."""
    while True:
        page: Any = probe.get_json(url, **query)
        yield from page.get(field, ())
        if not page.get("nextPageToken"):
            return
        query["pageToken"] = page["nextPageToken"]


def get_job(probe: GoogleProbe, name: str) -> Any:
    """Return one of Cloud Run's jobs. Raises Google's own exceptions."""
    place = probe.place
    full = f"projects/{place.project}/locations/{place.region}/jobs/{name}"
    return probe.clients.jobs.get_job(name=full, retry=None, timeout=TIMEOUT)


def run_check(area: str, name: str, check: Callable[[], Finding], absent: str) -> Finding:
    """Run a check and return its finding. NotFound is `missing`, with the fix `absent`; another error is `unknown`."""
    from google.api_core.exceptions import NotFound

    try:
        with explain_google_errors("look"):
            return check()
    except NotFound:
        return Finding(area, name, "missing", "it does not exist", absent)
    except TargetError as error:
        return unknown_finding(area, name, error)


def unknown_finding(area: str, name: str, error: TargetError) -> Finding:
    """Return the finding for a failed check, with the reason."""
    return Finding(area, name, "unknown", error.message.removeprefix("cannot look: "), error.hint or "")
