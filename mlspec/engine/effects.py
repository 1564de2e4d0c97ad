"""The effects of applying one forecast: read the data, judge a model, make the forecast. What serves is moved in `moves`.

Each runs the steps it needs, asks `plan` what follows, and settles once. What one effect learns the next one reads from the
target, not from memory, so that a run which starts in the middle does the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlspec.engine.context import Engine
from mlspec.engine.pipeline import run_step
from mlspec.errors import DataError, GateClosed, StateError
from mlspec.plan import desired
from mlspec.plan.desired import Wanted
from mlspec.plan.gate import Evidence, Verdict, passes
from mlspec.plan.gate import judge as judge_rules
from mlspec.plan.serving import stable, traffic
from mlspec.state.observed import FiledStep, Observed, Seen, Settlement
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.resource import Json, Kind, digest

logger = logging.getLogger(__name__)
# What of a backtest's facts stays with the version.
_KEPT = ("champion_candidate", "candidates", "by", "floor", "cutoffs", "interval", "auto", "notes")


_PLACES = 3  # of a broken check are named


@dataclass
class Work:
    """One forecast being applied. `version`, `release` and `run` are what this run made; `settled` counts its effects.

    `written` says that the state was touched: from then on a signal stops a run part-way. `moment` is what a scheduled run is about
    (RFC 3339); the present, where nobody says.
    """

    engine: Engine
    wanted: Wanted
    version: Version | None = None
    release: Release | None = None
    run: ForecastRun | None = None
    settled: int = 0
    written: bool = False
    moment: str | None = None

    @property
    def name(self) -> str:
        """The forecast's name."""
        return self.wanted.name

    def settle(self, settlement: Settlement) -> None:
        """Record one effect whole. Its events are what was decided and done: each is logged."""
        self.engine.target.settle(settlement, self.engine.clock())
        self.settled += 1
        for event in settlement.events:
            logger.info("%s: %s", event.reason, event.message, extra={"forecast": event.forecast})


def read_data(work: Work) -> None:
    """Check the data and keep the panel. Raises DataError, with what broke where, if the contract is broken."""
    at = work.engine.clock()
    filed = _checked(work)
    facts = filed.facts
    message = f"{facts['rows']:,} rows, {facts['series']:,} series, {facts['start']} to {facts['cutoff']}"
    seen = Seen(desired.data(work.wanted), dict(facts), filed.outputs)
    work.settle(
        Settlement(
            work.name,
            seen=seen,
            events=(Event(work.name, at, "Normal", "DataChecked", message),),
            conditions=(Condition(work.name, "DataReady", "True", "ContractHolds", message, at),),
        )
    )


def check_again(work: Work) -> Mapping[str, Json]:
    """Check data that was read already, as of this run's moment. Raises DataError where it was fresh, and is stale now."""
    facts = _checked(work).facts
    return {name: facts[name] for name in ("rows", "series", "cutoff")}


def _checked(work: Work) -> FiledStep:
    filed = run_step(work.engine, work.wanted, "check", {}, {"now": work.moment or work.engine.clock()})
    if not filed.facts["ok"]:
        raise _broken(work, filed.facts)
    return filed


@dataclass(frozen=True)
class Tested:
    """A backtest, and what the gate says of it."""

    facts: Mapping[str, Json]
    files: Mapping[str, FileRef]
    verdicts: tuple[Verdict, ...]


def backtest(work: Work, incumbent: Json) -> Tested:
    """Run the backtest against `incumbent`, a candidate, and judge it by the gate; records nothing but the step's files."""
    found = run_step(work.engine, work.wanted, "backtest", panel(work), {"incumbent": incumbent})
    facts = found.facts
    evidence = Evidence(facts["metrics"], facts["floor"], facts["incumbent"], facts["interval"], facts["deployed"])
    return Tested(facts, found.outputs, judge_rules(work.wanted.spec["model"]["gate"], evidence))


def train(work: Work, tested: Tested) -> Mapping[str, FileRef]:
    """Train the champion of the backtest, and return its file; records nothing else."""
    inputs = {**panel(work), **files_of(tested.files, "backtest")}
    return run_step(
        work.engine, work.wanted, "train", inputs, {"candidate": tested.facts["champion_candidate"]}
    ).outputs


def panel(work: Work) -> dict[str, FileRef]:
    """Return the files of the data that was checked last; none where none was."""
    return files_of(_seen(work, "data"), "panel", "series", "future")


def judge(work: Work) -> None:
    """Backtest, judge by the gate, and train what passes. Raises GateClosed, with the version recorded, if the gate says no.

    A version that was judged before, with the same lineage, keeps its verdict: what was rejected is not tried again until spec,
    data or code change, and what passed comes back at once when a spec is set back.
    """
    at = work.engine.clock()
    work.version = make_version(work)
    _settle_version(work, work.version, at)
    if work.version.state == "rejected":
        raise GateClosed(f"{work.name}: the gate kept {work.version.version} out")


def make_version(work: Work) -> Version:
    """Return the version of this spec, data and code: as it was judged before, or backtested and trained now. Records none."""
    name = version_name(work)
    before = record(work, name)
    if before is None:
        return _backtest(work, name, _lineage(work), serving_candidate(work))
    heal(work, before)
    return before


def heal(work: Work, version: Version) -> None:
    """Make the lost files of a known version again: the same input, what it was held against included, gives the same bytes."""
    if whole(work, version):
        return
    _backtest(work, version.version, version.lineage, version.facts["incumbent"])
    if not whole(work, version):
        raise StateError(
            f"{work.name}: the lost files of {version.version} cannot be made again as they were",
            hint="restore the target's folder from a backup, or change model.seed to train another version",
        )


def _backtest(work: Work, name: str, lineage: Mapping[str, Json], incumbent: Json) -> Version:
    tested = backtest(work, incumbent)
    facts, files, verdicts = tested.facts, dict(tested.files), tested.verdicts
    if passes(verdicts):
        files |= train(work, tested)
    return Version(
        forecast=work.name,
        version=name,
        created=work.engine.clock(),
        candidate=facts["champion"],
        metrics=facts["metrics"],
        lineage=lineage,
        state="passed" if passes(verdicts) else "rejected",
        files=files,
        reasons=tuple(f"{verdict.outcome}: {verdict.sentence}" for verdict in verdicts),
        facts={**{key: facts[key] for key in _KEPT}, "incumbent": incumbent},
    )


def version_name(work: Work) -> str:
    """Return the name that the version of this spec, data and code has."""
    return f"v{digest({'forecast': work.name, **_lineage(work)}, 10)}"


def _lineage(work: Work) -> dict[str, Json]:
    """Return all that shapes a version: its name is the digest of this."""
    wanted = work.wanted
    return {
        "data_version": wanted.source.digest,
        "spec_hash": digest(wanted.fields("model")),
        "code_version": wanted.code,
        "libraries": dict(work.engine.libraries),
        "seed": wanted.spec["model"]["seed"],
    }


def whole(work: Work, version: Version) -> bool:
    """Return whether every file of a version is there, and as it was stored."""
    try:
        for ref in version.files.values():
            work.engine.target.path(work.name, ref)
    except StateError:
        return False
    return True


def complete(work: Work, versions: Sequence[Version]) -> frozenset[str]:
    """Return the names of the versions all of whose files are there, as far as a look tells: nothing is fetched for it."""
    lost = work.engine.target.damaged(work.name, {ref for each in versions for ref in each.files.values()})
    return frozenset(each.version for each in versions if lost.isdisjoint(each.files.values()))


def forecast(work: Work) -> None:
    """Make the forecast by what serves, each series by its version, and the stock levels where the spec asks for them."""
    wanted, at = work.wanted, work.engine.clock()
    observed = work.engine.target.observe(work.name)
    checked = files_of(observed.seen["data"].files, "panel", "series", "future")
    shares = traffic(observed)
    serving = {name: known(work, name) for name in shares}
    main = str(observed.fact("deployment", "version"))
    made = run_step(work.engine, wanted, "forecast", {**checked, **_models(serving)}, {"traffic": dict(shares)})
    files, facts = dict(made.outputs), dict(made.facts)
    if wanted.spec["inventory"]:
        inputs = {**checked, **files_of(serving[main].files, "backtest"), **files_of(made.outputs, "forecast")}
        stock = run_step(work.engine, wanted, "inventory", inputs, {})
        files |= stock.outputs
        facts["inventory"] = dict(stock.facts)
    work.run = ForecastRun(work.name, main, wanted.source.digest, facts["cutoff"], at, files, facts)
    work.engine.target.publish(work.name, wanted.spec, work.run)
    message = f"{facts['rows']:,} rows for {facts['start']} to {facts['end']}, by {' and '.join(shares)}"
    resource = desired.forecast(replace(wanted, waiting={}), main, shares)
    work.settle(
        Settlement(
            work.name,
            seen=Seen(resource, facts, files),
            run=work.run,
            events=(Event(work.name, at, "Normal", "ForecastMade", message, main),),
            conditions=(serving_condition(observed, serving, at),),
        )
    )


def _models(serving: Mapping[str, Version]) -> dict[str, FileRef]:
    """Return each serving version's model and backtest, under the version's name."""
    return {
        f"{role}-{name}": version.files[role] for name, version in serving.items() for role in ("model", "backtest")
    }


def serving_condition(observed: Observed, serving: Mapping[str, Version], at: str) -> Condition:
    """Return that a forecast is deployed: which release, which version, which share."""
    release, shares = observed.fact("deployment", "release"), traffic(observed)
    parts = [
        f"{name} ({serving[name].candidate}) serves {share} % of series" for name, share in shares.items() if share
    ]
    return Condition(observed.forecast, "Deployed", "True", "Serving", f"release {release}: {' and '.join(parts)}", at)


def _broken(work: Work, facts: Mapping[str, Json]) -> DataError:
    broken = [check for check in facts["checks"] if not check["ok"]]
    said = "\n".join(["the data breaks its contract", *(line for check in broken for line in _told(check))])
    serving = work.engine.target.observe(work.name).fact("deployment", "version")
    kept = f"; {serving} keeps serving" if serving else ""
    return DataError(said, hint=f"correct the data, or dataset.checks in the spec{kept}")


def _told(check: Mapping[str, Json]) -> list[str]:
    """Return a broken check's sentence, and the first places where it broke."""
    return [f"  {check['check']}: {check['message']}", *(f"    {place}" for place in check["examples"][:_PLACES])]


def _settle_version(work: Work, version: Version, at: str) -> None:
    passed = version.state == "passed"
    serves = stable(work.engine.target.observe(work.name))
    reason = "GatePassed" if passed else "GateClosed"
    told = f"{version.version}: {version.candidate}, {'the gate lets it serve' if passed else 'the gate keeps it out'}"
    conditions = [Condition(work.name, "ModelReady", "True" if passed or serves else "False", reason, told, at)]
    if not passed and not serves:
        none = "no version has passed the gate yet, so nothing serves"
        conditions.append(Condition(work.name, "Deployed", "False", "AwaitingFirstModel", none, at))
    facts = {
        "version": version.version,
        "state": version.state,
        "champion": version.candidate,
        "metrics": version.metrics,
    }
    work.settle(
        Settlement(
            work.name,
            seen=Seen(desired.model(work.wanted), facts, version.files),
            version=version,
            events=(Event(work.name, at, "Normal" if passed else "Warning", reason, told, version.version),),
            conditions=tuple(conditions),
        )
    )


def serving_candidate(work: Work) -> Json:
    """Return the candidate that serves now, to be scored on the same cutoffs; None where nothing serves."""
    serves = stable(work.engine.target.observe(work.name))
    versions = work.engine.target.versions(work.name)
    return next((found.facts["champion_candidate"] for found in versions if found.version == serves), None)


def known(work: Work, name: str) -> Version:
    """Return a version that the state names, from the records."""
    found = record(work, name)
    if found is None:
        raise StateError(
            f"{work.name}: the state names {name} and holds no record of it",
            hint="restore the state file from a backup",
        )
    return found


def record(work: Work, name: str) -> Version | None:
    """Return a version's record, if there is one."""
    return next((found for found in work.engine.target.versions(work.name) if found.version == name), None)


def _seen(work: Work, kind: Kind) -> Mapping[str, FileRef]:
    found = work.engine.target.observe(work.name).seen.get(kind)
    return found.files if found else {}


def files_of(files: Mapping[str, FileRef], *roles: str) -> dict[str, FileRef]:
    """Return the files of these roles; one that a spec does not ask for (`future`) is not there."""
    return {role: files[role] for role in roles if role in files}
