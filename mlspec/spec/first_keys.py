"""The keys with a default in release 0.1.0, when digests were first recorded.

Digests include these keys whether a spec sets them or not. The list never changes: otherwise recorded digests would no longer
match their specs. A new key of the language does not belong here (docs/decisions/0018-an-upgrade-changes-nothing-by-itself.md).
"""

from __future__ import annotations

# Named as `digest.language_keys` names them.
_NAMES = """
    alerts alerts[].above alerts[].baseline alerts[].below alerts[].by alerts[].for alerts[].inhibits alerts[].outside
    alerts[].severity alerts[].window budget budget.monthly budget.trainings_per_week dataset.actuals
    dataset.actuals.available_after dataset.actuals.min_coverage dataset.checks dataset.checks.completeness
    dataset.checks.freshness dataset.checks.range dataset.checks.range{}.max dataset.checks.range{}.min dataset.checks.series
    dataset.checks.series.max_missing dataset.checks.series.min dataset.covariates dataset.covariates.known
    dataset.covariates.past dataset.covariates.static dataset.future dataset.series dataset.source.query dataset.source.uri
    deployment deployment.batch_machine deployment.machine deployment.machine.max_replicas deployment.machine.min_replicas
    deployment.machine.type deployment.rollout deployment.rollout.interval deployment.rollout.steps
    deployment.rollout.strategy deployment.serve inventory inventory.review_period metadata.description metadata.labels
    metadata.owner model.backtest model.backtest.metric model.backtest.step model.backtest.windows model.candidates
    model.candidates[auto-ets].name model.candidates[auto-ets].season model.candidates[croston].name
    model.candidates[croston].variant model.candidates[ensemble].name model.candidates[ensemble].of
    model.candidates[gradient-boosting].iterations model.candidates[gradient-boosting].lags
    model.candidates[gradient-boosting].learning_rate model.candidates[gradient-boosting].library
    model.candidates[gradient-boosting].max_leaves model.candidates[gradient-boosting].name
    model.candidates[gradient-boosting].season model.candidates[seasonal-naive].name model.candidates[seasonal-naive].season
    model.candidates[theta].name model.candidates[theta].season model.gate model.gate[].above model.gate[].against
    model.gate[].below model.gate[].improves_by model.gate[].not_worse_by model.gate[].within model.quantiles model.seed
    notify notify[].pubsub notify[].severity notify[].webhook reconcile reconcile.mode reconcile.resources rollback
    rollback.cooldown rollback.fallback rollback.max_attempts rollback.on rollback.to schedule schedule.forecast
    schedule.retrain schedule.timezone targets training training.address training.engine training.machine training.workers
"""
FIRST_KEYS = frozenset(_NAMES.split())
