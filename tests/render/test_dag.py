"""A spec's DAG is Python that anyone could have written: formatted, clean, importing Airflow's own API alone, spec text as data."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.render.dag import dag_file
from tests.render.specs import SPECS, all_files, resolved, with_words, write
from tests.render.test_quote import HOSTILE


def ruff(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ruff", *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = all_files(tmp_path_factory.mktemp("specs"))
    return write(files, tmp_path_factory.mktemp("out")) / "dags"


def test_it_is_formatted_as_ruff_formats(dags: Path) -> None:
    formatted = ruff("format", "--isolated", "--diff", str(dags))
    assert (formatted.returncode, formatted.stdout) == (0, "")


def test_ruffs_rules_for_airflow_and_for_security_hold(dags: Path) -> None:
    checked = ruff("check", "--isolated", "--select", "AIR,E4,E7,E9,F,I,B,S", "--ignore", "S603", str(dags))
    assert checked.returncode == 0, checked.stdout


def imports(tree: ast.Module) -> set[str]:
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {node.module or "" for node in top if isinstance(node, ast.ImportFrom)} | {
        alias.name for node in top if isinstance(node, ast.Import) for alias in node.names
    }


def test_at_its_top_it_imports_airflows_own_api_and_the_standard_library(dags: Path) -> None:
    for file in dags.glob("*.py"):
        assert imports(ast.parse(file.read_text())) <= {
            "__future__", "json", "logging", "os", "subprocess", "datetime", "zoneinfo", "airflow.sdk",
        }  # fmt: skip


def test_the_schedule_is_the_specs(dags: Path) -> None:
    weekly, twice, never = ((dags / f"mlspec_{name}.py").read_text() for name in ("weekly", "twice", "minimal"))
    assert 'schedule=SPEC["crons"][0]' in weekly
    assert '"0 6 * * MON"' in weekly
    assert '"timezone": "America/Sao_Paulo"' in weekly
    assert 'MultipleCronTriggerTimetable(*SPEC["crons"], timezone=SPEC["timezone"])' in twice
    assert "schedule=None" in never


@pytest.mark.parametrize(
    ("more", "steps"),
    [
        ("", set()),
        ("training: {machine: n2-highmem-8}\n", {"backtest", "train"}),
        ("deployment: {batch_machine: n2-highmem-8}\n", {"forecast"}),
    ],
)
def test_what_starts_a_job_on_a_machine_of_its_own_runs_as_the_loop_does(
    tmp_path: Path, more: str, steps: set[str]
) -> None:
    spec = resolved(SPECS["minimal"] + more, tmp_path)
    acting = constants(dag_file(spec.forecast, spec_hash=spec.spec_hash, target="prod", file="specs/minimal.yaml"))[
        "ACTING"
    ]
    assert acting == {"register", "roll-out", *steps}


def constants(text: str) -> dict[str, object]:
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue  # SETTINGS reads the environment
    return found


def shape(text: str) -> str:
    """Return a program with every text in it taken out: what is left is its code."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("specs")


words = st.text(st.characters(exclude_categories=("Cs",)), max_size=80) | st.sampled_from(HOSTILE)


@settings(max_examples=60)
@given(words, words)
def test_free_text_arrives_as_data_and_changes_no_code(folder: Path, description: str, owner: str) -> None:
    source = with_words({"description": description, "owner": owner or "x"}, folder)
    plain = with_words({"description": "", "owner": "x"}, folder)
    text, reference = (
        dag_file(each.spec, spec_hash=each.spec_hash, target="prod", file=each.file) for each in (source, plain)
    )
    spec = constants(text)["SPEC"]
    assert isinstance(spec, dict)
    assert (spec["description"], spec["owner"]) == (description, owner or "x")
    assert shape(text) == shape(reference)
