"""Moves what serves: a version takes over, by steps or at once; gives way to an earlier one; or to the fallback.

Each move is one settlement: release, deployment, ledger, events and notices are recorded together, so that traffic sums to 100
whenever a run dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlspec.engine.effects import Work, files_of, heal, known, make_version, serving_condition, whole
from mlspec.plan import desired
from mlspec.plan.notices import pending, rolled_back
from mlspec.plan.rollout import ALL, ROLLOUT, Shift, shares, split
from mlspec.plan.serving import kept, shape, stable, traffic
from mlspec.state.ledger import Hold, Ledger, Quarantine, RolledBack, Rollout
from mlspec.state.notice import Notice, Pending
from mlspec.state.observed import Observed, Seen, Settlement
from mlspec.state.record import Event, Release, Version
from mlspec.state.resource import Json


def deploy(work: Work) -> None:
    """Let the version that shall serve take over: at once where nothing serves or the spec says so, else by the first step."""
    observed = work.engine.target.observe(work.name)
    held = kept(observed, work.wanted.spec_hash)
    name = held.version if held else observed.fact("model", "version")
    version = known(work, str(name))
    if not whole(work, version):
        heal(work, version)
    if _only_damaged(work, observed, version):
        mend(work, observed)
        return
    before, at = stable(observed), work.engine.clock()
    steps = shares(work.wanted.spec["deployment"]["rollout"])
    rollout = None
    number = next_release(work)
    if before and before != version.version and steps[0] < ALL:
        was = observed.ledger.rollout
        stood = was.stable_release if was else observed.fact("deployment", "release")
        rollout = Rollout(version.version, number, before, stood, 0, at, at)
    shared = split(version.version, before or version.version, steps[0] if rollout else ALL)
    hold = observed.ledger.hold if held else None
    _take_over(work, observed, version, number, shared, replace(observed.ledger, rollout=rollout, hold=hold))


def mend(work: Work, observed: Observed) -> None:
    """Put what serves back to what is recorded, where somebody or something moved it; no new release, for nothing new is wanted."""
    found, at = observed.seen["deployment"], work.engine.clock()
    event = Event(work.name, at, "Warning", "DriftMended", f"{found.damage}; put back", str(found.facts["version"]))
    _settle(work, observed, dict(traffic(observed)), observed.ledger, (event,), ())


def _only_damaged(work: Work, observed: Observed, version: Version) -> bool:
    """Return whether what is recorded is what is wanted, and only what stands is otherwise."""
    found = observed.seen.get("deployment")
    wanted = desired.deployment(work.wanted, version.version)
    return bool(found and found.damage and dict(found.resource.fields) == dict(wanted.fields))


def shift(work: Work, observed: Observed, step: Shift) -> None:
    """Take a rollout one step on. At 100 % it is over, and the version that came in is the one that serves."""
    at, rollout = work.engine.clock(), observed.ledger.rollout
    if rollout is None:
        return
    done = step.percent == ALL
    moved = None if done else replace(rollout, step=rollout.step + 1, since=at)
    shared = split(rollout.version, rollout.stable_version, step.percent)
    reason, word = ("RolledOut", "serves everything") if done else ("RolloutStep", f"serves {step.percent} %")
    event = Event(work.name, at, "Normal", reason, f"{rollout.version} {word}: {step.why}", rollout.version)
    _settle(work, observed, shared, replace(observed.ledger, rollout=moved), (event,), ())


def give_back(work: Work, observed: Observed, why: str) -> None:
    """End a rollout that failed: all traffic goes back to the version before, and the new one is kept out."""
    at, rollout = work.engine.clock(), observed.ledger.rollout
    if rollout is None:
        return
    ledger = replace(
        _without(observed.ledger, rollout.version, why, at),
        rollout=None,
        rollbacks=(*observed.ledger.rollbacks, RolledBack(at, rollout.version, rollout.stable_version, ROLLOUT)),
    )
    said = f"{rollout.version} gives back its traffic to {rollout.stable_version}: {why}"
    notice = rolled_back(work.wanted.spec, rollout.version, said, at)
    event = Event(work.name, at, "Warning", "RolloutAborted", said, rollout.version)
    version = known(work, rollout.stable_version)
    _take_over(work, observed, version, next_release(work), {version.version: ALL}, ledger, (event,), (notice,))


def roll_back(work: Work, version: Version, ledger: Ledger, said: str, *, reason: str = "RolledBack") -> None:
    """Give all traffic to `version` under a new release, with the ledger as the decision left it."""
    at, observed = work.engine.clock(), work.engine.target.observe(work.name)
    serves = str(stable(observed))
    notice = rolled_back(work.wanted.spec, serves, said, at)
    event = Event(work.name, at, "Warning", reason, said, serves)
    _take_over(work, observed, version, next_release(work), {version.version: ALL}, ledger, (event,), (notice,))


def fallback(work: Work) -> Version:
    """Return the version that falls back, made now where it was never made: the seasonal-naive floor, which needs no gate."""
    return make_version(falling_back(work))


def falling_back(work: Work) -> Work:
    """Return the same work for the fallback: one candidate, and nothing to hold it against."""
    spec = dict(work.wanted.spec)
    candidate = {"kind": spec["rollback"]["fallback"], "name": None, "season": None}
    spec["model"] = {**spec["model"], "candidates": [candidate], "gate": []}
    return replace(work, wanted=replace(work.wanted, spec=spec, waiting={}))


def hold(work: Work, observed: Observed, by: str, reason: str, ledger: Ledger, notices: Sequence[Notice] = ()) -> None:
    """Hold the release that serves until a person resumes, or the spec changes."""
    at = work.engine.clock()
    held = Hold(
        observed.fact("deployment", "release"),
        str(observed.fact("deployment", "version")),
        by,
        reason,
        at,
        work.wanted.spec_hash,
    )
    event = Event(work.name, at, "Warning", "Held", f"release {held.release} is held by {by}: {reason}", held.version)
    work.settle(
        Settlement(work.name, events=(event,), ledger=replace(ledger, hold=held), notices=_pending(work, notices))
    )


def quarantined(ledger: Ledger, version: str, reason: str, at: str) -> Ledger:
    """Return the ledger with a version that is never promoted again."""
    return _without(ledger, version, reason, at)


def next_release(work: Work) -> int:
    """Return the number of the next release."""
    return max((found.release for found in work.engine.target.releases(work.name)), default=0) + 1


def _without(ledger: Ledger, version: str, reason: str, at: str) -> Ledger:
    if version in ledger.bad:
        return ledger
    return replace(ledger, quarantined=(*ledger.quarantined, Quarantine(version, reason, at)))


def _take_over(
    work: Work,
    observed: Observed,
    version: Version,
    number: int,
    traffic: dict[str, int],
    ledger: Ledger,
    events: Sequence[Event] = (),
    notices: Sequence[Notice] = (),
) -> None:
    """Settle a new release of a version with its traffic."""
    at, wanted = work.engine.clock(), work.wanted
    # Another release of the version that serves is no new version: since when it serves stays as it is.
    since = observed.fact("deployment", "since") if observed.fact("deployment", "version") == version.version else None
    work.release = Release(work.name, number, version.version, at, wanted.spec_hash, wanted.spec)
    facts: dict[str, Json] = {
        "release": number, "version": version.version, "traffic": traffic, "shape": shape(wanted.spec),
        "since": since or at,
    }  # fmt: skip
    resource = desired.deployment(wanted, version.version)
    seen = Seen(resource, facts, files_of(version.files, "model"))
    now = replace(observed, seen={**observed.seen, "deployment": seen})
    serving = {name: version if name == version.version else known(work, name) for name in traffic}
    condition = serving_condition(now, serving, at)
    work.engine.target.route(work.name, wanted.spec, traffic, version.version, serving)
    deployed = Event(work.name, at, "Normal", "Deployed", condition.message, version.version)
    work.settle(
        Settlement(
            work.name,
            seen=seen,
            version=version,
            release=work.release,
            events=(*events, deployed),
            conditions=(condition,),
            ledger=replace(ledger, spec=wanted.spec_hash),
            notices=_pending(work, notices),
        )
    )


def _settle(
    work: Work,
    observed: Observed,
    traffic: dict[str, int],
    ledger: Ledger,
    events: Sequence[Event],
    notices: Sequence[Notice],
) -> None:
    """Settle other traffic under the same release."""
    found = observed.seen["deployment"]
    seen = replace(found, facts={**found.facts, "traffic": traffic})
    now = replace(observed, seen={**observed.seen, "deployment": seen})
    serving = {name: known(work, name) for name in traffic}
    condition = serving_condition(now, serving, work.engine.clock())
    work.engine.target.route(work.name, work.wanted.spec, traffic, str(found.facts["version"]), serving)
    work.settle(
        Settlement(
                work.name, seen=seen, events=tuple(events), conditions=(condition,), ledger=ledger,
            notices=_pending(work, notices),
        )
    )  # fmt: skip


def _pending(work: Work, notices: Sequence[Notice]) -> tuple[Pending, ...]:
    return pending(work.wanted.spec, notices, work.engine.clock())
