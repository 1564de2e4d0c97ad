"""Datasets and tables: DuckDB holds the rows, and here stands what the API says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.rest import Json
from tests.gcp.standin.services.bigquery import values


@dataclass(frozen=True)
class Name:
    """A table's name, and behind `$` the day of a partition, as in `sales$20240101`."""

    project: str
    dataset: str
    table: str
    partition: str = ""

    @classmethod
    def of(cls, reference: Json) -> Name:
        """Return the name that a tableReference is."""
        table, _, partition = reference["tableId"].partition("$")
        return cls(reference["projectId"], reference["datasetId"], table, partition)

    @property
    def sql(self) -> str:
        """The table as DuckDB knows it: a dataset of a project is a schema."""
        return f'"{self.project}.{self.dataset}"."{self.table}"'

    @property
    def reference(self) -> Json:
        """The name as the API writes it."""
        return {"projectId": self.project, "datasetId": self.dataset, "tableId": self.table}

    def __str__(self) -> str:
        return f"{self.project}:{self.dataset}.{self.table}"


@dataclass
class Warehouse:
    """All datasets of one cloud."""

    cloud: Cloud
    datasets: dict[tuple[str, str], Json] = field(default_factory=dict)
    tables: dict[Name, Json] = field(default_factory=dict)
    jobs: dict[tuple[str, str], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.duck = duckdb.connect(":memory:", config={"threads": 1})
        self.duck.execute("SET TimeZone = 'UTC'")
        # Another digest than BigQuery's, as good for telling one row from another.
        self.duck.execute("CREATE MACRO FARM_FINGERPRINT(x) AS CAST(hash(x) >> 1 AS BIGINT)")

    def add_dataset(self, project: str, name: str, said: Json) -> Json:
        """Make a dataset. Raises Refused where it exists."""
        if (project, name) in self.datasets:
            raise Refused("ALREADY_EXISTS", f"Already Exists: Dataset {project}:{name}", reason="duplicate")
        self.duck.execute(f'CREATE SCHEMA "{project}.{name}"')
        reference = {"projectId": project, "datasetId": name}
        self.datasets[project, name] = {
            "location": "US",
            **said,
            "kind": "bigquery#dataset",
            "datasetReference": reference,
        }
        return self.datasets[project, name]

    def dataset(self, project: str, name: str) -> Json:
        """Return a dataset. Raises Refused."""
        if (project, name) not in self.datasets:
            raise Refused("NOT_FOUND", f"Not found: Dataset {project}:{name}")
        return self.datasets[project, name]

    def drop_dataset(self, project: str, name: str, *, contents: bool) -> None:
        """Remove a dataset, and what is in it only with `contents`. Raises Refused."""
        tables = self.names(project, name)
        if tables and not contents:
            said = f"Dataset {project}:{name} is still in use"
            raise Refused("INVALID_ARGUMENT", said, reason="resourceInUse")
        self.duck.execute(f'DROP SCHEMA "{project}.{name}" CASCADE')
        del self.datasets[project, name]
        for table in tables:
            self.tables.pop(table, None)

    def names(self, project: str, dataset: str) -> list[Name]:
        """Return a dataset's tables; a query may have made one."""
        self.dataset(project, dataset)
        found = self.duck.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = ? ORDER BY 1", [f"{project}.{dataset}"]
        )
        return [Name(project, dataset, row[0]) for row in found.fetchall()]

    def exists(self, name: Name) -> bool:
        """Say whether a table is there."""
        return name in self.names(name.project, name.dataset)

    def create(self, name: Name, said: Json) -> None:
        """Make an empty table of the schema that is said of it."""
        if self.exists(name):
            raise Refused("ALREADY_EXISTS", f"Already Exists: Table {name}", reason="duplicate")
        fields = said.get("schema", {}).get("fields")
        if not fields:
            raise invalid("the stand-in makes tables with a schema")
        columns = ", ".join(
            f'"{each["name"]}" {values.duck(each)}{" NOT NULL" if each.get("mode") == "REQUIRED" else ""}'
            for each in fields
        )
        self.duck.execute(f"CREATE TABLE {name.sql} ({columns})")
        self.tables[name] = said
        self._changed(name)

    def drop(self, name: Name) -> None:
        """Remove a table. Raises Refused where it is not there."""
        self.table(name)
        self.duck.execute(f"DROP TABLE {name.sql}")
        self.tables.pop(name, None)

    def table(self, name: Name) -> Json:
        """Return what the API says of a table. Raises Refused."""
        name = Name(name.project, name.dataset, name.table)
        if not self.exists(name):
            raise Refused("NOT_FOUND", f"Not found: Table {name}")
        said = self.tables.get(name, {})
        given = {each["name"]: each for each in said.get("schema", {}).get("fields", [])}
        empty = self.select(f"SELECT * FROM {name.sql} LIMIT 0")
        fields = [{**each, **given.get(each["name"], {})} for each in values.schema(empty)["fields"]]
        count = self.duck.execute(f"SELECT count(*) FROM {name.sql}").fetchall()[0][0]
        return {
            **said, "kind": "bigquery#table", "id": str(name), "type": "TABLE", "tableReference": name.reference,
            "schema": {"fields": fields}, "numRows": str(count),
            "location": self.dataset(name.project, name.dataset)["location"],
        }  # fmt: skip

    def fields(self, name: Name) -> list[Json]:
        """Return the fields of a table's schema; none where it is not there."""
        whole = Name(name.project, name.dataset, name.table)
        return list(self.table(whole)["schema"]["fields"]) if self.exists(whole) else []

    def add_fields(self, name: Name, added: Sequence[Json]) -> None:
        """Add columns to a table; its rows have no value in them."""
        whole = Name(name.project, name.dataset, name.table)
        for each in added:
            self.duck.execute(f'ALTER TABLE {whole.sql} ADD COLUMN "{each["name"]}" {values.duck(each)}')
        if added:
            said = self.tables[whole]
            self.tables[whole] = {**said, "schema": {"fields": [*said.get("schema", {}).get("fields", []), *added]}}

    def select(self, sql: str, parameters: dict[str, Any] | None = None) -> pa.Table:
        """Return what a query in DuckDB's language finds."""
        return self.duck.sql(sql, params=parameters or None).to_arrow_table()

    def query(self, text: str, project: str, default: Json | None, given: dict[str, Any]) -> tuple[str, pa.Table]:
        """Return the kind of a statement in BigQuery's language and what it finds. Raises Refused as BigQuery would."""
        try:
            statement = sqlglot.parse_one(text, read="bigquery")
            self._rename(statement, project, default)
            return statement.key.upper(), self.select(statement.sql("duckdb", identify=True), given)
        except (sqlglot.errors.SqlglotError, duckdb.Error) as wrong:
            raise Refused("INVALID_ARGUMENT", f"{wrong}", reason="invalidQuery") from None

    def _rename(self, statement: exp.Expression, project: str, default: Json | None) -> None:
        inner = {each.alias for each in statement.find_all(exp.CTE)}
        for table in statement.find_all(exp.Table):
            if not isinstance(table.this, exp.Identifier) or (not table.db and table.name in inner):
                continue
            dataset = table.db or (default or {}).get("datasetId")
            if not dataset:
                raise invalid(f'Table "{table.name}" must be qualified with a dataset (e.g. dataset.table).')
            name = Name(table.catalog or project, dataset, table.name)
            if statement.key != "create" and not self.exists(name):
                raise Refused("NOT_FOUND", f"Not found: Table {name}")
            table.set("catalog", None)
            table.set("db", exp.to_identifier(f"{name.project}.{dataset}", quoted=True))

    def write(self, name: Name, incoming: pa.Table, how: Json) -> None:
        """Write rows as a job's configuration says: writeDisposition, createDisposition, schema, partition."""
        whole = Name(name.project, name.dataset, name.table)
        disposition = how.get("writeDisposition", "WRITE_APPEND")
        there = self.exists(whole)
        if not there and how.get("createDisposition") == "CREATE_NEVER":
            raise Refused("NOT_FOUND", f"Not found: Table {whole}")
        if there and disposition == "WRITE_EMPTY" and self.table(whole)["numRows"] != "0":
            raise Refused("ALREADY_EXISTS", f"Already Exists: Table {whole}", reason="duplicate")
        if there and disposition == "WRITE_TRUNCATE" and not name.partition:
            self.drop(whole)
            there = False
        if not there:
            said = {key: how[key] for key in ("timePartitioning", "clustering") if key in how}
            self.create(whole, {**said, "schema": how.get("schema") or values.schema(incoming)})
        self._insert(whole, incoming, name.partition, replaces=disposition == "WRITE_TRUNCATE")
        self._changed(whole)

    def _changed(self, name: Name) -> None:
        now = str(round(self.cloud.now().timestamp() * 1000))
        self.tables[name] = {**self.tables.get(name, {}), "lastModifiedTime": now}

    def _insert(self, name: Name, incoming: pa.Table, partition: str, *, replaces: bool) -> None:
        self.duck.register("incoming", incoming)
        try:
            self.duck.execute("BEGIN")
            if partition:
                self._enter(name, partition, replaces=replaces)
            self.duck.execute(f"INSERT INTO {name.sql} BY NAME SELECT * FROM incoming")
            self.duck.execute("COMMIT")
        except (duckdb.Error, Refused) as wrong:
            self.duck.execute("ROLLBACK")
            raise (
                wrong
                if isinstance(wrong, Refused)
                else invalid(f"Provided Schema does not match Table {name}. {wrong}")
            ) from None
        finally:
            self.duck.unregister("incoming")

    def _enter(self, name: Name, partition: str, *, replaces: bool) -> None:
        """Empty the day that is replaced. Raises Refused where a row is of another day, or the table is not partitioned."""
        column = self.tables.get(name, {}).get("timePartitioning", {}).get("field")
        if not column or len(partition) != 8:
            raise invalid(f"the stand-in knows partitions by day of a column, and {name} has none")
        day = datetime.strptime(f"{partition}+0000", "%Y%m%d%z").date()
        others = self.duck.execute(
            f'SELECT count(*) FROM incoming WHERE CAST("{column}" AS DATE) <> ?', [day]
        ).fetchall()
        if others[0][0]:
            raise invalid(
                f"Some rows belong to different partitions rather than destination partition {name.table}${partition}"
            )
        if replaces:
            self.duck.execute(f'DELETE FROM {name.sql} WHERE CAST("{column}" AS DATE) = ?', [day])
