"""The shared store of a team: one PostgreSQL database for records, files and locks. Raises MissingExtra without psycopg."""

from mlspec.errors import MissingExtra

try:
    import psycopg as psycopg
except ImportError as missing:  # psycopg also raises it if its client library libpq is missing
    raise MissingExtra("psycopg", "postgres") from missing
