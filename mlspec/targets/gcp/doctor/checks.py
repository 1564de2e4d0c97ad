"""A check-up of a place on Google Cloud: each thing that forecasts need, and whether it is there. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from mlspec.errors import MissingExtra, TargetError
from mlspec.spec.gcp.location import Place
from mlspec.state.finding import CloudNeeds, Finding
from mlspec.targets.gcp.doctor import permissions, resources
from mlspec.targets.gcp.doctor.probe import SIGN_IN, Asking


def check_up(place: Place, needs: CloudNeeds, image: str | None) -> Iterator[Finding]:
    """Yield what is found, in the order in which it is to be mended; without a login nothing else can be asked."""
    try:
        asking = Asking(place)
    except MissingExtra as error:
        yield Finding("account", "Google Cloud", "unknown", error.message, error.hint or "")
        return
    except TargetError as error:
        absent = "DefaultCredentialsError" in error.message
        mend = SIGN_IN if absent else error.hint or ""
        yield Finding("account", "login", "missing" if absent else "unknown", error.message, mend)
        yield Finding("account", "all else in the project", "unknown", "nothing can be asked without a login")
        return
    with closing(asking):
        yield Finding("account", "login", "ok", asking.member.partition(":")[0])
        yield from permissions.apis(asking, needs.apis)
        yield from _standing(asking, needs, image)
        yield from (permissions.grant(asking, each) for each in needs.grants)
        yield from (permissions.quota(asking, each) for each in needs.quotas)
        yield from (resources.topic(asking, each) for each in needs.topics)
        yield from (resources.secret(asking, each) for each in needs.secrets)


def _standing(asking: Asking, needs: CloudNeeds, image: str | None) -> Iterator[Finding]:
    yield from (resources.bucket(asking, each) for each in needs.platform_buckets)
    yield resources.key(asking)
    yield resources.image(asking, image)
    yield resources.composer(asking, needs.airflow)
