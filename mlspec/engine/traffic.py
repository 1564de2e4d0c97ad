"""Moves traffic: a version takes over, by steps or at once, or an earlier version or the fallback replaces it.

Each move is recorded in one transaction: release, deployment, ledger, events and notices. So traffic sums to 100 even if a run
is killed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlspec.engine.effects import (
    ForecastWork,
    files_of,
    is_intact,
    known_version,
    make_version,
    restore_version_files,
    serving_condition,
)
from mlspec.engine.traffic_history import ledger_after_move
from mlspec.errors import WorkUnderWay
from mlspec.plan import desired
from mlspec.plan.alert_delivery import mark_discarded
from mlspec.plan.delivery import (
    discard_notice,
    discarded_event,
    leave_open,
    left_open_event,
    notices_without_receiver,
    split_unnamed,
)
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.notices import pending_notices, rollback_notice, rollout_notice
from mlspec.plan.releases import served_spec
from mlspec.plan.rollout import ALL, ROLLOUT, Shift, step_shares, traffic_split
from mlspec.plan.serving import find_promotion_block, observed_traffic, recorded_shape, spec_shape, stable_version
from mlspec.spec.candidates import SeasonalNaive
from mlspec.spec.digest import resolved_json, spec_digest
from mlspec.spec.metrics import MAIN, names_of_packages
from mlspec.state.ledger import Hold, Ledger, Quarantine, RolledBack, RolloutProgress
from mlspec.state.notice import Notice, PendingNotice
from mlspec.state.observed import Observed, ObservedResource, Settlement
from mlspec.state.record import Event, Release, Version
from mlspec.state.resource import Json, digest


def deploy_version(work: ForecastWork) -> None:
    """Let the desired version take over, or restore its traffic where that is all that is missing.

    It takes over at once if nothing serves or the spec says so, else with the rollout's first step. A rollout goes on where it is
    if the spec changed in other keys than those of the rollout. While the gate keeps a version out, what serves gets only the keys
    of the spec that no model depends on.
    """
    observed = work.observed
    promotion_block = find_promotion_block(observed, work.desired.spec_hash)
    name = promotion_block.version if promotion_block else observed.find_fact("model", "version")
    version = known_version(work, str(name))
    released = _released_state(work, version.version)
    if not is_intact(work, version):
        restore_version_files(replace(work, desired=released), version)
    if _is_only_damaged(released, observed, version):
        restore_traffic(work, observed)
        return
    before, at = stable_version(observed), work.engine.clock()
    steps = step_shares(work.desired.spec.deployment.rollout)
    rollout, under_way = None, observed.ledger.rollout
    number = next_release_number(work)
    hold = observed.ledger.hold if promotion_block else None
    if under_way and under_way.version == version.version and _has_same_rollout(work, observed):
        ledger = replace(observed.ledger, rollout=replace(under_way, release=number), hold=hold)
        _record_release(work, observed, version, number, dict(observed_traffic(observed)), ledger)
        return
    if before and before != version.version and steps[0] < ALL:
        stable_release = under_way.stable_release if under_way else observed.find_fact("deployment", "release")
        rollout = RolloutProgress(version.version, number, before, stable_release, 0, at, at)
    shared = traffic_split(version.version, before or version.version, steps[0] if rollout else ALL)
    events = _replaced_rollout_events(work, under_way, version.version, at)
    notices: tuple[Notice, ...] = ()
    if rollout:
        sentence = f"the rollout of {version.version} begins: it serves {steps[0]} %, {before} the rest"
        notices = (rollout_notice(work.desired.spec, version.version, sentence, at, done=False),)
    ledger = replace(observed.ledger, rollout=rollout, hold=hold)
    _record_release(work, observed, version, number, shared, ledger, events, notices)


def _replaced_rollout_events(
    work: ForecastWork, rollout: RolloutProgress | None, version: str, at: str
) -> tuple[Event, ...]:
    """Return an event if a version takes over from one in rollout, which so never serves everything."""
    if rollout is None or rollout.version == version:
        return ()
    successor = f"{version} serves again" if version == rollout.stable_version else f"{version} takes its place"
    sentence = (
        f"the rollout of {rollout.version} ended at step {rollout.step + 1}, before it served everything: {successor}"
    )
    return (Event(work.name, at, "Normal", "RolloutReplaced", sentence, rollout.version),)


def _released_state(work: ForecastWork, version: str) -> DesiredForecast:
    """Return the desired state that a release of a version is made under, and its traffic is routed under: the present one.

    While the gate keeps a newer version out, it is that of the newest release, with the present alerts, receivers and the like.
    But a version that was not released in that shape was chosen, or made, for the present spec.
    """
    if work.observed.find_fact("model", "state") != "rejected":
        return work.desired
    releases = work.engine.target.load_releases(work.name)
    shapes = {recorded_shape(release.spec) for release in releases if release.version == version}
    if not shapes:
        return work.desired
    spec = served_spec(releases[0], work.desired.spec)
    if spec_shape(spec) not in shapes:
        return work.desired
    return replace(work.desired, spec=spec, spec_hash=spec_digest(resolved_json(spec)))


def _has_same_rollout(work: ForecastWork, observed: Observed) -> bool:
    """Return whether the newest release was made under the same rules of how a version takes over."""
    recorded = observed.resources["deployment"].resource.fields
    wanted = work.desired.spec_fields("deployment")
    keys = {key for key in (*recorded, *wanted) if key.startswith(("deployment.rollout", "deployment.serve"))}
    return all(recorded.get(key) == wanted.get(key) for key in keys)


def restore_traffic(work: ForecastWork, observed: Observed) -> None:
    """Restore the recorded traffic, if something outside mlspec changed it. No new release: nothing new is desired.

    It is told when it begins: once a deployment is as it was, no pass sees that there was something to restore.
    """
    deployment, at = observed.resources["deployment"], work.engine.clock()
    event = Event(
        work.name, at, "Warning", "DriftMended", f"{deployment.damage}; restored", str(deployment.facts["version"])
    )
    untold = () if observed.ledger.under_way else (event,)
    try:
        _record_traffic(work, observed, dict(observed_traffic(observed)), observed.ledger, untold, ())
    except WorkUnderWay:
        if untold:
            work.record_settlement(Settlement(work.name, events=untold))
        raise


def deploy_forecast_data(work: ForecastWork) -> None:
    """Deploy what serves anew, with the data of the newest forecast. No new release: the same versions serve."""
    observed = work.observed
    version, traffic = str(observed.find_fact("deployment", "version")), dict(observed_traffic(observed))
    verb = "answers" if len(traffic) == 1 else "answer"
    message = f"{' and '.join(traffic)} {verb} from the data of the newest forecast"
    event = Event(work.name, work.engine.clock(), "Normal", "DataDeployed", message, version)
    _record_traffic(work, observed, traffic, observed.ledger, (event,), ())


def _is_only_damaged(released: DesiredForecast, observed: Observed, version: Version) -> bool:
    """Return whether the recorded deployment is the desired one and only the real one differs."""
    deployment = observed.resources.get("deployment")
    desired_resource = desired.deployment_resource(released, version.version)
    return bool(deployment and deployment.damage and dict(deployment.resource.fields) == dict(desired_resource.fields))


def advance_rollout(work: ForecastWork, observed: Observed, step: Shift) -> None:
    """Take a rollout to its next step. At 100 % the rollout is over and the new version serves alone."""
    at, rollout = work.engine.clock(), observed.ledger.rollout
    if rollout is None:
        return
    done = step.percent == ALL
    next_rollout = None if done else replace(rollout, step=rollout.step + 1, since=at)
    shared = traffic_split(rollout.version, rollout.stable_version, step.percent)
    reason, word = ("RolledOut", "serves everything") if done else ("RolloutStep", f"serves {step.percent} %")
    sentence = f"{rollout.version} {word}: {step.why}"
    event = Event(work.name, at, "Normal", reason, sentence, rollout.version)
    notice = rollout_notice(work.desired.spec, rollout.version, sentence, at, done=done)
    _record_traffic(work, observed, shared, replace(observed.ledger, rollout=next_rollout), (event,), (notice,))


def abort_rollout(work: ForecastWork, observed: Observed, why: str) -> None:
    """Abort a rollout: all traffic returns to the stable version, and the new version goes into quarantine."""
    at, rollout = work.engine.clock(), observed.ledger.rollout
    if rollout is None:
        return
    ledger = replace(
        _add_quarantine(observed.ledger, rollout.version, why, at),
        rollout=None,
        rollbacks=(*observed.ledger.rollbacks, RolledBack(at, rollout.version, rollout.stable_version, ROLLOUT)),
    )
    sentence = f"the rollout of {rollout.version} was aborted, {rollout.stable_version} serves: {why}"
    notice = rollback_notice(work.desired.spec, rollout.version, sentence, at)
    event = Event(work.name, at, "Warning", "RolloutAborted", sentence, rollout.version)
    version = known_version(work, rollout.stable_version)
    _record_release(
        work, observed, version, next_release_number(work), {version.version: ALL}, ledger, (event,), (notice,)
    )


def roll_back(
    work: ForecastWork, version: Version, ledger: Ledger, sentence: str, *, reason: str = "RolledBack"
) -> None:
    """Give all traffic to `version` under a new release, and record the ledger of the decision."""
    at, observed = work.engine.clock(), work.observed
    serves = str(stable_version(observed))
    notice = rollback_notice(work.desired.spec, serves, sentence, at)
    event = Event(work.name, at, "Warning", reason, sentence, serves)
    _record_release(
        work, observed, version, next_release_number(work), {version.version: ALL}, ledger, (event,), (notice,)
    )


def make_fallback(work: ForecastWork) -> Version:
    """Return the version of the fallback model (rollback.fallback), made now if it does not exist. It needs no gate."""
    return make_version(fallback_work(work))


def fallback_work(work: ForecastWork) -> ForecastWork:
    """Return the same work for the fallback: one candidate of mlspec's own, no gate, and no metric of a package, which may fail."""
    spec = work.desired.spec
    candidate = SeasonalNaive(kind=spec.rollback.fallback)
    backtest = spec.model.backtest
    if names_of_packages([backtest.metric]):
        backtest = backtest.model_copy(update={"metric": MAIN.name})
    model = spec.model.model_copy(update={"candidates": (candidate,), "gate": (), "backtest": backtest})
    fallback_spec = spec.model_copy(update={"model": model})
    return replace(work, desired=replace(work.desired, spec=fallback_spec, model_code={}, metric_code={}, waiting={}))


def fallback_versions(work: ForecastWork, versions: Sequence[Version]) -> frozenset[str]:
    """Return the names of the versions of the fallback model that the present spec has."""
    of_fallback = digest(fallback_work(work).desired.spec_fields("model"))
    return frozenset(version.version for version in versions if version.lineage.get("spec_hash") == of_fallback)


def hold_release(
    work: ForecastWork, observed: Observed, *, by: str, reason: str, ledger: Ledger, notices: Sequence[Notice] = ()
) -> None:
    """Hold the release that serves until `mlspec resume`, or until the spec changes."""
    at = work.engine.clock()
    new_hold = Hold(
        observed.find_fact("deployment", "release"),
        str(observed.find_fact("deployment", "version")),
        by,
        reason,
        at,
        work.desired.spec_hash,
    )
    event = Event(
        work.name, at, "Warning", "Held", f"release {new_hold.release} is held by {by}: {reason}", new_hold.version
    )
    work.record_settlement(
        Settlement(
            work.name, events=(event,), ledger=replace(ledger, hold=new_hold), notices=_pending_notices(work, notices)
        )
    )


def quarantine_version(ledger: Ledger, version: str, reason: str, at: str) -> Ledger:
    """Return the ledger with a version added to the quarantine: it is not promoted again."""
    return _add_quarantine(ledger, version, reason, at)


def next_release_number(work: ForecastWork) -> int:
    """Return the number of the next release."""
    return max((release.release for release in work.engine.target.load_releases(work.name)), default=0) + 1


def _add_quarantine(ledger: Ledger, version: str, reason: str, at: str) -> Ledger:
    if version in ledger.quarantined_versions:
        return ledger
    return replace(ledger, quarantined=(*ledger.quarantined, Quarantine(version, reason, at)))


def _record_release(
    work: ForecastWork,
    observed: Observed,
    version: Version,
    number: int,
    traffic: dict[str, int],
    ledger: Ledger,
    events: Sequence[Event] = (),
    notices: Sequence[Notice] = (),
) -> None:
    """Route the traffic, and record a new release of a version with it.

    Notices to receivers that are gone are discarded, but for the end of what stays open there: that is left to a person.
    """
    at, released = work.engine.clock(), _released_state(work, version.version)
    # A new release of the version that serves already does not change since when it serves.
    since = (
        observed.find_fact("deployment", "since")
        if observed.find_fact("deployment", "version") == version.version
        else None
    )
    document = resolved_json(released.spec)
    work.release = Release(work.name, number, version.version, at, released.spec_hash, document)
    facts: dict[str, Json] = {
        "release": number, "version": version.version, "traffic": traffic, "shape": spec_shape(released.spec),
        "since": since or at,
    }  # fmt: skip
    resource = desired.deployment_resource(released, version.version)
    seen = ObservedResource(resource, facts, files_of(version.files, "model"))
    next_observed = replace(observed, resources={**observed.resources, "deployment": seen})
    serving = {name: version if name == version.version else known_version(work, name) for name in traffic}
    condition = serving_condition(next_observed, serving, at)
    ledger = ledger_after_move(work.engine.target, work.name, ledger, traffic)
    undelivered = work.engine.target.load_undelivered_notices(work.name)
    unwanted, ends = split_unnamed(notices_without_receiver(undelivered, released.spec.notify))
    left_open = tuple(end for pending in ends if (end := leave_open(pending)) != pending)
    work.engine.target.route_traffic(work.name, released.spec, traffic, version.version, serving)
    deployed = Event(work.name, at, "Normal", "Deployed", condition.message, version.version)
    work.record_settlement(
        Settlement(
            work.name,
            resource=seen,
            version=version,
            release=work.release,
            events=(
                *events,
                deployed,
                *(discarded_event(pending, at) for pending in unwanted),
                *(left_open_event(pending, at) for pending in left_open),
            ),
            conditions=(condition,),
            ledger=replace(ledger, spec=work.desired.spec_hash, alerts=mark_discarded(ledger.alerts, unwanted)),
            notices=_pending_notices(work, notices),
            resent=left_open,
            discarded=tuple(discard_notice(pending, f"release {number}") for pending in unwanted),
        )
    )


def _record_traffic(
    work: ForecastWork,
    observed: Observed,
    traffic: dict[str, int],
    ledger: Ledger,
    events: Sequence[Event],
    notices: Sequence[Notice],
) -> None:
    """Route and record other traffic under the same release."""
    deployment = observed.resources["deployment"]
    seen = replace(deployment, facts={**deployment.facts, "traffic": traffic})
    next_observed = replace(observed, resources={**observed.resources, "deployment": seen})
    serving = {name: known_version(work, name) for name in traffic}
    condition = serving_condition(next_observed, serving, work.engine.clock())
    ledger = ledger_after_move(work.engine.target, work.name, ledger, traffic)
    main = str(deployment.facts["version"])
    work.engine.target.route_traffic(work.name, _released_state(work, main).spec, traffic, main, serving)
    work.record_settlement(
        Settlement(
                work.name, resource=seen, events=tuple(events), conditions=(condition,), ledger=ledger,
            notices=_pending_notices(work, notices),
        )
    )  # fmt: skip


def _pending_notices(work: ForecastWork, notices: Sequence[Notice]) -> tuple[PendingNotice, ...]:
    return pending_notices(work.desired.spec, notices, work.engine.clock())
