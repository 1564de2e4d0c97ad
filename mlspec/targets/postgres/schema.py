"""The record's tables in PostgreSQL, in a separate schema, and the tables for files and locks, which replace a folder."""

from __future__ import annotations

import re
from functools import lru_cache

from mlspec.targets.record.schema import LOOP, RECORDS, TABLES

SCHEMA = "mlspec"

# SQLite's SQL and its PostgreSQL form. Text is compared byte by byte, as in SQLite, whatever the server's locale.
_WORDS = (
    ("id INTEGER PRIMARY KEY", "id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    ("INTEGER", "BIGINT"),
    ("TEXT", 'TEXT COLLATE "C"'),
    (") STRICT", ")"),
)
# A file's bytes in parts of at most PART bytes. Large files are compressed already, so the server does not compress them.
_FILES = """
CREATE TABLE chunks (sha256 TEXT NOT NULL, part INTEGER NOT NULL, data BYTEA NOT NULL, PRIMARY KEY (sha256, part)) STRICT;
ALTER TABLE chunks ALTER COLUMN data SET STORAGE EXTERNAL;
"""
# The description of each lock's holder. The lock itself is an advisory lock of the server.
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


# A text literal in SQL, a placeholder, or a percent sign.
_LITERAL_OR_MARK = re.compile(r"'(?:[^']|'')*'|%")


@lru_cache(maxsize=256)  # the record has some dozens of statements
def to_psycopg_sql(statement: str) -> str:
    """Return a statement with `%s` for each `?`. Raises ValueError if it has a percent sign, or `?` inside a text literal, which
    psycopg would take for placeholders. Pass such a text as a value instead."""
    for match in _LITERAL_OR_MARK.finditer(statement):
        if "%" in match[0] or "?" in match[0]:
            raise ValueError(f"{match[0]} in a statement: pass it as a value, {statement!r}")
    return statement.replace("?", "%s")


def to_postgres_sql(script: str) -> str:
    """Return a SQLite script translated to PostgreSQL."""
    for theirs, ours in _WORDS:
        script = script.replace(theirs, ours)
    return script


def postgres_schema() -> str:
    """Return the SQL that creates an empty state inside the schema `mlspec`, with its triggers."""
    triggers = "".join(
        f"CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse();\n"
        f"CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table} EXECUTE FUNCTION refuse();\n"
        for table in RECORDS  # constants, no user input
    )
    parts = "CREATE TRIGGER chunks_rows BEFORE UPDATE ON chunks FOR EACH ROW EXECUTE FUNCTION refuse();\n"
    return to_postgres_sql(TABLES + LOOP + _FILES + _LOCKS) + _REFUSE + triggers + parts
