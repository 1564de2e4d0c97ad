"""Datasets and tables: DuckDB holds the rows, and here stands what the API says of them."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.rest import Json
from tests.gcp.standin.services.bigquery import values

_PARTITIONS = {"DAY": "%Y%m%d", "YEAR": "%Y"}
_DIGITS = {"%Y%m%d": 8, "%Y": 4}
_COMPARED = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In)
_NUMBERS = itertools.count(1)


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """Return the process's one DuckDB. To start one takes twenty times as long as to attach a database to it."""
    return duckdb.connect(":memory:", config={"threads": 1})


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
        self._database = f"warehouse_{next(_NUMBERS)}"
        self.duck = _engine().cursor()
        self.duck.execute(f"ATTACH ':memory:' AS {self._database}")
        self.duck.execute(f"USE {self._database}")
        self.duck.execute("SET TimeZone = 'UTC'")
        # Another digest than BigQuery's, as good for telling one row from another.
        self.duck.execute("CREATE MACRO FARM_FINGERPRINT(x) AS CAST(hash(x) >> 1 AS BIGINT)")

    def __deepcopy__(self, memo: dict[int, Any]) -> Warehouse:
        """Return one with the same rows, in a database of its own."""
        found = memo[id(self)] = Warehouse(copy.deepcopy(self.cloud, memo))
        found.datasets, found.tables = copy.deepcopy(self.datasets, memo), copy.deepcopy(self.tables, memo)
        found.jobs = copy.deepcopy(self.jobs, memo)
        found.duck.execute("DROP MACRO FARM_FINGERPRINT")  # it comes with the copy
        found.duck.execute(f"COPY FROM DATABASE {self._database} TO {found._database}")
        return found

    def close(self) -> None:
        """Let go of the rows."""
        self.duck.close()
        _engine().cursor().execute(f"DETACH {self._database}")

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
        tables = [*self.names(project, name), *self.views_of(project, name)]
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
            "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? ORDER BY 1",
            [self._database, f"{project}.{dataset}"],
        )
        return [Name(project, dataset, row[0]) for row in found.fetchall()]

    def views_of(self, project: str, dataset: str) -> list[Name]:
        """Return a dataset's views."""
        return [
            name
            for name, said in self.tables.items()
            if (name.project, name.dataset) == (project, dataset) and "view" in said
        ]

    def is_view(self, name: Name) -> bool:
        """Say whether a name is a view's."""
        return "view" in self.tables.get(Name(name.project, name.dataset, name.table), {})

    def exists(self, name: Name) -> bool:
        """Say whether a table or a view is there."""
        return name in self.names(name.project, name.dataset) or self.is_view(name)

    def create(self, name: Name, said: Json) -> None:
        """Make an empty table of the schema that is said of it."""
        if self.exists(name):
            raise Refused("ALREADY_EXISTS", f"Already Exists: Table {name}", reason="duplicate")
        if "view" in said:
            self.write_view(name, said)
            return
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

    def write_view(self, name: Name, said: Json) -> None:
        """Make a view, or give it another query. Raises Refused where its query is none, or names what is not there.

        Sources: cloud.google.com/bigquery/docs/views#view_limitations, and the field `view` of
        cloud.google.com/bigquery/docs/reference/rest/v2/tables.
        """
        query = said["view"].get("query", "")
        if said["view"].get("useLegacySql", True):
            raise invalid(
                "the stand-in knows views in GoogleSQL only: a view is in legacy SQL unless useLegacySql is false"
            )
        both = [key for key in ("schema", "timePartitioning", "clustering", "encryptionConfiguration") if key in said]
        if both:
            raise invalid(f"Invalid field for a view: {both[0]}")
        statement = sqlglot.parse_one(query, read="bigquery")
        if not isinstance(statement, exp.Query):
            raise invalid("Only SELECT statements are allowed in view queries")
        bare = [each.name for each in statement.find_all(exp.Table) if not each.catalog and each.db]
        if bare:
            raise invalid(f"Invalid view query: table {bare[0]} has no project")
        self.query(query, name.project, None, {})
        self.tables[name] = said
        self._changed(name)

    def drop(self, name: Name) -> None:
        """Remove a table or a view. Raises Refused where it is not there."""
        self.table(name)
        if not self.is_view(name):
            self.duck.execute(f"DROP TABLE {name.sql}")
        self.tables.pop(name, None)

    def table(self, name: Name) -> Json:
        """Return what the API says of a table. Raises Refused."""
        name = Name(name.project, name.dataset, name.table)
        if not self.exists(name):
            raise Refused("NOT_FOUND", f"Not found: Table {name}")
        said = self.tables.get(name, {})
        if "view" in said:
            return self._view(name, said)
        given = {each["name"]: each for each in said.get("schema", {}).get("fields", [])}
        empty = self.select(f"SELECT * FROM {name.sql} LIMIT 0")
        fields = [{**each, **given.get(each["name"], {})} for each in values.schema(empty)["fields"]]
        count = self.duck.execute(f"SELECT count(*) FROM {name.sql}").fetchall()[0][0]
        return {
            **said, "kind": "bigquery#table", "id": str(name), "type": "TABLE", "tableReference": name.reference,
            "schema": {"fields": fields}, "numRows": str(count),
            "location": self.dataset(name.project, name.dataset)["location"],
        }  # fmt: skip

    def _view(self, name: Name, said: Json) -> Json:
        """Return what the API says of a view: no rows, and the schema of its query."""
        _, found = self.query(
            f"SELECT * FROM `{name.project}.{name.dataset}.{name.table}` LIMIT 0", name.project, None, {}
        )
        return {
            **said, "kind": "bigquery#table", "id": str(name), "type": "VIEW", "tableReference": name.reference,
            "schema": values.schema(found), "location": self.dataset(name.project, name.dataset)["location"],
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
            if self.is_view(name):
                table.replace(self._inlined(name, table.alias or name.table))
                continue
            self._check_filter(name, table)
            table.set("catalog", None)
            table.set("db", exp.to_identifier(f"{name.project}.{dataset}", quoted=True))

    def _check_filter(self, name: Name, table: exp.Table) -> None:
        """Raise Refused where a table asks for a filter by its partitions, and a query of it has none that needs no other query.

        Source: cloud.google.com/bigquery/docs/querying-partitioned-tables#require_a_partition_filter_in_queries.
        """
        said, select = self.tables.get(name, {}), table.parent_select
        if not said.get("requirePartitionFilter") or select is None:
            return
        column, where = said["timePartitioning"]["field"], select.args.get("where")
        terms = where.this.flatten() if where and isinstance(where.this, exp.And) else [where.this] if where else []
        if not any(
            isinstance(term, _COMPARED)
            and not term.find(exp.Select)
            and column in {found.name for found in term.find_all(exp.Column)}
            for term in terms
        ):
            raise invalid(
                f"Cannot query over table '{name}' without a filter over column(s) '{column}' that can be used for partition"
                " elimination"
            )

    def _inlined(self, name: Name, alias: str) -> exp.Expression:
        """Return a view's query as a part of another one."""
        inner = sqlglot.parse_one(self.tables[name]["view"]["query"], read="bigquery")
        self._rename(inner, name.project, None)
        return exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(alias)))

    def write(self, name: Name, incoming: pa.Table, how: Json) -> None:
        """Write rows as a job's configuration says: writeDisposition, createDisposition, schema, partition."""
        whole = Name(name.project, name.dataset, name.table)
        if self.is_view(whole):
            raise invalid(f"Cannot load or write into {whole}: it is of type VIEW")
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
        """Empty the day or year that is replaced. Raises Refused where a row is of another one, or the table is not partitioned."""
        said = self.tables.get(name, {}).get("timePartitioning", {})
        column, pattern = said.get("field"), _PARTITIONS.get(said.get("type", "DAY"), "")
        if not column or not re.fullmatch(r"[0-9]{4}([0-9]{4})?", partition) or len(partition) != _DIGITS.get(pattern):
            raise invalid(
                f"the stand-in knows partitions by day or year of a column, and {name} has none like {partition}"
            )
        of_row = f"strftime(CAST(\"{column}\" AS TIMESTAMP), '{pattern}')"
        others = self.duck.execute(f"SELECT count(*) FROM incoming WHERE {of_row} <> ?", [partition]).fetchall()
        if others[0][0]:
            raise invalid(
                f"Some rows belong to different partitions rather than destination partition {name.table}${partition}"
            )
        if replaces:
            self.duck.execute(f"DELETE FROM {name.sql} WHERE {of_row} = ?", [partition])
