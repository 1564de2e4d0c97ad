"""The statements of a prune: they delete rows, and list the files that may then be removed, in the same transaction.

A file is removed a day after nothing needed it any more: until then a server, a report or a step may still read it. Meanwhile it
stands in the list of its forecast, a row of the table `meta`. So a prune that is killed is finished by the next one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlspec.state.record import FileRef
from mlspec.state.resource import canonical_json
from mlspec.state.retention import AgedRows, AgedTable, Pruning, Table
from mlspec.targets.record import rows
from mlspec.targets.record.store import Connection

# How long a file stays that nothing needs any more. A step in a container may run for hours; nothing reads for longer than a day.
GRACE = timedelta(days=1)
_PAUSE = timedelta(days=1)  # at least so long between two looks at the lists: a look reads the whole record
MOST_FILES = 200  # removed in one transaction
_OLDEST = 500  # rows of a table that a pass of the loop looks at, those that were written first

# Tables and the columns that identify a row within a forecast, in the order of deletion: a version goes after what names it.
_KEYS: Mapping[Table, tuple[str, ...]] = {
    "runs": ("id",), "releases": ("release",), "versions": ("version",), "steps": ("step", "key"),
}  # fmt: skip
# Tables whose rows go by age: the column with the moment, and the text whose length counts as the row's size. Of the notices only
# those go that were delivered.
_AGED: Mapping[AgedTable, tuple[str, str]] = {
    "events": ("at", "message"), "journal": ("at", "detail"), "outbox": ("delivered_at", "record"), "served": ("minute", "took"),
}  # fmt: skip
_LISTS, _NEXT = "unneeded/", "unneeded-next"
_DIGEST = re.compile(r'"sha256":"([0-9a-f]{64})"')
_NAMED_IN = (("resources", "files"), ("runs", "record"), ("steps", "outputs"), ("versions", "record"))


@dataclass(frozen=True, slots=True)
class UnneededFile:
    """A file that one forecast does not need any more, and since when."""

    ref: FileRef
    since: str


Lists = dict[str, dict[str, UnneededFile]]  # by forecast and sha256


@contextmanager
def deletion_allowed(connection: Connection, forecast: str) -> Iterator[None]:
    """Allow the deletion of a forecast's records inside the block. The triggers read `purging` in `meta`."""
    connection.execute(
        "INSERT INTO meta VALUES ('purging', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (forecast,)
    )
    yield
    connection.execute("DELETE FROM meta WHERE key = 'purging'")


def delete_rows(connection: Connection, pruning: Pruning) -> None:
    """Delete the rows that a prune names by their keys."""
    with deletion_allowed(connection, pruning.forecast):
        for table, columns in _KEYS.items():
            condition = " AND ".join(f"{column} = ?" for column in ("forecast", *columns))
            for key in pruning.rows.get(table, ()):
                connection.execute(f"DELETE FROM {table} WHERE {condition}", (pruning.forecast, *key))  # noqa: S608  (names of our own)


def find_old_rows(
    connection: Connection, pruning: Pruning, *, whole: bool
) -> dict[AgedTable, list[tuple[str, str | int]]]:
    """Return the rows that go by age, by table: each as its forecast and its id, or its minute.

    With `whole`, these are all old rows of the forecast. Without it, they are the old ones among the rows that were written first,
    of whichever forecast: so a pass of the loop reads few rows, however many there are.
    """
    return {
        table: [(str(row["forecast"]), row["id"]) for row in _select_old(connection, pruning, table, whole=whole)]
        for table in pruning.before
    }


def delete_old_rows(connection: Connection, found: Mapping[AgedTable, Iterable[tuple[str, str | int]]]) -> None:
    """Delete rows by their ids."""
    for table, keys in found.items():
        column = "minute" if table == "served" else "id"
        by_forecast: dict[str, set[str | int]] = {}
        for forecast, key in keys:
            by_forecast.setdefault(forecast, set()).add(key)
        for forecast, own in by_forecast.items():
            with deletion_allowed(connection, forecast):
                for key in sorted(own, key=str):
                    statement = f"DELETE FROM {table} WHERE forecast = ? AND {column} = ?"  # noqa: S608  (names of our own)
                    connection.execute(statement, (forecast, key))


def measure_old_rows(
    connection: Connection, forecast: str, before: Mapping[AgedTable, str]
) -> dict[AgedTable, AgedRows]:
    """Return how many rows of a forecast go and stay, by table."""
    return {table: _measure_table(connection, forecast, table, moment) for table, moment in before.items()}


def _measure_table(connection: Connection, forecast: str, table: AgedTable, before: str) -> AgedRows:
    moment, text = _AGED[table]
    statement = (
        f"SELECT count(*) AS found, sum(CASE WHEN {moment} < ? THEN 1 ELSE 0 END) AS goes, "  # noqa: S608  (names of our own)
        f"sum(CASE WHEN {moment} < ? THEN length({text}) ELSE 0 END) AS size FROM {table} WHERE forecast = ?"
    )
    row = connection.execute(statement, (before, before, forecast)).fetchone()
    goes = int(row["goes"] or 0)
    return AgedRows(goes, int(row["size"] or 0), int(row["found"]) - goes)


def _select_old(connection: Connection, pruning: Pruning, table: AgedTable, *, whole: bool) -> Iterable[rows.Row]:
    moment, before = _AGED[table][0], pruning.before[table]
    if whole or table == "served":  # the counts of requests have an index by forecast and minute
        key = "minute" if table == "served" else "id"
        statement = f"SELECT forecast, {key} AS id FROM {table} WHERE forecast = ? AND {moment} < ?"  # noqa: S608
        return connection.execute(statement, (pruning.forecast, before)).fetchall()
    oldest = f"SELECT id, forecast, {moment} FROM {table} ORDER BY id LIMIT {_OLDEST}"  # noqa: S608
    statement = f"SELECT id, forecast FROM ({oldest}) AS oldest WHERE {moment} < ?"  # noqa: S608
    return connection.execute(statement, (before,)).fetchall()


# --- the lists of files that nothing needs -------------------------------------------------------------------------------------


def read_lists(connection: Connection, forecast: str | None = None) -> Lists:
    """Return the lists of all forecasts, or of one."""
    if forecast is not None:
        found = connection.execute("SELECT key, value FROM meta WHERE key = ?", (f"{_LISTS}{forecast}",)).fetchall()
    else:
        found = connection.execute("SELECT key, value FROM meta WHERE key LIKE ?", (f"{_LISTS}%",)).fetchall()
    return {row["key"].removeprefix(_LISTS): _list_from_row(row) for row in found}


def write_list(connection: Connection, forecast: str, files: Mapping[str, UnneededFile], at: str) -> None:
    """Write a forecast's list, and when the lists have to be looked at next."""
    key = f"{_LISTS}{forecast}"
    connection.execute("DELETE FROM meta WHERE key = ?", (key,))
    if files:
        entries = {sha256: [entry.ref.size, entry.ref.name, entry.since] for sha256, entry in files.items()}
        connection.execute("INSERT INTO meta VALUES (?, ?)", (key, canonical_json(entries)))
        due = _after(min(entry.since for entry in files.values()), GRACE)
        known = next_look(connection)
        if known is None or due < known or _is_far(known, at):
            _write_next_look(connection, due)


def next_look(connection: Connection) -> str | None:
    """Return when the lists have to be looked at; None if they are empty."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_NEXT,)).fetchone()
    return str(row["value"]) if row else None


def is_look_due(connection: Connection, at: str) -> bool:
    """Return whether a file may have to be removed now. A moment that lies too far ahead was written by a clock that was wrong."""
    known = next_look(connection)
    return known is not None and (known <= at or _is_far(known, at))


def changed_list(known: Mapping[str, UnneededFile], pruning: Pruning, at: str) -> dict[str, UnneededFile]:
    """Return a forecast's list after a prune: without what is needed again, and with what is not needed any more.

    A moment of the future is replaced by the present one: it was written by a clock that was ahead.
    """
    kept = {
        sha256: UnneededFile(entry.ref, min(entry.since, at))
        for sha256, entry in known.items()
        if sha256 not in pruning.needed
    }
    return {ref.sha256: UnneededFile(ref, at) for ref in pruning.files} | kept


def grace_began(at: str) -> str:
    """Return the moment a day before: a file that was listed then or earlier may go."""
    return _after(at, -GRACE)


def unneeded_files(
    connection: Connection, lists: Lists, before: str, only: Collection[str] | None = None
) -> dict[str, FileRef]:
    """Return the files in the lists since `before` or longer that no row names any more, at most MOST_FILES.

    With `only`, they are those in the lists of these forecasts. Reads the whole record, because forecasts share files.
    """
    listed = [(name, sha256, entry) for name, files in lists.items() for sha256, entry in files.items()]
    young = {sha256 for _, sha256, entry in listed if entry.since > before}
    chosen = lists.keys() if only is None else only
    due = {sha256: entry.ref for name, sha256, entry in listed if name in chosen and sha256 not in young}
    for _, named in _named_files(connection, lists) if due else ():
        for sha256 in named & due.keys():
            del due[sha256]
    return dict(list(due.items())[:MOST_FILES])


def file_users(connection: Connection) -> dict[str, frozenset[str]]:
    """Return the names of the forecasts whose rows name a file, by sha256. Reads the whole record."""
    users: dict[str, frozenset[str]] = {}
    for forecast, named in _named_files(connection, read_lists(connection)):
        alone = frozenset({forecast})
        for sha256 in named:
            users[sha256] = users[sha256] | alone if sha256 in users else alone
    return users


def _named_files(connection: Connection, lists: Lists) -> Iterator[tuple[str, set[str]]]:
    """Yield the forecast of each row, and the sha256 of the files that it names.

    The record of a version names its files for ever: those do not count that stand in the list of its own forecast.
    """
    for table, column in _NAMED_IN:
        for row in connection.execute(f"SELECT forecast, {column} AS text FROM {table}"):  # noqa: S608  (names of our own)
            named = set(_DIGEST.findall(row["text"]))
            yield row["forecast"], named - lists.get(row["forecast"], {}).keys() if table == "versions" else named


def forget_files(connection: Connection, lists: Lists, removed: Collection[str], at: str, *, is_part: bool) -> None:
    """Take removed files off all lists, and set when the lists have to be looked at next: at once if only a part was looked at."""
    connection.execute("DELETE FROM meta WHERE key = ?", (_NEXT,))
    for forecast, files in lists.items():
        left = {
            sha256: UnneededFile(entry.ref, min(entry.since, at))
            for sha256, entry in files.items()
            if sha256 not in removed
        }
        if left != files:
            write_list(connection, forecast, left, at)
    left_since = [entry.since for files in read_lists(connection).values() for entry in files.values()]
    if left_since:
        more = is_part or len(removed) >= MOST_FILES
        due = at if more else max(_after(min(left_since), GRACE), _after(at, _PAUSE))
        _write_next_look(connection, due)


def _write_next_look(connection: Connection, due: str) -> None:
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (_NEXT, due)
    )


@rows.refuse_foreign_rows
def _list_from_row(row: rows.Row) -> dict[str, UnneededFile]:
    entries = json.loads(row["value"])
    return {
        sha256: UnneededFile(FileRef(sha256, int(size), str(name)), _checked(since))
        for sha256, (size, name, since) in entries.items()
    }


def _checked(moment: str) -> str:
    datetime.fromisoformat(moment)
    return moment


def _after(moment: str, span: timedelta) -> str:
    return f"{datetime.fromisoformat(moment) + span:%Y-%m-%dT%H:%M:%SZ}"


def _is_far(moment: str, at: str) -> bool:
    """Return whether a moment is later than any that this module would write at `at`."""
    return moment > _after(at, GRACE + _PAUSE)
