"""The data sources on Google Cloud: objects of a bucket, a BigQuery table or query, or local files of the project.

An inspection downloads no data: it detects new data by checksums and modification times. Only a step that needs the data downloads
it into a new folder, and reads it there as local files.
"""

from __future__ import annotations

import hashlib
import shutil
from bisect import bisect_left
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path

from mlspec.errors import DataError, TargetError
from mlspec.source_files import is_part, list_source_files, partition_values
from mlspec.spec.data_files import EventFile, TableFile
from mlspec.spec.dataset import Dataset, Source
from mlspec.spec.forecast import Forecast
from mlspec.spec.object_address import ObjectAddress, bucket_address, is_object_address, parse_object_address
from mlspec.spec.table_files import named_format
from mlspec.state.observed import SourceFacts
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.data.bigquery import Warehouse
from mlspec.targets.gcp.record.bucket import Bucket, NoBucket, StoredObject
from mlspec.targets.local import sources as files
from mlspec.targets.local.digest_cache import DigestCache

FEW = 2  # folders of one bucket that are listed separately before the whole bucket is listed
_FOLDERS = {"dataset.source": "source", "dataset.future": "future"}  # of fetched data; those of events are numbered
MOST = 20_000  # most objects in a listing of a whole bucket (20 calls)


class Sources:
    """The sources of one project's forecasts. Inside a session each folder, or a bucket with many of them, is listed once."""

    def __init__(self, clients: Clients, digests: DigestCache | None = None) -> None:
        self._clients, self._warehouse = clients, Warehouse(clients)
        self._digests = digests or DigestCache()
        self._folders: dict[tuple[str, str], tuple[StoredObject, ...]] | None = None
        self._whole: dict[str, tuple[StoredObject, ...] | None] = {}

    def begin_session(self) -> None:
        """Cache all listings from now on."""
        self._folders, self._whole = {}, {}
        self._warehouse.begin_session()

    def end_session(self) -> None:
        """Stop caching."""
        self._folders = None
        self._warehouse.end_session()

    def inspect_source(self, spec: Forecast, root: Path) -> SourceFacts:
        """Return the facts of the source and of all data beside it. Raises DataError if one is missing or cannot be read."""
        encoding = spec.dataset.source.encoding
        parts = [
            self._inspect_field(source, source.encoding or encoding, field, root)
            for field, source in _read_sources(spec.dataset)
        ]
        terms = files.inspect_terms(spec, root, self._digests)
        parts += [terms] if terms else []
        digest = _digest_of("".join(f"{part.digest}\n" for part in parts))
        byte_digest = _digest_of("".join(f"{part.byte_digest or part.digest}\n" for part in parts))
        names = tuple(name for part in parts for name in part.files)
        size = sum(part.size for part in parts)
        return SourceFacts(digest, names, size, byte_digest if byte_digest != digest else None)

    def fetch_source(self, spec: Forecast, root: Path, folder: Path) -> tuple[Forecast, Path]:
        """Download a spec's data into `folder`. Return the spec that reads it there, and its root.

        A spec that reads only local files of the project is returned unchanged.
        """
        sources = _read_sources(spec.dataset)
        if not any(_is_remote(source) for _, source in sources):
            return spec, root
        moved = {
            source: self._fetch_field(source, field, root, folder / _FOLDERS.get(field, f"events-{number}"))
            for number, (field, source) in enumerate(sources)
        }
        _copy_terms(spec, root, folder)
        return spec.model_copy(update={"dataset": _read_from(spec.dataset, moved)}), folder

    def _inspect_field(self, source: Source | TableFile, encoding: str, field: str, root: Path) -> SourceFacts:
        uri = source.uri or ""
        if is_object_address(uri):
            objects = self._matching_objects(source, field)
            # By content, and where it is a part of: a renamed object is the same data.
            words = "".join(f"{_partition_text(source, stored)}{stored.checksum} {stored.size}\n" for stored in objects)
            return SourceFacts(
                _digest_of(words),
                tuple(str(ObjectAddress(parse_object_address(uri).bucket, stored.name)) for stored in objects),
                sum(stored.size for stored in objects),
            )
        if _is_remote(source):
            return SourceFacts(*self._warehouse.inspect_source(source, field))
        return files.inspect_part(source, encoding, field, root, self._digests)

    def _fetch_field(
        self, source: Source | TableFile, field: str, root: Path, destination: Path
    ) -> dict[str, str | None]:
        """Bring what one field names into the folder `destination`, and return what of the field says where it is now."""
        destination.mkdir(parents=True, exist_ok=True)
        uri, place = source.uri or "", destination.name
        if is_object_address(uri):
            bucket = Bucket(self._clients, parse_object_address(uri).bucket)
            whole = _named_folder(source)
            for number, stored in enumerate(self._matching_objects(source, field)):
                name = stored.name.removeprefix(whole) if whole else f"{number:06}-{Path(stored.name).name}"
                (destination / name).parent.mkdir(parents=True, exist_ok=True)
                (destination / name).write_bytes(bucket.read_generation(stored))
            return {"uri": place if whole else f"{place}/*{Path(uri).suffix}"}
        if _is_remote(source):
            self._warehouse.fetch_rows(source, destination / "rows.parquet", field)
            rows: dict[str, str | None] = {"uri": f"{place}/rows.parquet"}
            return {**rows, "query": None} if isinstance(source, Source) else rows
        if (root / uri).is_dir():
            destination.rmdir()
            destination.symlink_to((root / uri).resolve(), target_is_directory=True)
            return {"uri": place}
        for number, path in enumerate(list_source_files(root, uri)):
            (destination / f"{number:06}-{path.name}").symlink_to(path.resolve())
        return {"uri": f"{place}/*{Path(uri).suffix}"}

    def _matching_objects(self, source: Source | TableFile, field: str) -> tuple[StoredObject, ...]:
        bucket, name = parse_object_address(source.uri or "")
        whole = _named_folder(source)
        if whole is not None:
            listed = self._list_folder(bucket, whole)
            matching = tuple(stored for stored in listed if is_part(stored.name.removeprefix(whole)))
        else:
            folder, _, pattern = name.rpartition("/")
            listed = self._list_folder(bucket, f"{folder}/" if folder else "")
            matching = tuple(
                stored for stored in listed if _matches_pattern(stored.name.rpartition("/"), folder, pattern)
            )
        if not matching:
            raise DataError(
                f"{field}: no object matches {source.uri}", hint="correct the address, or upload the data there"
            )
        return matching

    def _list_folder(self, bucket: str, folder: str) -> tuple[StoredObject, ...]:
        key = (bucket, folder)
        if self._folders is not None and key in self._folders:
            return self._folders[key]
        try:
            objects = self._find_in_listing(bucket, folder)
            objects = Bucket(self._clients, bucket).list_objects(folder) if objects is None else objects
        except NoBucket as error:
            raise DataError(
                f"there is no bucket {bucket_address(bucket)}", hint="correct the address in the spec"
            ) from error
        if self._folders is not None:
            self._folders[key] = objects
        return objects

    def _find_in_listing(self, bucket: str, folder: str) -> tuple[StoredObject, ...] | None:
        """Return a folder's objects from the listing of its whole bucket; None if there is no such listing."""
        if self._folders is None or sum(listed_bucket == bucket for listed_bucket, _ in self._folders) < FEW:
            return None
        if bucket not in self._whole:
            self._whole[bucket] = self._list_whole_bucket(bucket)
        whole = self._whole[bucket]
        if whole is None:
            return None
        begin = bisect_left(whole, folder, key=lambda stored: stored.name)
        return tuple(takewhile(lambda stored: stored.name.startswith(folder), whole[begin:]))

    def _list_whole_bucket(self, bucket: str) -> tuple[StoredObject, ...] | None:
        """Return all objects of a bucket; None if they are more than MOST or this account may list only some folders."""
        try:
            objects = Bucket(self._clients, bucket).list_objects("", most=MOST + 1)
        except NoBucket:
            raise
        except TargetError:
            return None
        return objects if len(objects) <= MOST else None


def _named_folder(source: Source | TableFile) -> str | None:
    """Return the folder that an address names, with its slash: one of Parquet files without a suffix; None if it names objects."""
    name = parse_object_address(source.uri or "").name
    is_folder = source.format == "parquet" and "*" not in name and named_format(name) is None
    return f"{name}/" if is_folder else None


def _partition_text(source: Source | TableFile, stored: StoredObject) -> str:
    folder = _named_folder(source)
    values = partition_values(stored.name.removeprefix(folder)) if folder else {}
    return "".join(f"{key}={value}/" for key, value in values.items())


def _matches_pattern(name: tuple[str, str, str], folder: str, pattern: str) -> bool:
    """Return whether an object is directly in the folder and its name matches the pattern. The only wildcard is `*`."""
    if name[0] != folder:
        return False
    first, *later_parts = pattern.split("*")
    if not later_parts:
        return name[2] == pattern
    at = len(first) if name[2].startswith(first) else -1
    for part in later_parts[:-1]:
        at = name[2].find(part, at) + len(part) if at >= 0 and part in name[2][at:] else -1
    return at >= 0 and name[2][at:].endswith(later_parts[-1])


def _read_sources(dataset: Dataset) -> list[tuple[str, Source | TableFile]]:
    """Return what a dataset reads, by the key that names it."""
    return [("dataset.source", dataset.source), *dataset.files_beside]


def _read_from(dataset: Dataset, moved: Mapping[Source | TableFile, Mapping[str, str | None]]) -> Dataset:
    """Return a dataset that reads from where its data are now."""
    events = {
        name: days.model_copy(update=moved[days.table]) if isinstance(days, EventFile) else days
        for name, days in dataset.covariates.events.items()
    }
    parts = {
        "source": dataset.source.model_copy(update=moved[dataset.source]),
        "covariates": dataset.covariates.model_copy(update={"events": events}),
    }
    if dataset.future is not None:
        parts["future"] = dataset.future.model_copy(update=moved[dataset.future])
    return dataset.model_copy(update=parts)


def _copy_terms(spec: Forecast, root: Path, folder: Path) -> None:
    """Copy the tables of terms, which are files of the project, to where the fetched data are read."""
    for table in spec.inventory.term_tables if spec.inventory else ():
        for path in list_source_files(root, table.uri or ""):
            destination = folder / path.relative_to(root)
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, destination)


def _is_remote(source: Source | TableFile) -> bool:
    return (isinstance(source, Source) and bool(source.query)) or "://" in (source.uri or "")


def _digest_of(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()
