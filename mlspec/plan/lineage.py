"""The names by which a step's run and its data are told to a lineage receiver.

Sources are named by OpenLineage's convention, so that they are the data sets that other tools name
(openlineage.io/docs/spec/naming). What steps hand on is mlspec's own, under one name whatever version or year it is of.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from mlspec.spec.data_files import TableFile
from mlspec.spec.dataset import Source
from mlspec.spec.forecast import Forecast
from mlspec.spec.object_address import is_object_address, parse_object_address
from mlspec.state.lineage_event import LineageDataset
from mlspec.state.step import StepName

NAMESPACE = "mlspec"
_RUNS = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def run_id(forecast: str, step: str, key: str) -> str:
    """Return the UUID of a step's run. It follows from the step's key, so a later pass goes on with the same run."""
    return str(uuid.uuid5(_RUNS, f"{NAMESPACE}:{forecast}:{step}:{key}"))


def step_inputs(forecast: str, spec: Forecast, step: StepName, roles: Iterable[str]) -> tuple[LineageDataset, ...]:
    """Return what a step reads: the sources of the spec for `check`, and the files of these roles."""
    sources = _source_datasets(spec) if step == "check" else ()
    return (*sources, *step_outputs(forecast, roles))


def step_outputs(forecast: str, roles: Iterable[str]) -> tuple[LineageDataset, ...]:
    """Return the data sets of the files of these roles: `panel-2023` is a part of the panel, `model-v1` a version of the model."""
    return tuple(
        LineageDataset(NAMESPACE, f"{forecast}.{name}")
        for name in dict.fromkeys(_plain(role) for role in sorted(roles))
    )


def _plain(role: str) -> str:
    return role.partition("-")[0]


def _source_datasets(spec: Forecast) -> tuple[LineageDataset, ...]:
    sources: list[Source | TableFile] = [spec.dataset.source, *(table for _, table in spec.dataset.files_beside)]
    return tuple(_source_dataset(source) for source in sources if source.uri)


def _source_dataset(source: Source | TableFile) -> LineageDataset:
    uri = str(source.uri)
    if is_object_address(uri):
        address = parse_object_address(uri)
        return LineageDataset(f"{uri.partition('://')[0]}://{address.bucket}", address.name)
    scheme, found, rest = uri.partition("://")
    return LineageDataset("bigquery", rest) if found and scheme == "bq" else LineageDataset("file", uri)
