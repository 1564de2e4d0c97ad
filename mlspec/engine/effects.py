"""The effects of applying one forecast: read the data, judge a model, make the forecast. `engine.traffic` moves the traffic.

Each effect runs its steps, asks `plan` for the decision, and records once. The next effect uses the state that the target holds
after it (`work.observed`), so that a run which starts in the middle does the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlspec.engine.context import Engine
from mlspec.engine.pipeline import is_step_stored, run_step
from mlspec.errors import DataError, GateClosed, StateError
from mlspec.plan import desired
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.gate import GateEvidence, RuleVerdict, all_rules_pass, judge_rules
from mlspec.plan.run_estimate import estimate_sentences, read_size
from mlspec.plan.run_moments import moment_facts
from mlspec.plan.series_fates import fate_sentences
from mlspec.plan.serving import observed_traffic, stable_version
from mlspec.processors import usable_processors
from mlspec.state.observed import Observed, ObservedResource, Settlement, StoredStep
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.resource import Json, Kind, digest
from mlspec.state.step import panel_parts

logger = logging.getLogger(__name__)
# The facts of a backtest that are kept with the version.
_VERSION_FACTS = ("champion_candidate", "candidates", "by", "floor", "cutoffs", "interval", "auto", "notes")
LEFT_OUT = "left_out"  # the fact of a backtest that has why candidates were left out, if any was
LEVEL_SCORES = "levels"  # the fact of a backtest that has the accuracy of each level, if there is a hierarchy


_LACKING = "restore the state from a backup, or change model.seed to train another version"
_MAX_EXAMPLES = 3  # examples of a broken check in the error


@dataclass
class ForecastWork:
    """The work of applying one forecast. `version`, `release` and `run` are what this run made; `effect_count` counts its effects.

    `observed` is the observed state: read when the work begins, then updated by each settlement. No other run writes while this
    run holds the lock, so it is not read again.

    `written` is True once the state was written: from then on a signal stops a run part-way. `moment` is the scheduled moment
    that the run is for (RFC 3339); None for the present. `step` is the step of the pass that works now; empty outside of a pass.
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
    step: str = ""

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
    filed = _run_check(work)
    at, facts = work.engine.clock(), filed.facts
    counts = f"{facts['rows']:,} rows, {facts['series']:,} series, {facts['start']} to {facts['cutoff']}"
    message = "; ".join((counts, *fate_sentences(facts)))
    seen = ObservedResource(desired.data_resource(work.desired), dict(facts), filed.outputs)
    work.record_settlement(
        Settlement(
            work.name,
            resource=seen,
            events=(Event(work.name, at, "Normal", "DataChecked", message),),
            conditions=(Condition(work.name, "DataReady", "True", "ContractHolds", message, at),),
        )
    )


def checked_fates(observed: Observed) -> tuple[str, ...]:
    """Return sentences on the series of the checked data that have no forecast, or a simple one."""
    return fate_sentences({key: observed.find_fact("data", key) for key in ("notes", "fates")})


def check_age(work: ForecastWork) -> None:
    """Check data that was read already. Raises DataError if it has become older than the contract allows."""
    _run_check(work)


def is_age_unchecked(work: ForecastWork) -> bool:
    """Return whether the contract limits the data's age, and the data was not checked today."""
    if work.desired.spec.dataset.checks.freshness is None:
        return False
    return not is_step_stored(work.engine, work.desired, "check", {}, {"now": work.engine.clock()})


def _run_check(work: ForecastWork) -> StoredStep:
    filed = run_step(work.engine, work.desired, "check", {}, {"now": work.engine.clock()})
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
    inputs = {**panel_files(work), **_incumbent_model(work, incumbent)}
    _tell_estimate(work)
    filed = run_step(work.engine, work.desired, "backtest", inputs, {"incumbent": incumbent})
    facts = filed.facts
    evidence = GateEvidence(
        facts["metrics"], facts["floor"], facts["incumbent"], facts["interval"], facts["deployed"],
        incumbent_broken=bool(facts.get("incumbent_broken")),
    )  # fmt: skip
    return BacktestVerdict(facts, filed.outputs, judge_rules(work.desired.spec.model.gate, evidence))


def _tell_estimate(work: ForecastWork) -> None:
    """Say about how long backtest and training take, and which candidates are left out, where that is worth a word."""
    checked, spec = read_size(work.observed.find_fact("data", "size")), work.desired.spec
    if checked is None:
        return
    processors = usable_processors() if work.engine.run_remote_step is None else None
    if sentences := estimate_sentences(spec, checked, processors):
        work.engine.tell(work.name, "estimate", 1, 1, "; ".join(sentences))


def _incumbent_model(work: ForecastWork, incumbent: Json) -> dict[str, FileRef]:
    """Return the model file of the version whose candidate is `incumbent`, where that has code: the project's may be newer."""
    if incumbent is None or not any(part.get("digest") for part in (incumbent, *incumbent.get("members", ()))):
        return {}
    versions = work.engine.target.load_versions(work.name)
    models = (
        version.files["model"]
        for version in versions
        if "model" in version.files and version.facts.get("champion_candidate") == incumbent
    )
    return {"incumbent": model} if (model := next(models, None)) else {}


def train_champion(work: ForecastWork, tested: BacktestVerdict) -> Mapping[str, FileRef]:
    """Train the champion of the backtest, and return its file; records nothing else."""
    inputs = {**panel_files(work), **files_of(tested.files, "backtest")}
    return run_step(
        work.engine, work.desired, "train", inputs, {"candidate": tested.facts["champion_candidate"]}
    ).outputs


def panel_files(work: ForecastWork) -> dict[str, FileRef]:
    """Return the files of the data that was checked last; empty if none was."""
    return checked_files(_observed_files(work, "data"))


def judge_model(work: ForecastWork) -> None:
    """Backtest, judge by the gate, and train what passes. Raises GateClosed, with the version recorded, if the gate rejects it.

    A version with the same lineage that was judged before keeps its verdict. A rejected version is not tried again until spec,
    data or code change. A passed version is used again at once when a spec is reverted.
    """
    work.version = make_version(work)
    _record_version(work, work.version)
    if work.version.state == "rejected":
        raise GateClosed(f"the gate kept {work.version.version} out")


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
    _backtest_version(work, version.version, version.lineage, recorded_fact(version, "incumbent"))
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
        facts={
            **{key: facts[key] for key in _VERSION_FACTS},
            **{key: facts[key] for key in (LEFT_OUT, LEVEL_SCORES) if key in facts},
            "incumbent": incumbent,
        },
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
        **({"model_code": dict(desired_forecast.model_code)} if desired_forecast.model_code else {}),
        **({"metric_code": desired_forecast.judging_code} if desired_forecast.judging_code else {}),
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
    desired_forecast, observed = work.desired, work.observed
    checked = checked_files(observed.resources["data"].files)
    shares = observed_traffic(observed)
    serving = {name: known_version(work, name) for name in shares}
    main = str(observed.find_fact("deployment", "version"))
    forecast_step = run_step(
        work.engine, desired_forecast, "forecast", {**checked, **_serving_files(serving)}, {"traffic": dict(shares)}
    )
    files, facts = dict(forecast_step.outputs), dict(forecast_step.facts)
    if stock := compute_stock(work, serving[main], forecast_step.outputs, {}):
        files |= stock.outputs
        facts["inventory"] = dict(stock.facts)
    at = work.engine.clock()
    facts |= moment_facts(work.moment, at)
    work.run = ForecastRun(work.name, main, desired_forecast.source.digest, facts["cutoff"], at, files, facts)
    work.engine.target.publish_forecast(work.name, desired_forecast.spec, work.run)
    message = f"{facts['rows']:,} rows for {facts['start']} to {facts['end']}, by {' and '.join(shares)}"
    resource = desired.forecast_resource(replace(desired_forecast, waiting={}), main, shares)
    # What answers at a private endpoint brings this data along, also once newer data was checked.
    brought = checked if desired_forecast.spec.deployment.is_private else {}
    work.record_settlement(
        Settlement(
            work.name,
            resource=ObservedResource(resource, facts, {**brought, **files}),
            run=work.run,
            events=(Event(work.name, at, "Normal", "ForecastMade", message, main),),
            conditions=(serving_condition(observed, serving, at),),
        )
    )


def compute_stock(
    work: ForecastWork, version: Version, forecast: Mapping[str, FileRef], options: Mapping[str, Json]
) -> StoredStep | None:
    """Return the stock levels that follow from a forecast and the version's past errors; None if the spec asks for none."""
    if not work.desired.spec.inventory:
        return None
    inputs = {**panel_files(work), **files_of(version.files, "backtest"), **files_of(forecast, "forecast")}
    return run_step(work.engine, work.desired, "inventory", inputs, options)


def _serving_files(serving: Mapping[str, Version]) -> dict[str, FileRef]:
    """Return each serving version's model and backtest, under the version's name."""
    return {
        f"{role}-{name}": recorded_file(version, role)
        for name, version in serving.items()
        for role in ("model", "backtest")
    }


def recorded_file(version: Version, role: str) -> FileRef:
    """Return a file of a version. Raises StateError if its record names none."""
    if role not in version.files:
        raise StateError(
            f"{version.forecast}: the record of version {version.version} names no file '{role}'", hint=_LACKING
        )
    return version.files[role]


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
    keys = " or ".join(dict.fromkeys(_KEYS_OF_CHECK.get(check["check"], "dataset.checks") for check in broken))
    return DataError(text, hint=f"correct the data, or {keys} in the spec{kept}")


# The keys of the spec that say what a check of the contract expects.
_KEYS_OF_CHECK = {
    "types": "dataset.source", "keys": "dataset.series or dataset.aggregate", "values": "dataset.target",
    "frequency": "dataset.frequency", "calendar": "dataset.calendar",
    "gaps": "dataset.missing or dataset.checks.completeness", "freshness": "dataset.checks.freshness",
    "range": "dataset.checks.range", "series": "dataset.checks.series or dataset.ended_after",
    "new": "dataset.new_series", "ended": "dataset.ended_after",
    "static": "dataset.covariates.static", "future": "dataset.future",
    "events": "dataset.covariates.events", "inventory": "inventory",
}  # fmt: skip


def _check_lines(check: Mapping[str, Json]) -> list[str]:
    """Return a broken check's sentence, and its first examples."""
    return [f"  {check['check']}: {check['message']}", *(f"    {place}" for place in check["examples"][:_MAX_EXAMPLES])]


def _record_version(work: ForecastWork, version: Version) -> None:
    at, passed = work.engine.clock(), version.state == "passed"
    serves = stable_version(work.observed)
    reason = "GatePassed" if passed else "GateClosed"
    message = f"{version.version}: {version.candidate}, {_gate_sentence(version)}"
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
            events=(
                *_events_of_left_out(work, version, at),
                Event(work.name, at, "Normal" if passed else "Warning", reason, message, version.version),
            ),
            conditions=tuple(conditions),
        )
    )


def _gate_sentence(version: Version) -> str:
    """Return what the gate decided, with the rules that do not hold: a version that the loop trained has no other report."""
    if version.state == "passed":
        return "the gate lets it serve"
    broken = [
        sentence for outcome, _, sentence in (rule.partition(": ") for rule in version.reasons) if outcome != "pass"
    ]
    return f"the gate keeps it out: {'; '.join(broken)}"


def _events_of_left_out(work: ForecastWork, version: Version, at: str) -> tuple[Event, ...]:
    """Return an event for each candidate that was left out of the backtest, with its reason."""
    return tuple(
        Event(work.name, at, "Warning", "CandidateLeftOut", str(why), version.version)
        for why in version.facts.get(LEFT_OUT) or ()
    )


def serving_candidate(work: ForecastWork) -> Json:
    """Return the candidate that serves now, to be scored on the same cutoffs; None if nothing serves."""
    serves = stable_version(work.observed)
    versions = work.engine.target.load_versions(work.name)
    return next(
        (recorded_fact(version, "champion_candidate") for version in versions if version.version == serves), None
    )


def recorded_fact(version: Version, name: str) -> Json:
    """Return a fact that was recorded with a version. Raises StateError if it is missing."""
    if name not in version.facts:
        raise StateError(f"{version.forecast}: the record of version {version.version} lacks '{name}'", hint=_LACKING)
    return version.facts[name]


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


def checked_files(files: Mapping[str, FileRef]) -> dict[str, FileRef]:
    """Return what the step `check` wrote for the other steps: the files of the panel, of its series and of the plan."""
    return {**panel_parts(files), **files_of(files, "series", "future")}


def files_of(files: Mapping[str, FileRef], *roles: str) -> dict[str, FileRef]:
    """Return the files of these roles. A role that the spec does not ask for (`future`) is left out."""
    return {role: files[role] for role in roles if role in files}
