"""The four effects of applying one forecast: read the data, judge a model, deploy it, make the forecast.

Each runs the steps it needs, asks `plan` what follows, and settles once. What one effect learns the next one reads from the
target, not from memory, so that a run which starts in the middle does the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.engine.context import Engine
from mlspec.engine.pipeline import run_step
from mlspec.errors import DataError, GateClosed, StateError
from mlspec.plan import desired
from mlspec.plan.desired import Wanted
from mlspec.plan.gate import Evidence, Verdict, passes
from mlspec.plan.gate import judge as judge_rules
from mlspec.state.observed import FiledStep, Seen, Settlement
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.resource import Json, Kind, digest

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
        """Record one effect whole."""
        self.engine.target.settle(settlement, self.engine.clock())
        self.settled += 1


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
    inputs = {**panel(work), **_inputs(tested.files, "backtest")}
    return run_step(
        work.engine, work.wanted, "train", inputs, {"candidate": tested.facts["champion_candidate"]}
    ).outputs


def panel(work: Work) -> dict[str, FileRef]:
    """Return the files of the data that was checked last; none where none was."""
    return _inputs(_seen(work, "data"), "panel", "series", "future")


def judge(work: Work) -> None:
    """Backtest, judge by the gate, and train what passes. Raises GateClosed, with the version recorded, if the gate says no.

    A version that was judged before, with the same lineage, keeps its verdict: what was rejected is not tried again until spec,
    data or code change, and what passed comes back at once when a spec is set back.
    """
    at = work.engine.clock()
    lineage = _lineage(work)
    name = f"v{digest({'forecast': work.name, **lineage}, 10)}"
    known = _record(work, name)
    if known is None:
        work.version = _backtest(work, name, lineage, serving_candidate(work))
    else:
        _heal(work, known)
        work.version = known
    _settle_version(work, work.version, at)
    if work.version.state == "rejected":
        raise GateClosed(f"{work.name}: the gate kept {name} out")


def _heal(work: Work, version: Version) -> None:
    """Make the lost files of a known version again: the same input, what it was held against included, gives the same bytes."""
    if _whole(work, version):
        return
    _backtest(work, version.version, version.lineage, version.facts["incumbent"])
    if not _whole(work, version):
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


def _whole(work: Work, version: Version) -> bool:
    try:
        for ref in version.files.values():
            work.engine.target.path(ref)
    except StateError:
        return False
    return True


def deploy(work: Work) -> None:
    """Let the judged version serve all series, under a new release."""
    at = work.engine.clock()
    version = _judged(work)
    number = max((found.release for found in work.engine.target.releases(work.name)), default=0) + 1
    work.release = Release(work.name, number, version.version, at, work.wanted.spec_hash, work.wanted.spec)
    serving = _serving(work, number, version, at)
    facts = {"release": number, "version": version.version, "traffic": {version.version: 100}}
    work.settle(
        Settlement(
            work.name,
            seen=Seen(desired.deployment(work.wanted, version.version), facts, _inputs(version.files, "model")),
            release=work.release,
            events=(Event(work.name, at, "Normal", "Deployed", serving.message, version.version),),
            conditions=(serving,),
        )
    )


def forecast(work: Work) -> None:
    """Make the forecast, and the stock levels where the spec asks for them."""
    wanted, at = work.wanted, work.engine.clock()
    observed = work.engine.target.observe(work.name)
    version, checked = _judged(work), observed.seen["data"].files
    backtest = _inputs(version.files, "backtest")
    inputs = {**_inputs(checked, "panel", "series", "future"), **backtest, **_inputs(version.files, "model")}
    made = run_step(work.engine, wanted, "forecast", inputs, {"version": version.version})
    files, facts = dict(made.outputs), dict(made.facts)
    if wanted.spec["inventory"]:
        inputs = {**_inputs(checked, "panel", "series", "future"), **backtest, **_inputs(made.outputs, "forecast")}
        stock = run_step(work.engine, wanted, "inventory", inputs, {})
        files |= stock.outputs
        facts["inventory"] = dict(stock.facts)
    work.run = ForecastRun(work.name, version.version, wanted.source.digest, facts["cutoff"], at, files, facts)
    message = f"{facts['rows']:,} rows for {facts['start']} to {facts['end']}, by {version.version}"
    work.settle(
        Settlement(
            work.name,
            seen=Seen(desired.forecast(wanted, version.version), facts, files),
            run=work.run,
            events=(Event(work.name, at, "Normal", "ForecastMade", message, version.version),),
            conditions=(_serving(work, observed.fact("deployment", "release"), version, at), *_unjudged(work, at)),
        )
    )


def _unjudged(work: Work, at: str) -> tuple[Condition, ...]:
    """Return that health is not known, where it was judged before: a new forecast is not what the old evidence is about."""
    if not any(found.type == "Healthy" for found in work.engine.target.conditions(work.name)):
        return ()
    return (Condition(work.name, "Healthy", "Unknown", "NotEvaluated", "the newest forecast is not evaluated yet", at),)


def _serving(work: Work, release: int, version: Version, at: str) -> Condition:
    message = f"release {release}: {version.version} ({version.candidate}) serves 100 % of series"
    return Condition(work.name, "Deployed", "True", "Serving", message, at)


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
    serves = work.engine.target.observe(work.name).fact("deployment", "version")
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
    serves = work.engine.target.observe(work.name).fact("deployment", "version")
    versions = work.engine.target.versions(work.name)
    return next((found.facts["champion_candidate"] for found in versions if found.version == serves), None)


def _judged(work: Work) -> Version:
    """Return the version that the model resource names, from the records."""
    name = work.engine.target.observe(work.name).fact("model", "version")
    found = _record(work, name)
    if found is None:
        raise StateError(
            f"{work.name}: the state names {name} and holds no record of it",
            hint="restore the state file from a backup",
        )
    return found


def _record(work: Work, name: str) -> Version | None:
    return next((found for found in work.engine.target.versions(work.name) if found.version == name), None)


def _seen(work: Work, kind: Kind) -> Mapping[str, FileRef]:
    found = work.engine.target.observe(work.name).seen.get(kind)
    return found.files if found else {}


def _inputs(files: Mapping[str, FileRef], *roles: str) -> dict[str, FileRef]:
    """Return the files of these roles; one that a spec does not ask for (`future`) is not there."""
    return {role: files[role] for role in roles if role in files}
