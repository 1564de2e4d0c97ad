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
from mlspec.state.pass_steps import PASS_STEPS, pass_step
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
    guarded = [node for each in tree.body if isinstance(each, ast.Try) for node in ast.walk(each)]
    top = [node for node in (*tree.body, *guarded) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {node.module or "" for node in top if isinstance(node, ast.ImportFrom)} | {
        alias.name for node in top if isinstance(node, ast.Import) for alias in node.names
    }


def test_at_its_top_it_imports_airflows_own_api_and_the_standard_library(dags: Path) -> None:
    for file in dags.glob("*.py"):
        assert imports(ast.parse(file.read_text())) <= {
            "__future__", "json", "logging", "os", "signal", "subprocess", "threading", "time", "datetime", "functools", "zoneinfo",
            "airflow.sdk", "airflow.timetables.trigger",  # the second where Airflow 3.1 has the timetable
        }  # fmt: skip


def test_the_schedule_is_the_specs(dags: Path) -> None:
    weekly, twice, never = ((dags / f"mlspec_{name}.py").read_text() for name in ("weekly", "twice", "minimal"))
    assert '"0 6 * * MON"' in weekly
    assert 'MultipleCronTriggerTimetable(*SPEC["crons"], timezone=SPEC["timezone"])' in weekly
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
    assert acting == {"move-traffic", "register", "roll-out", "finish", "publish-alerts", *steps}


def test_its_tasks_are_the_steps_of_a_pass_and_what_is_told_of_two_verdicts(tmp_path: Path) -> None:
    spec = resolved(SPECS["minimal"], tmp_path)
    found = constants(dag_file(spec.forecast, spec_hash=spec.spec_hash, target="prod", file="specs/minimal.yaml"))
    tasks = found["TASKS"]
    assert isinstance(tasks, dict)
    assert {name: tasks[name] for name in tasks if name not in ("alert", "kept_out")} == {
        step.task: ([pass_step(name).task for name in step.after], step.name) for step in PASS_STEPS
    }
    assert (tasks["alert"], tasks["kept_out"]) == ((["evaluate"], "publish-alerts"), (["gate"], "gate-closed"))
    assert found["RULES"] == {"evaluate": "all_done", "roll_out": "none_failed", "finish": "all_done"}
    assert set(found["DOCS"]) == set(tasks)  # type: ignore[call-overload]


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
