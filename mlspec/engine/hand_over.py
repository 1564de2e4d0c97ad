"""Hands the specs of a commit over to the loop: one hand-over at a time, and never an older commit after a newer one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mlspec.engine.context import Engine, Spec
from mlspec.errors import Refused, UsageError
from mlspec.plan.hand_over import changed_specs, why_outdated
from mlspec.targets.base import ContainerRuntime
from mlspec.targets.checkout import current_revision, is_ancestor

_SHOWN = 10  # forecasts that are named


@contextmanager
def hold_hand_over(engine: Engine, specs: Sequence[Spec], lock_timeout: float) -> Iterator[None]:
    """Begin the hand-over of the checkout's specs, and keep others out meanwhile, as a context manager.

    The commit is recorded before anything is changed: if this run then fails, a run for an older commit does not go on where it
    stopped, and a run for the same commit or a newer one does. Raises LockHeld after `lock_timeout` seconds, Refused if a newer
    commit was handed over, or if the image is one that was handed over with other specs: the loop would go on with those.
    """
    hand_over, root = find_containers(engine).hand_over, engine.root
    with hand_over.hold_lock(engine.clock(), lock_timeout):
        newest, own = hand_over.load_newest(), current_revision(root)
        outdated = why_outdated(newest, own, is_ancestor=is_ancestor(root, newest.commit) if newest else None)
        if outdated:
            raise Refused(
                f"{outdated}, which was handed over last: nothing was changed",
                hint="apply the newest commit of the branch; to go back to older specs, revert the commit",
            )
        digests = {spec.name: spec.spec_hash for spec in specs}
        changed = changed_specs(hand_over.load_image_specs(), digests)
        if changed:
            raise Refused(
                f"the image in TF_VAR_image holds an older spec of {', '.join(changed[:_SHOWN])}, "
                "and the loop works with the specs of its image: nothing was changed",
                hint="build and push an image of this commit, and name it in TF_VAR_image (MLSPEC_IMAGE of the workflows)",
            )
        if own is not None:
            hand_over.record_newest(own, digests)
        yield


def find_containers(engine: Engine) -> ContainerRuntime:
    """Return where the target's loop runs. Raises UsageError if it runs in no container."""
    if engine.target.containers is None:
        raise UsageError("--hand-over is for a target on Google Cloud", hint="leave it out")
    return engine.target.containers
