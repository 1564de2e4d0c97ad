"""Fifteen specs, from the smallest to every word of the language: what each rendered thing is held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlspec.render.gcp.terraform import GcpTerraform
from mlspec.render.rendering import RenderSource, render_forecast, render_shared
from mlspec.spec.document import open_document
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.resolve import ResolvedSpec, resolve_spec

PLACE = GcpLocation("prod", "acme-prod", "southamerica-east1")
FULL = Path(__file__).parent.parent / "spec" / "full.yaml"
LONGEST = "a-forecast-with-the-longest-name-of-all1"  # 40 characters

MINIMAL = """\
apiVersion: mlspec/v1
kind: Forecast
metadata: {{name: {name}}}
dataset:
  source: {source}
  time: day
  series: [shop]
  target: units
  frequency: D
model: {{horizon: 7}}
"""

ALERTS = """\
alerts:
  - {name: accuracy, metric: wape, above: 0.2, window: 4, for: 2 of 3, by: [shop], severity: critical}
  - {name: under, metric: coverage, below: 0.7, window: 8, severity: info}
  - {name: bias, metric: bias, outside: [-0.1, 0.1], window: 4}
  - {name: stale, metric: data_age, above: 10d, inhibits: [accuracy, bias]}
"""
ENDPOINT = """\
deployment: {serve: SERVE}
alerts:
  - {name: errors, metric: error_rate, above: 0.01, severity: critical}
  - {name: slow, metric: latency, above: 0.25}
rollback: {on: [errors]}
"""
NOTIFY = """\
notify:
  - {pubsub: shared-alerts, severity: warning}
  - {pubsub: "odd.topic~name+1", severity: critical}
  - {webhook: {secret: oncall-url}, severity: critical}
  - {slack: {secret: told-slack}}
  - {teams: {secret: told-teams}}
  - {pagerduty: {secret: told-pagerduty, region: eu}}
  - {email: {to: [planner@example.com], smtp: {secret: told-smtp}}}
rollback: {on: [accuracy]}
"""


def _minimal(name: str, rest: str = "", source: str = "{uri: data/sales.csv}") -> str:
    return MINIMAL.format(name=name, source=source) + rest


SPECS: dict[str, str] = {
    "minimal": _minimal("minimal"),
    "a": _minimal("a"),
    LONGEST: _minimal(LONGEST, ALERTS),
    "a--b-9": _minimal("a--b-9", "deployment: {serve: both}\n"),
    "online": _minimal("online", ENDPOINT.replace("SERVE", "online")),
    "both": _minimal("both", ENDPOINT.replace("SERVE", "both")),
    "canary": _minimal(
        "canary",
        "deployment:\n  serve: online\n  rollout: {strategy: canary, steps: [10, 50, 100], interval: 1h}\n"
        "  machine: {type: n2-standard-4, min_replicas: 1, max_replicas: 3}\n",
    ),
    "blue-green": _minimal("blue-green", "deployment: {serve: both, rollout: {strategy: blue-green, interval: 2h}}\n"),
    "alerts": _minimal("alerts", ALERTS),
    "told": _minimal("told", ALERTS + NOTIFY),
    "weekly": _minimal("weekly", 'schedule: {forecast: "0 6 * * MON", timezone: America/Sao_Paulo, deadline: 4h}\n'),
    "twice": _minimal("twice", 'schedule: {forecast: "0 6 * * *", retrain: "0 4 1 * *"}\n'),
    "bucket": _minimal("bucket", source="{uri: gs://acme.sales_data/weekly/*.parquet}"),
    "table": _minimal("table", source="{uri: bq://acme-prod.sales.weekly}"),
    "query": _minimal(
        "query",
        source="{query: 'SELECT * FROM `acme-prod.sales.weekly`', datasets: [acme-prod.sales, other-co.calendar]}",
    ),
}


def resolved(text: str, folder: Path) -> ResolvedSpec:
    """Return a spec, resolved for a target that overrides nothing."""
    file = folder / "spec.yaml"
    file.write_text(text, encoding="utf-8")
    document = open_document(file, "spec.yaml")
    assert not document.faults, document.faults
    found = resolve_spec(document, None, "prod")
    assert isinstance(found, ResolvedSpec), found
    return found


def sources(folder: Path) -> list[RenderSource]:
    """Return all specs above, and the language's own full example, ready to be rendered."""
    texts = {**SPECS, "demand": FULL.read_text(encoding="utf-8").replace("  prod: {deployment: {serve: both}}", "  {}")}
    found = [resolved(text, folder) for text in texts.values()]
    return [RenderSource(spec.name, spec.forecast, spec.spec_hash, f"specs/{spec.name}.yaml") for spec in found]


def all_files(folder: Path, place: GcpLocation | None = PLACE) -> dict[str, str]:
    """Return everything that the specs above are compiled to."""
    found = sources(folder)
    renderer = GcpTerraform(place) if place else None
    files: dict[str, str] = {}
    for source in found:
        files |= render_forecast(source, "prod", renderer)
    return files | render_shared(found, renderer)


def write(files: dict[str, str], folder: Path) -> Path:
    """Write files below a folder."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode())
    return folder


def with_words(words: dict[str, Any], folder: Path) -> RenderSource:
    """Return a source whose free-text fields hold these words, as the reader would hand them on."""
    spec = resolved(SPECS["told"] + 'schedule: {forecast: "0 6 * * *"}\n', folder)
    forecast = spec.forecast.model_copy(update={"metadata": spec.forecast.metadata.model_copy(update=words)})
    return RenderSource(spec.name, forecast, spec.spec_hash, "specs/told.yaml")
