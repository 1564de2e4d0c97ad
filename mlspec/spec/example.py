"""One example of every field of a spec and of a project file. `explain` and the reference page quote it."""

from __future__ import annotations

from functools import cache
from textwrap import indent
from typing import Any

import yaml

FORECAST = """\
apiVersion: mlspec/v1
kind: Forecast
metadata:
  name: demand
  owner: supply-chain@example.com
  description: Weekly sales per store and department
  labels: {cost-center: cc-1234}
dataset:
  source: {uri: data/sales.csv}
  time: date
  series: [store, dept]
  target: units
  frequency: W-FRI
  actuals: {available_after: 3d, min_coverage: 0.95}
  covariates:
    known: [promo, holiday]
    past: [price]
    static: [store_type]
    holidays: BR
    events:
      payday: [workday 5, day 20]
      carnival: ["2026-02-14/2026-02-18", "2027-02-06/2027-02-10"]
      school_break: {uri: data/school.csv, event: Férias escolares, delimiter: ";", date_format: "%d/%m/%Y"}
  future: {uri: data/promo_plan.csv}
  available: in_stock
  outliers: replace
  hierarchy: {levels: [store_type, store], reconcile: mint-shrink}
  checks:
    freshness: {max_age: 10d}
    completeness: {min: 0.98}
    range: {units: {min: 0, max: 100000}}
    series: {min: 1, max_missing: 0.02}
model:
  horizon: 8
  quantiles: [0.1, 0.5, 0.9]
  season: [52]
  candidates:
    - {kind: seasonal-naive, season: 52}
    - {kind: auto-ets, name: smooth, season: 52, covariates: false}
    - {kind: auto-ces, name: complex, season: 52, covariates: false}
    - {kind: auto-arima, name: orders, season: 52, covariates: false}
    - {kind: mstl, name: seasons, season: [4, 52], covariates: false}
    - {kind: regression, name: promotions, season: [52], fourier: 4}
    - {kind: theta, season: 52, covariates: false}
    - {kind: croston, variant: sba}
    - {kind: gradient-boosting, library: lightgbm, lags: [1, 2, 3, 4, 13, 52], season: 52, iterations: 300,
       learning_rate: 0.1, max_leaves: 31, learn_from: all}
    - {kind: custom, name: promo, class: "models.promo:PromoModel", params: {depth: 3}, timeout: 5m}
    - {kind: ensemble, of: best-3, combine: median}
  backtest: {windows: 4, step: 4, metric: wape, level: 0.05}
  gate:
    - {metric: wape, below: 0.15}
    - {metric: coverage, above: 0.7}
    - {metric: coverage, within: 0.05}
    - {metric: wape, against: seasonal-naive, improves_by: 0.05}
    - {metric: wape, against: champion, not_worse_by: 0.02}
  seed: 7
training: {machine: n2-highmem-16, engine: ray, address: "ray://ray-head.example.com:10001", workers: 8}
schedule: {forecast: 0 6 * * MON, retrain: 0 4 1 * *, timezone: America/Sao_Paulo}
deployment:
  serve: batch
  rollout: {strategy: canary, steps: [10, 50, 100], interval: 1h}
  machine: {type: n2-standard-4, min_replicas: 1, max_replicas: 3}
  batch_machine: n2-highmem-32
  endpoint: {access: public}
alerts:
  - {name: accuracy, metric: wape, above: 0.2, window: 4, for: 2 of 3, by: [store], severity: critical}
  - {name: bias, metric: bias, outside: [-0.1, 0.1], window: 4}
  - {name: coverage, metric: coverage, below: 0.7, window: 8}
  - {name: drift, metric: psi, above: 0.25, baseline: same-season, false_alarms_per_year: 2}
  - {name: stale, metric: data_age, above: 10d, severity: critical, inhibits: [accuracy, bias, coverage, drift]}
  - {name: errors, metric: error_rate, above: 0.01, severity: critical}
notify:
  - {pubsub: demand-alerts, severity: warning}
  - {webhook: {secret: demand-oncall-url}, severity: critical}
  - {slack: {secret: demand-slack}, severity: warning}
  - {teams: {secret: demand-teams}, severity: warning}
  - {pagerduty: {secret: demand-pagerduty, region: eu}, severity: critical}
  - {email: {to: [planner@example.com], smtp: {secret: demand-smtp}}, severity: critical}
rollback: {on: [accuracy, errors], to: last-good, fallback: seasonal-naive, cooldown: 24h, max_attempts: 2}
reconcile: {mode: enforce, resources: {model: observe}}
budget: {trainings_per_week: 3, monthly: 400 USD}
inventory:
  service_level: 0.95
  service: cycle
  policy: (R,S)
  lead_time: {mean: 2, sd: 0.5}
  review_period: 1
  pack_size: {column: pack}
  minimum_order: 48
targets:
  prod: {deployment: {serve: both}}
"""

PROJECT = """\
apiVersion: mlspec/v1
kind: Project
name: acme-forecasts
defaults: {notify: [{pubsub: forecast-alerts}]}
webhooks: {private_networks: [10.20.0.0/16]}
external_url: https://forecasts.example.com
language: pt-BR
targets:
  local: {type: local, path: .mlspec, protect: false}
  team: {type: local, path: .mlspec-team, state: "postgresql://db.example.com/forecasts?sslmode=verify-full", protect: true}
  prod: {type: gcp, project: acme-prod, region: southamerica-east1, protect: true}
retention: {releases: 20, runs: 400d, events: 2y}
"""


@cache
def load_as_text(text: str) -> Any:
    """Return an example with every scalar as text. Nobody changes it: it is read once, for all of its fields."""
    return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  (it makes text, lists and mappings only)


def example_at(value: Any, words: list[str]) -> Any:
    """Return the value at a path of an example; None if the example has none.

    `words` has no indices: in a list, or in a mapping with free keys, the first entry that has the rest of the path is taken. A
    word that is an entry's kind or type chooses that entry.
    """
    if not words:
        return value
    word, *remaining = words
    if isinstance(value, dict) and word in value:
        return example_at(value[word], remaining)
    entries = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    tagged = [entry for entry in entries if isinstance(entry, dict) and word in (entry.get("kind"), entry.get("type"))]
    if tagged:
        return example_at(tagged[0], remaining)
    examples = (example_at(entry, words) for entry in entries if isinstance(entry, dict))
    return next((entry for entry in examples if entry is not None), None)


def to_yaml(value: Any, key: str | None = None) -> str:
    """Return a value of an example as YAML, after its key if one is given."""
    text: str = yaml.dump(
        value, Dumper=_TextDumper, default_flow_style=None, sort_keys=False, allow_unicode=True, width=100
    )
    text = text.removesuffix("...\n").rstrip()
    if key is None:
        return text
    # A block goes below its key even if it is one line: `range: units: {min: 0}` is not YAML.
    below = "\n" in text or (isinstance(value, dict | list) and text[0] not in "[{")
    return f"{key}:\n{indent(text, '  ')}" if below else f"{key}: {text}"


_TAGS = {yaml.ScalarNode: "str", yaml.SequenceNode: "seq", yaml.MappingNode: "map"}


class _TextDumper(yaml.SafeDumper):
    """Writes every scalar as text, so that `8` and `on` are not quoted."""

    def resolve(self, kind: type[yaml.Node], _value: Any, _implicit: Any) -> str:
        """Return the tag of text for every scalar."""
        return f"tag:yaml.org,2002:{_TAGS[kind]}"


_TextDumper.add_representer(int, lambda dumper, value: dumper.represent_str(str(value)))
