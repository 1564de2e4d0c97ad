"""A source that does not fit into memory is refused before it is read, with both numbers, and a step that runs out says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from mlspec import jobs
from mlspec.cli import main as front
from mlspec.errors import DataError, TargetError, UsageError
from mlspec.forecast.reading import budget, csv_file, parquet_file
from mlspec.forecast.reading.column import as_text
from mlspec.forecast.reading.dialect import PLAIN
from mlspec.forecast.reading.table import Table
from mlspec.forecast.reading.table import read_table as read_dialect
from mlspec.jobs.profile import profile_file
from mlspec.memory import VARIABLE, format_size, free_memory, step_memory
from mlspec.state.step import StepRequest, StepResult
from tests.examples import project, spec_json
from tests.jobs.pipeline import Pipeline
from tests.tools import needs_linux

COLUMNS = ["shop", "day", "units"]
DAY = pd.Timestamp("2024-01-01")


def write(path: Path, rows: int, shop: str = "001", **options: Any) -> Path:
    """A Parquet file of rows that are all the same: some kilobytes, however many they are."""
    shops = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, "int32")), pa.array([shop]))
    days, units = pa.repeat(pa.scalar(DAY, pa.timestamp("us")), rows), pa.repeat(pa.scalar(1.0), rows)
    pa_parquet.write_table(pa.table([shops, days, units], names=COLUMNS), path, **options)
    return path


def read_table(files: list[Path], columns: list[str], where: str) -> Table:
    """Read files of a spec that says nothing of how they are written."""
    return read_dialect(files, columns, PLAIN, where)


def no_reading(*_words: object, **_options: object) -> None:
    pytest.fail("it was read")


def test_a_small_file_of_too_many_rows_is_refused_by_its_footer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "sales.parquet", 3_000_000)
    assert file.stat().st_size < 200_000
    monkeypatch.setenv(VARIABLE, "256MiB")
    monkeypatch.setattr(parquet_file.ParquetTable, "read", no_reading)
    with pytest.raises(
        DataError, match=r"its 3,000,000 rows need about .* of memory, and a step may use 256 MiB"
    ) as said:
        read_table([file], COLUMNS, "dataset.source")
    assert f"the environment variable {VARIABLE}" in said.value.message
    assert VARIABLE in str(said.value.hint)
    monkeypatch.setattr(budget, "MOST_ROWS", 1000)
    with pytest.raises(DataError, match="3,000,000 rows; at most 1,000 are read"):
        read_table([file], COLUMNS, "dataset.source")


def test_files_that_fit_one_by_one_and_not_together_are_refused_before_any_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [write(tmp_path / f"{number}.parquet", 200_000) for number in range(5)]
    monkeypatch.setenv(VARIABLE, "80MiB")
    assert len(read_table(files[:1], COLUMNS, "dataset.source")) == 200_000
    monkeypatch.setattr(parquet_file.ParquetTable, "read", no_reading)
    with pytest.raises(DataError, match=r"with '\d.parquet' its .* rows need"):
        read_table(files, COLUMNS, "dataset.source")


def test_a_long_text_that_many_rows_use_is_counted_before_it_is_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five thousand rows of one megabyte each are a file of some kilobytes."""
    file = write(tmp_path / "sales.parquet", 5000, "x" * 2**20)
    assert file.stat().st_size < 5_000_000
    monkeypatch.setenv(VARIABLE, "512MiB")
    monkeypatch.setattr(parquet_file, "_as_known_type", no_reading)
    with pytest.raises(DataError, match=r"need about 4\.9 GiB of memory"):
        read_table([file], COLUMNS, "dataset.source")


def test_a_csv_file_of_too_many_lines_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("a,b\n" + "1,\n" * 200_000)
    monkeypatch.setenv(VARIABLE, "16MiB")
    monkeypatch.setattr(csv_file.CsvFile, "read", no_reading)
    with pytest.raises(DataError, match=r"its 200,001 rows need about .* a step may use 16 MiB"):
        read_table([file], ["a", "b"], "dataset.source")


def test_a_footer_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(tmp_path / "shop")
    file = root / "data/sales.parquet"
    with file.open("wb") as stream:  # a file with a hole: it takes no room on the disk
        stream.write(b"PAR1")
        stream.seek(200 * 2**20)
        stream.write((150 * 2**20).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(DataError, match="its footer has 150 MiB, and at most 64 MiB are read"):
        read_table([file], COLUMNS, "dataset.source")
    spec = root / "specs/demand.yaml"
    spec.write_text(spec.read_text().replace("sales.csv", "sales.parquet"))
    monkeypatch.chdir(root)
    assert front.run(["validate", "--data"]) == 1
    file.write_bytes(b"PAR1 not a file PAR1"[:9])
    with pytest.raises(DataError, match="it is no Parquet file, or it is truncated"):
        read_table([file], COLUMNS, "dataset.source")


@pytest.mark.parametrize("values", [[[1, 2]], [{"a": 1}]])
def test_a_column_of_lists_or_objects_is_refused_by_its_name(tmp_path: Path, values: list[Any]) -> None:
    pa_parquet.write_table(pa.table({"shop": values, "day": [DAY], "units": [1]}), tmp_path / "sales.parquet")
    with pytest.raises(DataError, match=r"the column 'shop' of 'sales.parquet' holds .*, not single values"):
        read_table([tmp_path / "sales.parquet"], COLUMNS, "dataset.source")


def test_every_kind_of_column_reads_as_it_is_stored(tmp_path: Path) -> None:
    """In several row groups, with missing values, as text of a dictionary or not, and without a row."""
    frame = pd.DataFrame(
        {
            "shop": pd.Series(["001", None, "süd", "001"] * 30_000, dtype=object),
            "kind": pd.Categorical(["a", "b", "a", "b"] * 30_000),
            "day": pd.date_range("2024-01-01", periods=120_000, freq="h"),
            "units": np.arange(120_000) / 7,
            "count": np.arange(120_000),
            "open": [True, False] * 60_000,
            "raw": [b"x", b"yy"] * 60_000,
        }
    )
    for name, rows in (("whole.parquet", frame), ("none.parquet", frame[:0])):
        rows.to_parquet(tmp_path / name, row_group_size=50_000)
        found = read_table([tmp_path / name], list(frame), "dataset.source")
        assert len(found) == len(rows)
        assert list(found.origin["row"]) == list(range(1, len(rows) + 1))
        assert set(found.origin["file"]) <= {name}
        for column in ("shop", "kind"):
            assert list(as_text(found.columns[column]).strings()) == list(rows[column].astype(object).fillna(""))
        assert list(as_text(found.columns["raw"]).strings()) == [each.decode() for each in rows["raw"]]
        for column in ("day", "units", "count", "open"):
            assert list(found.columns[column]) == list(rows[column])


def test_rows_of_a_csv_file_keep_their_numbers(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("a,b\n1,2\n1\n3,4\n5,6,7\n8,9\n")
    found = read_table([file], ["a", "b"], "dataset.source")
    assert list(found.origin["row"]) == [2, 4, 6]
    assert [row.row for row in found.ragged] == [3, 5]


def test_one_early_date_does_not_make_a_panel_that_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"s{number},{day},1" for number in range(50) for day in ("1950-01-01", "2024-02-11", "2024-02-12")]
    run = Pipeline(tmp_path, dataset={"checks": {"completeness": {"min": 0.0}}}).data(
        "\n".join(["shop,day,units", *lines])
    )
    monkeypatch.setenv(VARIABLE, "100MiB")
    with pytest.raises(DataError, match=r"50 series have 1,35\d,\d+ periods .* a step may use 100 MiB") as said:
        run.check()
    assert "dates that are far too early" in str(said.value.hint)


def test_a_step_that_takes_more_than_is_free_fails_and_is_not_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_linux("elsewhere the memory of a process has no bound")

    def greedy(*_: object) -> StepResult:
        return StepResult({}, {"sum": float(np.ones(2**28).sum())})  # 2 GiB

    monkeypatch.setattr("mlspec.jobs.check.run", greedy)
    monkeypatch.setenv(VARIABLE, "300MiB")
    request = StepRequest("check", spec_json(), tmp_path, tmp_path, {}, {})
    with pytest.raises(TargetError, match="not enough memory for check: a step may use 300 MiB") as said:
        jobs.run(request, lambda *_: None)
    assert VARIABLE in str(said.value.hint)
    monkeypatch.setattr("mlspec.jobs.check.run", lambda *_: StepResult({}, {"sum": float(np.ones(2**20).sum())}))
    assert jobs.run(request, lambda *_: None).facts["sum"] == 2**20  # and the bound is gone with the step


def machine(root: Path, *groups: tuple[str, str]) -> Path:
    """A machine of 8 GiB with 2 free, and files of its control groups."""
    meminfo = "MemTotal: 8388608 kB\nMemAvailable: 2097152 kB\nSwapFree: 0 kB\n"
    for name, text in (("proc/meminfo", meminfo), *groups):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


GIB = 2**30
V2 = (
    ("proc/self/cgroup", "0::/job/step\n"),
    ("sys/fs/cgroup/job/step/memory.max", "max\n"),
    ("sys/fs/cgroup/job/step/memory.current", f"{GIB}\n"),
    ("sys/fs/cgroup/job/memory.max", f"{3 * GIB}\n"),
    ("sys/fs/cgroup/job/memory.current", f"{2 * GIB}\n"),
    ("sys/fs/cgroup/job/memory.stat", f"anon 1\ninactive_file {GIB // 2}\n"),
)
V1 = (
    (
        "proc/self/cgroup",
        "4:memory:/docker/abc\n1:cpu:/docker/abc\n",
    ),  # a name that is not there inside of the container
    ("sys/fs/cgroup/memory/memory.limit_in_bytes", f"{GIB}\n"),
    ("sys/fs/cgroup/memory/memory.usage_in_bytes", f"{GIB // 4}\n"),
)


def test_the_limit_is_that_of_the_machine_the_container_or_the_user(tmp_path: Path) -> None:
    plain, second, first = (machine(tmp_path / name, *files) for name, files in (("a", ()), ("b", V2), ("c", V1)))
    assert str(step_memory({}, plain)) == "8.0 GiB (the memory of this machine)"
    assert str(step_memory({}, second)) == "3.0 GiB (the limit of this container)"
    assert str(step_memory({}, first)) == "1.0 GiB (the limit of this container)"
    assert str(step_memory({VARIABLE: "24GiB"}, first)) == f"24.0 GiB (the environment variable {VARIABLE})"
    assert [free_memory({}, root) for root in (plain, second, first)] == [2 * GIB, 3 * GIB // 2, 3 * GIB // 4]
    assert free_memory({VARIABLE: "512m"}, plain) == GIB // 2


@pytest.mark.parametrize(("text", "size"), [("1048576", 2**20), ("2k", 2048), ("3 MB", 3 * 2**20), ("1TiB", 2**40)])
def test_a_size_is_written_as_people_do(tmp_path: Path, text: str, size: int) -> None:
    assert step_memory({VARIABLE: text}, machine(tmp_path)).size == size


@pytest.mark.parametrize("text", ["much", "0", "-1", "1.5G", "12 apples", "9GiBB"])
def test_a_size_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="which is no size") as said:
        step_memory({VARIABLE: text}, machine(tmp_path))
    assert "24GiB" in str(said.value.hint)


def test_sizes_are_told_in_units() -> None:
    assert [format_size(size) for size in (5, 2048, 5 * 2**20, 9.3 * 2**30)] == ["5 bytes", "2 KiB", "5 MiB", "9.3 GiB"]


def test_init_reads_no_more_of_a_file_than_it_looks_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "sales.parquet", 500_000, row_group_size=100_000)
    monkeypatch.setattr("mlspec.jobs.profile._MOST_ROWS", 1000)
    monkeypatch.setattr(pd, "read_parquet", no_reading)
    with pytest.raises(DataError):  # a single day is no history
        profile_file(file, {}, None, {})
    long = tmp_path / "long.csv"
    long.write_text("shop,day,units\n" + "x" * 3_000_000 + "\n")
    with pytest.raises(DataError, match=r"row 2 'x{40}' has 1 fields"):
        profile_file(long, {}, None, {})
