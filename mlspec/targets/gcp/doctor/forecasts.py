"""Checks what an apply makes of each forecast (its job, its DAG in Composer's bucket), and that its data is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlspec.spec.object_address import parse_object_address
from mlspec.state.finding import Finding, ForecastParts
from mlspec.targets.gcp.doctor.probe import TIMEOUT, GoogleProbe, get_job, run_check


def check_forecast(probe: GoogleProbe, parts: ForecastParts) -> Iterator[Finding]:
    """Yield whether a forecast's job and DAG are there."""
    place = probe.place
    apply = f"mlspec apply --target {place.target}"

    def check_job() -> Finding:
        job = get_job(probe, parts.job)
        if job.terminal_condition.state.name == "CONDITION_FAILED":
            return Finding("forecasts", f"job of {parts.name}", "missing", job.terminal_condition.message, apply)
        return Finding("forecasts", f"job of {parts.name}", "ok", parts.job)

    def check_dag() -> Finding:
        bucket = probe.clients.storage.bucket(place.bucket("dags"))
        if bucket.get_blob(parts.dag, timeout=TIMEOUT, retry=None) is None:
            return Finding("forecasts", f"DAG of {parts.name}", "missing", f"there is no {parts.dag}", apply)
        return Finding("forecasts", f"DAG of {parts.name}", "ok", parts.dag)

    yield run_check("forecasts", f"job of {parts.name}", check_job, apply)
    yield run_check("forecasts", f"DAG of {parts.name}", check_dag, apply)


def check_source(probe: GoogleProbe, uri: str) -> Finding:
    """Return whether objects lie where a spec reads. Which of them match its pattern, `mlspec validate --data` says."""
    bucket, name = parse_object_address(uri)
    prefix = re.split(r"[*?\[]", name, maxsplit=1)[0]
    mend = f"gcloud storage cp FILE {uri if prefix == name else f'gs://{bucket}/{prefix}'}"

    def check() -> Finding:
        listed = probe.clients.storage.list_blobs(bucket, prefix=prefix, max_results=1, timeout=TIMEOUT, retry=None)
        if next(iter(listed), None) is None:
            return Finding("sources", uri, "missing", "no object is there", mend)
        return Finding("sources", uri, "ok", "data is there")

    return run_check("sources", uri, check, mend)
