"""What is handed over to the loop on Google Cloud: the image with a commit's specs, and which commit that was."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from mlspec.errors import StateError, UsageError
from mlspec.state.revision import Revision
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.cloud_run import JobExecutions
from mlspec.targets.gcp.jobs.loop_job import LOOP_JOB, LoopJob
from mlspec.targets.gcp.record.bucket import NEW, Bucket
from mlspec.targets.gcp.record.lease import Lease, hold_lease

_LEASE, _NEWEST = "hand-over/lease", "hand-over/newest.json"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_WHAT = "the hand-over of specs"
_PATIENCE = "10m"  # how long the loop waits for a forecast on which a run with the image before works


class GcpHandOver:
    """Hand-overs to the loop of one target. They are recorded in the bucket of the state."""

    def __init__(self, clients: Clients, state: Bucket, target: str) -> None:
        self._clients, self._state, self._target = clients, state, target
        self._lease: Lease | None = None

    @contextmanager
    def hold_lock(self, since: str, timeout: float) -> Iterator[None]:
        """Lock hand-overs over all machines."""
        _build_image()
        lease = hold_lease(
            self._state,
            name=_LEASE,
            forecast=_WHAT,
            operation="apply --hand-over",
            since=since,
            timeout=timeout,
            fence=lambda: None,
        )
        with lease as self._lease:
            yield
        self._lease = None

    def load_newest(self) -> Revision | None:
        """Return the commit whose hand-over began last; None before the first."""
        content = self._state.read_object(_NEWEST)
        if content is None:
            return None
        with suppress(ValueError, KeyError, TypeError):
            value = json.loads(content[0])
            if _COMMIT.fullmatch(value["commit"]):
                return Revision(value["commit"], str(value["committed_at"]))
        raise StateError(
            f"{self._state.address_of(_NEWEST)} cannot be read",
            hint="restore an earlier generation of this object, or remove it if no older build runs",
        )

    def load_image_specs(self) -> Mapping[str, str]:
        """Return the specs of this build's image, if it was handed over last. What a tag names may have changed since."""
        content = self._state.read_object(_NEWEST)
        image = _build_image()
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            value = json.loads(content[0]) if content else {}
            if value["image"] == image and "@sha256:" in image:
                return {str(name): str(digest) for name, digest in value["specs"].items()}
        return {}

    def record_newest(self, revision: Revision, specs: Mapping[str, str]) -> None:
        """Record the commit whose hand-over begins, its image, and the specs in it."""
        held = {**self.load_image_specs(), **specs}
        stored = self._state.find_object(_NEWEST)
        value = {
            "commit": revision.commit,
            "committed_at": revision.committed_at,
            "image": _build_image(),
            "specs": dict(sorted(held.items())),
        }
        self._state.write_object(_NEWEST, json.dumps(value).encode(), stored.generation if stored else NEW)

    def start_loop(self, names: Sequence[str]) -> None:
        """Give the loop's job this build's image, and start it for these forecasts, under its own account."""
        if self._lease is not None:
            self._lease.confirm(_WHAT)
        LoopJob(self._clients).set_image(_build_image())
        chosen = [word for name in names for word in ("--select", name)]
        JobExecutions(self._clients, LOOP_JOB).start_job(
            ["reconcile", "--once", "--yes", "--lock-timeout", _PATIENCE, "--target", self._target, *chosen]
        )


def _build_image() -> str:
    """Return the image that holds the specs. Raises UsageError if it is not named, as the loop would work with older specs."""
    image = os.environ.get("TF_VAR_image")  # noqa: SIM112  (terraform requires this name)
    if not image:
        raise UsageError(
            "the image that holds these specs is not named, and the loop works with the specs of its image",
            hint="export TF_VAR_image=REGION-docker.pkg.dev/PROJECT/mlspec/step@sha256:…, as the build pushed it",
        )
    return image
