"""Cloud Monitoring's notification channels, over REST (v3). None of them sends anything."""

from __future__ import annotations

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import invalid
from tests.gcp.standin.rest import Request, Response, Route, answer, page

# What a channel of a type has to say (cloud.google.com/monitoring/alerts/using-channels-api).
_LABELS = {"pubsub": "topic", "email": "email_address", "sms": "number"}


def create_channel(cloud: Cloud, request: Request) -> Response:
    """Make a channel. Whether it was verified, no caller says; an SMS has to be."""
    given, parent = request.json(), request.path.removeprefix("/v3/").removesuffix("/notificationChannels")
    if "verificationStatus" in given:
        raise invalid("Field verification_status may not be set.")
    if given.get("type") not in _LABELS:
        raise invalid(f"Unrecognized notification channel type: {given.get('type')}")
    label = _LABELS[given["type"]]
    if not given.get("labels", {}).get(label):
        raise invalid(f'Field "notification_channel.labels" is missing a required label: {label}')
    name = f"{parent}/notificationChannels/{cloud.next_id()}"
    status = {"verificationStatus": "UNVERIFIED"} if given["type"] == "sms" else {}
    made = cloud.resources[name] = {"enabled": True, **given, **status, "name": name}
    return answer(made)


def list_channels(cloud: Cloud, request: Request) -> Response:
    """Return a page of a project's channels."""
    prefix = f"{request.path.removeprefix('/v3/')}/"
    found, token = page([each for name, each in cloud.resources.items() if name.startswith(prefix)], request.query)
    return answer({"notificationChannels": found, **token})


def patch_channel(cloud: Cloud, request: Request) -> Response:
    """Change what is said of a channel."""
    channel = cloud.get(request.path.removeprefix("/v3/"))
    channel.update({key: value for key, value in request.json().items() if key not in ("name", "verificationStatus")})
    return answer(channel)


_CHANNELS = "/v3/projects/{project}/notificationChannels"
ROUTES = [
    Route("POST", _CHANNELS, "monitoring.notificationChannels.create", create_channel),
    Route("GET", _CHANNELS, "monitoring.notificationChannels.list", list_channels),
    Route("PATCH", f"{_CHANNELS}/{{channel}}", "monitoring.notificationChannels.patch", patch_channel),
]
