"""The effects of applying one forecast: read the data, judge a model, make the forecast. `engine.traffic` moves the traffic.

Each effect runs its steps, asks `plan` for the decision, and records once. The next effect uses the state that the target holds
after it (`work.observed`), so that a run which starts in the middle does the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlspec.engine.context import Engine
from mlspec.engine.pipeline import run_step
from mlspec.errors import DataError, GateClosed, StateError
from mlspec.plan import desired
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.gate import GateEvidence, RuleVerdict, all_rules_pass, judge_rules
from mlspec.plan.serving import observed_traffic, stable_version
from mlspec.state.observed import Observed, ObservedResource, Settlement, StoredStep
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.resource import Json, Kind, digest

logger = logging.getLogger(__name__)
# The facts of a backtest that are kept with the version.
_VERSION_FACTS = ("champion_candidate", "candidates", "by", "floor", "cutoffs", "interval", "auto", "notes")


_MAX_EXAMPLES = 3  # examples of a broken check in the error


@dataclass
class ForecastWork:
    """The work of applying one forecast. `version`, `release` and `run` are what this run made; `effect_count` counts its effects.

    `observed` is the observed state: read when the work begins, then updated by each settlement. No other run writes while this
    run holds the lock, so it is not read again.

    `written` is True once the state was written: from then on a signal stops a run part-way. `moment` is the scheduled moment
    that the run is for (RFC 3339); None for the present.
    """

    engine: Engine
    desired: DesiredForecast
    observed: Observed
    version: Version | None = None
    release: Release | None = None
    run: ForecastRun | None = None
    effect_count: int = 0
    written: bool = False
    moment: str | None = None

    @property
    def name(self) -> str:
        """The forecast's name."""
        return self.desired.name

    def record_settlement(self, settlement: Settlement) -> None:
        """Record one effect in one transaction, and log its events."""
        self.observed = self.engine.target.record_settlement(settlement, self.engine.clock())
        self.effect_count += 1
        for event in settlement.events:
            logger.info("%s: %s", event.reason, event.message, extra={"forecast": event.forecast})


def read_data(work: ForecastWork) -> None:
    """Check the data and store the panel. Raises DataError, with the broken checks and places, if the contract is broken."""
    at = work.engine.clock()
    filed = _run_check(work)
    facts = filed.facts
    message = f"{facts['rows']:,} rows, {facts['series']:,} series, {facts['start']} to {facts['cutoff']}"
    seen = ObservedResource(desired.data_resource(work.desired), dict(facts), filed.outputs)
    work.record_settlement(
        Settlement(
            work.name,
            resource=seen,
            events=(Event(work.name, at, "Normal", "DataChecked", message),),
            conditions=(Condition(work.name, "DataReady", "True", "ContractHolds", message, at),),
        )
    )


def check_again(work: ForecastWork) -> Mapping[str, Json]:
    """Check data that was read already, as of this run's moment. Raises DataError if it has become stale since."""
    facts = _run_check(work).facts
    return {name: facts[name] for name in ("rows", "series", "cutoff")}


def _run_check(work: ForecastWork) -> StoredStep:
    filed = run_step(work.engine, work.desired, "check", {}, {"now": work.moment or work.engine.clock()})
    if not filed.facts["ok"]:
        raise _contract_error(work, filed.facts)
    return filed


@dataclass(frozen=True)
class BacktestVerdict:
    """A backtest, and the gate's verdicts on it."""

    facts: Mapping[str, Json]
    files: Mapping[str, FileRef]
    verdicts: tuple[RuleVerdict, ...]


def run_backtest(work: ForecastWork, incumbent: Json) -> BacktestVerdict:
    """Run the backtest against `incumbent`, a candidate, and judge it by the gate; records nothing but the step's files."""
    filed = run_step(work.engine, work.desired, "backtest", panel_files(work), {"incumbent": incumbent})
    facts = filed.facts
    evidence = GateEvidence(facts["metrics"], facts["floor"], facts["incumbent"], facts["interval"], facts["deployed"])
    return BacktestVerdict(facts, filed.outputs, judge_rules(work.desired.spec.model.gate, evidence))


def train_champion(work: ForecastWork, tested: BacktestVerdict) -> Mapping[str, FileRef]:
    """Train the champion of the backtest, and return its file; records nothing else."""
    inputs = {**panel_files(work), **files_of(tested.files, "backtest")}
    return run_step(
        work.engine, work.desired, "train", inputs, {"candidate": tested.facts["champion_candidate"]}
    ).outputs


def panel_files(work: ForecastWork) -> dict[str, FileRef]:
    """Return the files of the data that was checked last; empty if none was."""
    return files_of(_observed_files(work, "data"), "panel", "series", "future")


def judge_model(work: ForecastWork) -> None:
    """Backtest, judge by the gate, and train what passes. Raises GateClosed, with the version recorded, if the gate rejects it.

    A version with the same lineage that was judged before keeps its verdict. A rejected version is not tried again until spec,
    data or code change. A passed version is used again at once when a spec is reverted.
    """
    at = work.engine.clock()
    work.version = make_version(work)
    _record_version(work, work.version, at)
    if work.version.state == "rejected":
        raise GateClosed(f"{work.name}: the gate kept {work.version.version} out")


def make_version(work: ForecastWork) -> Version:
    """Return the version of this spec, data and code: from the record, or backtested and trained now. Records nothing."""
    name = version_name(work.engine, work.desired)
    before = find_version(work, name)
    if before is None:
        return _backtest_version(work, name, _version_lineage(work.engine, work.desired), serving_candidate(work))
    restore_version_files(work, before)
    return before


def restore_version_files(work: ForecastWork, version: Version) -> None:
    """Make the lost files of a known version again: the same input, with the same incumbent, gives the same bytes."""
    if is_intact(work, version):
        return
    _backtest_version(work, version.version, version.lineage, version.facts["incumbent"])
    if not is_intact(work, version):
        raise StateError(
            f"{work.name}: the lost files of {version.version} cannot be made again as they were",
            hint="restore the target's folder from a backup, or change model.seed to train another version",
        )


def _backtest_version(work: ForecastWork, name: str, lineage: Mapping[str, Json], incumbent: Json) -> Version:
    tested = run_backtest(work, incumbent)
    facts, files, verdicts = tested.facts, dict(tested.files), tested.verdicts
    if all_rules_pass(verdicts):
        files |= train_champion(work, tested)
    return Version(
        forecast=work.name,
        version=name,
        created=work.engine.clock(),
        candidate=facts["champion"],
        metrics=facts["metrics"],
        lineage=lineage,
        state="passed" if all_rules_pass(verdicts) else "rejected",
        files=files,
        reasons=tuple(f"{verdict.outcome}: {verdict.sentence}" for verdict in verdicts),
        facts={**{key: facts[key] for key in _VERSION_FACTS}, "incumbent": incumbent},
    )


def version_name(engine: Engine, desired_forecast: DesiredForecast) -> str:
    """Return the name of the version of this spec, data and code."""
    return f"v{digest({'forecast': desired_forecast.name, **_version_lineage(engine, desired_forecast)}, 10)}"


def _version_lineage(engine: Engine, desired_forecast: DesiredForecast) -> dict[str, Json]:
    """Return everything that shapes a version. The version's name is its digest."""
    return {
        "data_version": desired_forecast.source.digest,
        "spec_hash": digest(desired_forecast.spec_fields("model")),
        "code_version": desired_forecast.code,
        "libraries": dict(engine.libraries),
        "seed": desired_forecast.spec.model.seed,
    }


def is_intact(work: ForecastWork, version: Version) -> bool:
    """Return whether every file of a version exists and is unchanged."""
    try:
        for ref in version.files.values():
            work.engine.target.fetch_file(work.name, ref)
    except StateError:
        return False
    return True


def intact_versions(work: ForecastWork, versions: Sequence[Version]) -> frozenset[str]:
    """Return the names of the versions whose files all exist and look undamaged. Fetches nothing."""
    lost = work.engine.target.find_damaged_files(
        work.name, {ref for version in versions for ref in version.files.values()}
    )
    return frozenset(version.version for version in versions if lost.isdisjoint(version.files.values()))


def make_forecast(work: ForecastWork) -> None:
    """Make the forecast, each series by the version that serves it, and the stock levels if the spec asks for them."""
    desired_forecast, at = work.desired, work.engine.clock()
    observed = work.observed
    checked = files_of(observed.resources["data"].files, "panel", "series", "future")
    shares = observed_traffic(observed)
    serving = {name: known_version(work, name) for name in shares}
    main = str(observed.find_fact("deployment", "version"))
    forecast_step = run_step(
        work.engine, desired_forecast, "forecast", {**checked, **_serving_files(serving)}, {"traffic": dict(shares)}
    )
    files, facts = dict(forecast_step.outputs), dict(forecast_step.facts)
    if desired_forecast.spec.inventory:
        inputs = {**checked, **files_of(serving[main].files, "backtest"), **files_of(forecast_step.outputs, "forecast")}
        stock = run_step(work.engine, desired_forecast, "inventory", inputs, {})
        files |= stock.outputs
        facts["inventory"] = dict(stock.facts)
    work.run = ForecastRun(work.name, main, desired_forecast.source.digest, facts["cutoff"], at, files, facts)
    work.engine.target.publish_forecast(work.name, desired_forecast.spec, work.run)
    message = f"{facts['rows']:,} rows for {facts['start']} to {facts['end']}, by {' and '.join(shares)}"
    resource = desired.forecast_resource(replace(desired_forecast, waiting={}), main, shares)
    work.record_settlement(
        Settlement(
            work.name,
            resource=ObservedResource(resource, facts, files),
            run=work.run,
            events=(Event(work.name, at, "Normal", "ForecastMade", message, main),),
            conditions=(serving_condition(observed, serving, at),),
        )
    )


def _serving_files(serving: Mapping[str, Version]) -> dict[str, FileRef]:
    """Return each serving version's model and backtest, under the version's name."""
    return {
        f"{role}-{name}": version.files[role] for name, version in serving.items() for role in ("model", "backtest")
    }


def serving_condition(observed: Observed, serving: Mapping[str, Version], at: str) -> Condition:
    """Return the condition Deployed with the release, the versions and their shares."""
    release, shares = observed.find_fact("deployment", "release"), observed_traffic(observed)
    parts = [
        f"{name} ({serving[name].candidate}) serves {share} % of series" for name, share in shares.items() if share
    ]
    return Condition(observed.forecast, "Deployed", "True", "Serving", f"release {release}: {' and '.join(parts)}", at)


def _contract_error(work: ForecastWork, facts: Mapping[str, Json]) -> DataError:
    broken = [check for check in facts["checks"] if not check["ok"]]
    text = "\n".join(["the data breaks its contract", *(line for check in broken for line in _check_lines(check))])
    serving = work.observed.find_fact("deployment", "version")
    kept = f"; {serving} keeps serving" if serving else ""
    return DataError(text, hint=f"correct the data, or dataset.checks in the spec{kept}")


def _check_lines(check: Mapping[str, Json]) -> list[str]:
    """Return a broken check's sentence, and its first examples."""
    return [f"  {check['check']}: {check['message']}", *(f"    {place}" for place in check["examples"][:_MAX_EXAMPLES])]


def _record_version(work: ForecastWork, version: Version, at: str) -> None:
    passed = version.state == "passed"
    serves = stable_version(work.observed)
    reason = "GatePassed" if passed else "GateClosed"
    message = (
        f"{version.version}: {version.candidate}, {'the gate lets it serve' if passed else 'the gate keeps it out'}"
    )
    conditions = [Condition(work.name, "ModelReady", "True" if passed or serves else "False", reason, message, at)]
    if not passed and not serves:
        none = "no version has passed the gate yet, so nothing serves"
        conditions.append(Condition(work.name, "Deployed", "False", "AwaitingFirstModel", none, at))
    facts = {
        "version": version.version,
        "state": version.state,
        "champion": version.candidate,
        "metrics": version.metrics,
    }
    work.record_settlement(
        Settlement(
            work.name,
            resource=ObservedResource(desired.model_resource(work.desired), facts, version.files),
            version=version,
            events=(Event(work.name, at, "Normal" if passed else "Warning", reason, message, version.version),),
            conditions=tuple(conditions),
        )
    )


def serving_candidate(work: ForecastWork) -> Json:
    """Return the candidate that serves now, to be scored on the same cutoffs; None if nothing serves."""
    serves = stable_version(work.observed)
    versions = work.engine.target.load_versions(work.name)
    return next((version.facts["champion_candidate"] for version in versions if version.version == serves), None)


def known_version(work: ForecastWork, name: str) -> Version:
    """Return the record of a version that the state names. Raises StateError if there is none."""
    version = find_version(work, name)
    if version is None:
        raise StateError(
            f"{work.name}: the state names version {name}, but its record is missing",
            hint="restore the state file from a backup",
        )
    return version


def find_version(work: ForecastWork, name: str) -> Version | None:
    """Return a version's record, or None."""
    return next((version for version in work.engine.target.load_versions(work.name) if version.version == name), None)


def _observed_files(work: ForecastWork, kind: Kind) -> Mapping[str, FileRef]:
    seen = work.observed.resources.get(kind)
    return seen.files if seen else {}


def files_of(files: Mapping[str, FileRef], *roles: str) -> dict[str, FileRef]:
    """Return the files of these roles. A role that the spec does not ask for (`future`) is left out."""
    return {role: files[role] for role in roles if role in files}
