"""The store that a team shares: one PostgreSQL database for records, files and locks. Importing it without the extra says so."""

from mlspec.errors import MissingExtra

try:
    import psycopg as psycopg
except ImportError as missing:  # psycopg also raises it where the client library that it wraps is not there
    raise MissingExtra("psycopg", "postgres") from missing
