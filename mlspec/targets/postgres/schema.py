"""The record's tables in PostgreSQL, in a schema of their own, with the two tables that stand in for a folder: files and locks."""

from __future__ import annotations

import re
from functools import lru_cache

from mlspec.targets.record.schema import LOOP, RECORDS, TABLES

SCHEMA = "mlspec"

# How SQLite's words are written here. Text sorts and compares byte by byte, as it does there, whatever language the server speaks.
_WORDS = (
    ("id INTEGER PRIMARY KEY", "id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    ("INTEGER", "BIGINT"),
    ("TEXT", 'TEXT COLLATE "C"'),
    (") STRICT", ")"),
)
# A file's bytes in parts of at most PART bytes. They are compressed already, where that pays: kept as they are.
_FILES = """
CREATE TABLE chunks (sha256 TEXT NOT NULL, part INTEGER NOT NULL, data BYTEA NOT NULL, PRIMARY KEY (sha256, part)) STRICT;
ALTER TABLE chunks ALTER COLUMN data SET STORAGE EXTERNAL;
"""
# What the holder of a lock says of itself; the lock itself is the server's.
_LOCKS = "CREATE TABLE locks (forecast TEXT PRIMARY KEY, holder TEXT NOT NULL) STRICT;\n"
_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF (SELECT value FROM mlspec.meta WHERE key = 'purging') = OLD.forecast THEN
      RETURN OLD;
    END IF;
  END IF;
  RAISE EXCEPTION 'a record is never changed';
END $$;
"""


# A text in SQL, or what would be taken for a place of a value where it is none.
_LITERAL_OR_MARK = re.compile(r"'(?:[^']|'')*'|%")


@lru_cache(maxsize=256)  # the record has some dozens of statements
def to_psycopg_sql(statement: str) -> str:
    """Return a statement with `%s` for each `?`. Raises ValueError where it holds a percent sign, or `?` inside a text: there both
    are no places of values, and psycopg would take them for some. Such a text is given as a value instead."""
    for match in _LITERAL_OR_MARK.finditer(statement):
        if "%" in match[0] or "?" in match[0]:
            raise ValueError(f"{match[0]} in a statement: give it as a value, {statement!r}")
    return statement.replace("?", "%s")


def to_postgres_sql(script: str) -> str:
    """Return a script that SQLite understands in PostgreSQL's words."""
    for theirs, ours in _WORDS:
        script = script.replace(theirs, ours)
    return script


def postgres_schema() -> str:
    """Return the SQL that makes an empty state inside the schema `mlspec`, its triggers included."""
    triggers = "".join(
        f"CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse();\n"
        f"CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table} EXECUTE FUNCTION refuse();\n"
        for table in RECORDS  # names of our own, no user's text
    )
    parts = "CREATE TRIGGER chunks_rows BEFORE UPDATE ON chunks FOR EACH ROW EXECUTE FUNCTION refuse();\n"
    return to_postgres_sql(TABLES + LOOP + _FILES + _LOCKS) + _REFUSE + triggers + parts
