"""Writes a forecast's versions to an MLflow tracking server, a run for each: what is there already is not written again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from mlspec.errors import MissingExtra, TargetError
from mlspec.state.exported_run import VERSION_TAG, ExportedRun

_Answer = TypeVar("_Answer")
_PAGE = 1_000
_LONGEST = 6_000  # the characters of a parameter that MLflow keeps; older servers take fewer, and say so


@dataclass(frozen=True, slots=True)
class ExportCounts:
    """What an export wrote: new runs, and runs of which something was new."""

    added: int
    changed: int
    unchanged: int


class MlflowTracking:
    """The tracking server at a URI: http, https, or a file or database of this machine, as MLflow takes it."""

    def __init__(self, uri: str) -> None:
        """Raises MissingExtra without MLflow's client, and TargetError if the URI is none."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # the client reports its use to its makers otherwise
        # With MLflow's own 7 it takes four minutes to say that nobody answers.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        try:
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise MissingExtra("mlflow-skinny", "mlflow") from error
        self._uri = uri
        self._client: Any = self._asked(lambda: MlflowClient(uri))

    def export_runs(self, experiment: str, runs: Sequence[ExportedRun]) -> ExportCounts:
        """Write the runs of one forecast to an experiment, which is made if it is not there. Raises TargetError."""
        return self._asked(lambda: self._export_runs(experiment, runs))

    def _export_runs(self, experiment: str, runs: Sequence[ExportedRun]) -> ExportCounts:
        identifier = self._find_experiment(experiment)
        known = {run.data.tags[VERSION_TAG]: run for run in self._load_runs(identifier) if VERSION_TAG in run.data.tags}
        changed = 0
        for run in runs:
            stored = known.get(run.version) or self._client.create_run(
                identifier, _milliseconds(run.created), {VERSION_TAG: run.version}, run_name=run.version
            )
            changed += self._write_news(stored, run) and run.version in known
        added = sum(run.version not in known for run in runs)
        return ExportCounts(added, changed, len(runs) - added - changed)

    def _find_experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return str(self._client.create_experiment(name))
        if found.lifecycle_stage == "deleted":
            raise TargetError(
                f"{self._uri}: the experiment '{name}' is deleted there",
                hint="restore it with `mlflow experiments restore`, or name another one with --experiment",
            )
        return str(found.experiment_id)

    def _load_runs(self, experiment: str) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs([experiment], max_results=_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _write_news(self, stored: Any, run: ExportedRun) -> bool:
        """Write what the stored run lacks; return whether that is anything. A run that was cut off is completed."""
        from mlflow.entities import Metric, Param, RunTag

        there, at = stored.data, _milliseconds(run.created)
        params = [Param(name, text[:_LONGEST]) for name, text in _missing(run.params, there.params)]
        metrics = [
            Metric(name, value, at, 0) for name, value in run.metrics.items() if there.metrics.get(name) != value
        ]
        tags = [RunTag(name, text) for name, text in run.tags.items() if there.tags.get(name) != text]
        if params or metrics or tags:
            self._client.log_batch(stored.info.run_id, metrics=metrics, params=params, tags=tags)
        if stored.info.status != "FINISHED":
            self._client.set_terminated(stored.info.run_id, "FINISHED", at)
        return bool(params or metrics or tags) or stored.info.status != "FINISHED"

    def _asked(self, call: Callable[[], _Answer]) -> _Answer:
        """Return what a call gives. Raises TargetError where MLflow refuses it or cannot be reached."""
        from mlflow.exceptions import MlflowException

        try:
            return call()
        except MlflowException as error:
            raise TargetError(
                f"MLflow at {self._uri}: {str(error).splitlines()[0]}",
                hint="check --tracking-uri, or MLFLOW_TRACKING_URI, and who may write there; what was exported stays, and the next "
                "export goes on",
            ) from error


def _missing(wanted: Mapping[str, str], there: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, text in wanted.items() if name not in there)


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
