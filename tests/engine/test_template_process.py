"""A project's own templates are rendered apart: bounded in time, memory and size, with facts alone and without an environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlspec.engine import rendering, template_process
from mlspec.engine.target_kinds import ConfiguredTarget, find_target
from mlspec.errors import TargetError
from mlspec.spec import LoadedSpecs, read_specs
from tests.examples import project, spec_text

PROJECT = """\
apiVersion: mlspec/v1
kind: Project
name: acme
targets:
  prod: {type: gcp, project: acme-prod, region: europe-west1}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = project(tmp_path / "acme", demand=spec_text("demand"), returns=spec_text("returns"))
    (folder / "mlspec.yaml").write_text(PROJECT)
    return folder


def loaded(root: Path) -> tuple[LoadedSpecs, ConfiguredTarget]:
    found = read_specs([root / "specs"], root, "prod")
    return found, find_target(found.project, "prod")


def rendered(root: Path, text: str | None = None, name: str = "airflow/dag.py.j2") -> dict[str, str]:
    """Render the project, with a template of its own if a text is given."""
    if text is not None:
        file = root / "templates" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    specs, target = loaded(root)
    return rendering.render_specs(specs.specs, target, root, with_shared=True)


def refusal(root: Path, text: str) -> str:
    """What is said of a template that cannot be rendered."""
    with pytest.raises(TargetError) as caught:
        rendered(root, text)
    assert "templates" in (caught.value.hint or "")
    return caught.value.message


def test_what_mlspec_renders_is_the_same_apart(root: Path) -> None:
    ours = rendered(root)
    (root / "templates" / "terraform").mkdir(parents=True)
    assert rendered(root) == ours


def test_a_project_without_templates_starts_no_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        template_process.subprocess, "run", lambda *_args, **_options: pytest.fail("a process was started")
    )
    assert "dags/mlspec_demand.py" in rendered(root)


def test_a_loop_without_an_end_is_ended_and_named_with_its_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_process, "CPU_SECONDS", 1)
    endless = "# fine\n{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}\n"
    said = refusal(root, endless)
    assert "dag.py.j2:2 cannot be rendered" in said
    assert "more than 2 s of processor time" in said  # one and a half for two forecasts


@pytest.mark.parametrize("text", ["{{ 10 ** (10 ** 10) }}", "{{ 'a' * 10 ** 10 }}", "{{ ['a' * 1000] * 10 ** 9 }}"])
def test_a_value_without_a_bound_is_an_error_and_no_full_memory(
    root: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(template_process, "CPU_SECONDS", 1)
    said = refusal(root, text)
    assert "too much memory" in said or "processor time" in said


def test_texts_of_all_files_together_are_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_process, "TEXT_BYTES", 10_000)
    assert "most in dags/mlspec_" in refusal(root, "{{ 'a' * 20000 }}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ range(10 ** 9) }}", "OverflowError"),
        ("{{ name + 1 }}", "TypeError"),
        ("{{ nmae }}", "'nmae' is undefined"),
        ("{% if %}", "dag.py.j2:1"),
        ("{% include 'airflow/dag.py.j2' %}", "recursion"),
        ("{% include '../mlspec.yaml' %}", "../mlspec.yaml"),
        ("{% include '/proc/self/environ' %}", "/proc/self/environ"),
        ("{{ lipsum(9) }}", "'lipsum' is undefined"),
        ("{{ ''.__class__ }}", "unsafe"),
        ("{{ range.mro }}", "no attribute 'mro'"),
        ("{{ dict.fromkeys }}", "unsafe"),
        ("{{ name.isidentifier.__self__ }}", "unsafe"),
        ("{{ tags.append('x') }}", "not"),
    ],
)
def test_a_template_that_fails_is_named_in_words(root: Path, text: str, said: str) -> None:
    message = refusal(root, text)
    assert said in message
    assert "cannot be rendered" in message


def test_the_process_has_nothing_of_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is given, as the system shows it: a template that got out of the sandbox would find no more."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-templates")
    monkeypatch.setenv("PYTHONSTARTUP", "/tmp/x")
    seen = "import json, os, sys; sys.stdin.buffer.read(); print(json.dumps({'files': {'environment': repr(dict(os.environ))}}))"
    monkeypatch.setattr(template_process, "_CODE", seen)
    environment = rendered(root, "x")["environment"]
    assert "not-for-templates" not in environment
    assert {name for name in os.environ if f"'{name}'" in environment} <= {"LD_LIBRARY_PATH", "LC_CTYPE"}


def test_a_template_uses_what_jinja_has_for_facts(root: Path) -> None:
    text = (
        "{% macro line(word) %}# {{ word }}{% endmacro %}"
        "{% set seen = namespace(count=0) %}{% for tag in tags %}{% set seen.count = loop.index %}{{ line(tag) }} {% endfor %}"
        "{{ seen.count }} {{ name.upper() }} {{ crons | length }} {{ dict(a=1).a }} {{ range(3) | list }}"
    )
    assert rendered(root, text)["dags/mlspec_demand.py"] == "# mlspec # demand # target:prod 3 DEMAND 0 1 [0, 1, 2]"


def test_a_template_may_import_another_of_its_project(root: Path) -> None:
    rendered(root, "{% macro head(word) %}# of {{ word }}{% endmacro %}", "airflow/parts.j2")
    found = rendered(root, "{% import 'airflow/parts.j2' as parts %}{{ parts.head(name) }}")
    assert found["dags/mlspec_returns.py"] == "# of returns"
