"""What is exported of a forecast's versions: parameters, metrics and tags of a run for each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from mlspec.plan.serving import observed_traffic, stable_version
from mlspec.state.exported_run import VERSION_TAG, ExportedRun
from mlspec.state.observed import Observed
from mlspec.state.record import Version


def exported_runs(versions: Sequence[Version], observed: Observed) -> tuple[ExportedRun, ...]:
    """Return a run for each version, the oldest first.

    The realised errors are of all that served, so they go to the version that serves now.
    """
    traffic, bad = observed_traffic(observed), observed.ledger.quarantined_versions
    serves = stable_version(observed)
    return tuple(
        ExportedRun(
            version.version,
            version.created,
            dict(_params(version)),
            {
                **_known("backtest", version.metrics),
                **(_known("realised", observed.ledger.metrics) if version.version == serves else {}),
            },
            {
                "mlspec.forecast": version.forecast,
                VERSION_TAG: version.version,
                "mlspec.state": "quarantined" if version.version in bad else version.state,
                "mlspec.traffic": str(traffic.get(version.version, 0)),
            },
        )
        for version in reversed(versions)
    )


def _params(version: Version) -> Iterator[tuple[str, str]]:
    """Yield the candidate, and all that a version was made from."""
    yield "candidate", version.candidate
    for name, value in sorted(version.lineage.items()):
        yield name, value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _known(prefix: str, metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {f"{prefix}_{name}": float(value) for name, value in metrics.items() if value is not None}
