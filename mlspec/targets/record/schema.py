"""The tables of a record, schema version 2, in SQLite's dialect. Another database translates them to its own dialect.

Records are inserted once. Triggers refuse to update them, and to delete them outside a purge; each database defines its own
triggers. State that changes (observed resources, conditions) has separate tables. JSON columns hold canonical JSON.
"""

from __future__ import annotations

SCHEMA_VERSION = 2

RECORDS = ("steps", "versions", "releases", "runs", "events", "journal")

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE steps (
  forecast TEXT NOT NULL, step TEXT NOT NULL, key TEXT NOT NULL,
  outputs TEXT NOT NULL, facts TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (forecast, step, key)
) STRICT;

CREATE TABLE versions (
  id INTEGER PRIMARY KEY, forecast TEXT NOT NULL, version TEXT NOT NULL, created TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('passed', 'rejected')), record TEXT NOT NULL,
  UNIQUE (forecast, version)
) STRICT;

CREATE TABLE releases (
  forecast TEXT NOT NULL, release INTEGER NOT NULL, version TEXT NOT NULL, created TEXT NOT NULL,
  spec_hash TEXT NOT NULL, spec TEXT NOT NULL,
  PRIMARY KEY (forecast, release),
  FOREIGN KEY (forecast, version) REFERENCES versions (forecast, version)
) STRICT;

CREATE TABLE runs (
  id INTEGER PRIMARY KEY, forecast TEXT NOT NULL, version TEXT NOT NULL, created TEXT NOT NULL, record TEXT NOT NULL,
  FOREIGN KEY (forecast, version) REFERENCES versions (forecast, version)
) STRICT;

CREATE TABLE events (
  id INTEGER PRIMARY KEY, forecast TEXT NOT NULL, at TEXT NOT NULL,
  type TEXT NOT NULL CHECK (type IN ('Normal', 'Warning')), reason TEXT NOT NULL, message TEXT NOT NULL, version TEXT
) STRICT;

CREATE TABLE journal (
  id INTEGER PRIMARY KEY, forecast TEXT NOT NULL, resource TEXT NOT NULL,
  phase TEXT NOT NULL CHECK (phase IN ('started', 'done', 'failed')), detail TEXT NOT NULL, at TEXT NOT NULL
) STRICT;

CREATE TABLE resources (
  forecast TEXT NOT NULL, kind TEXT NOT NULL, fields TEXT NOT NULL, facts TEXT NOT NULL, files TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (forecast, kind)
) STRICT;

CREATE TABLE conditions (
  forecast TEXT NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL CHECK (status IN ('True', 'False', 'Unknown')),
  reason TEXT NOT NULL, message TEXT NOT NULL, since TEXT NOT NULL,
  PRIMARY KEY (forecast, type)
) STRICT;
"""

# Since schema 2: the loop's ledger, the notices to deliver, and the request counts of prediction servers.
LOOP = """
CREATE TABLE ledgers (forecast TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY, forecast TEXT NOT NULL, notice TEXT NOT NULL, receiver TEXT NOT NULL, record TEXT NOT NULL,
  attempts INTEGER NOT NULL, next_at TEXT, delivered_at TEXT, problem TEXT NOT NULL,
  UNIQUE (forecast, notice, receiver)
) STRICT;

CREATE TABLE served (
  forecast TEXT NOT NULL, version TEXT NOT NULL, minute TEXT NOT NULL,
  requests INTEGER NOT NULL, errors INTEGER NOT NULL, took TEXT NOT NULL,
  PRIMARY KEY (forecast, minute, version)
) STRICT;
"""
# Tables of state that changes; their rows are removed with the forecast.
MOVING = ("resources", "conditions", "ledgers", "outbox", "served")
