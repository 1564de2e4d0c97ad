"""A check-up of a place on Google Cloud: each thing that forecasts need, and whether it is there. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from mlspec.errors import MissingExtra, TargetError
from mlspec.spec.place import Place
from mlspec.state.finding import CloudNeeds, Finding
from mlspec.targets.gcp import allowed, standing
from mlspec.targets.gcp.asking import SIGN_IN, Asking


def check_up(place: Place, needs: CloudNeeds, image: str | None) -> Iterator[Finding]:
    """Yield what is found, in the order in which it is to be mended; without a login nothing else can be asked."""
    try:
        asking = Asking(place)
    except MissingExtra as error:
        yield Finding("account", "Google Cloud", "unknown", error.message, error.hint or "")
        return
    except TargetError as error:
        absent = "DefaultCredentialsError" in error.message
        yield Finding("account", "login", "missing" if absent else "unknown", error.message, error.hint or SIGN_IN)
        yield Finding("account", "all else in the project", "unknown", "nothing can be asked without a login", SIGN_IN)
        return
    with closing(asking):
        yield Finding("account", "login", "ok", asking.member.partition(":")[0])
        yield from _of_project(asking, needs)
        yield from _of_things(asking, needs, image)


def _of_project(asking: Asking, needs: CloudNeeds) -> Iterator[Finding]:
    yield from allowed.apis(asking, needs.apis)
    for grant in needs.grants:
        yield allowed.grant(asking, grant)
    for quota in needs.quotas:
        yield allowed.quota(asking, quota)


def _of_things(asking: Asking, needs: CloudNeeds, image: str | None) -> Iterator[Finding]:
    for bucket in needs.platform_buckets:
        yield standing.bucket(asking, bucket)
    yield standing.key(asking)
    yield standing.image(asking, image)
    yield standing.composer(asking, needs.airflow)
    for topic in needs.topics:
        yield standing.topic(asking, topic)
    for secret in needs.secrets:
        yield standing.secret(asking, secret)
