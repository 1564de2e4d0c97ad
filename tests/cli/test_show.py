"""`mlspec show`: the whole spec as a target has it, with the origin of every value."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlspec.cli import main as front
from mlspec.spec import read_specs
from tests.examples import project, spec_text

HERE = Path(__file__).parent
FULL = HERE.parent / "spec"


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project(tmp_path / "p", demand=(FULL / "full.yaml").read_text())
    (root / "mlspec.yaml").write_text((FULL / "full-project.yaml").read_text())
    monkeypatch.chdir(root)
    return root


def lines_of(out: str) -> dict[str, str]:
    """Return {text: origin} of every line that has one."""
    return {found[1].strip(): found[2] for line in out.splitlines() if (found := re.fullmatch(r"(.*?)\s+# (.*)", line))}


@pytest.mark.parametrize("target", ["local", "prod"])
def test_what_is_shown_is_itself_a_spec_that_means_the_same(
    full: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    assert front.run(["show", "--target", target]) == 0
    shown = full / "shown.yaml"
    shown.write_text(capsys.readouterr().out)
    (before,) = read_specs([full / "specs"], full, target).specs
    again = read_specs([shown], full, "local")
    assert again.faults == ()
    assert again.specs[0].spec_hash == before.spec_hash


def test_text_that_looks_like_something_else_is_quoted_so_that_it_stays_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = spec_text().replace("name: demand", "name: demand\n  description: '8: yes # \"売上\" {x}'\n  owner: 'null'")
    root = project(tmp_path / "p", demand=odd)
    monkeypatch.chdir(root)
    assert front.run(["show"]) == 0
    out = capsys.readouterr().out
    assert "売上" in out
    (root / "shown.yaml").write_text(out, encoding="utf-8")
    (spec,) = read_specs([root / "shown.yaml"], root, "local").specs
    assert (spec.forecast.metadata.description, spec.forecast.metadata.owner) == ('8: yes # "売上" {x}', "null")


def test_each_value_has_its_line_its_default_or_its_project_file(
    full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (full / "specs/demand.yaml").read_text().replace("notify:\n", "x:\n")
    notify = text[text.index("x:\n") : text.index("rollback:")]
    (full / "specs/demand.yaml").write_text(text.replace(notify, ""))
    assert front.run(["show", "--target", "prod"]) == 0
    found = lines_of(capsys.readouterr().out)
    rows = (full / "specs/demand.yaml").read_text().split("\n")
    line = {
        start: next(i for i, row in enumerate(rows, 1) if row.strip().startswith(start))
        for start in ("horizon:", "prod:")
    }
    assert found["horizon: 8"] == f"specs/demand.yaml:{line['horizon:']}"
    assert found["serve: both"] == f"specs/demand.yaml:{line['prod:']}"
    assert found["- pubsub: forecast-alerts"] == "mlspec.yaml:4"
    assert found["seed: 0"] == "default"


def test_what_is_not_said_and_has_no_default_is_left_out_of_the_text(
    full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert front.run(["show"]) == 0
    out = capsys.readouterr().out
    assert "null" not in out
    assert "query" not in out


def test_json_holds_everything_and_stands_alone_on_stdout(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["show", "--output", "json"]) == 0
    value = json.loads(capsys.readouterr().out)
    (forecast,) = value["forecasts"]
    (spec,) = read_specs([full / "specs"], full, "local").specs
    assert value["target"] == "local"
    assert (forecast["name"], forecast["spec_hash"], forecast["spec"]) == ("demand", spec.spec_hash, spec.json)
    assert forecast["spec"]["dataset"]["source"]["query"] is None
    assert forecast["origins"]["model.seed"] == "default"


def test_several_specs_are_shown_in_the_order_of_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project(tmp_path / "p", b=spec_text("beans"), a=spec_text("zucchini"), c=spec_text("apples")))
    assert front.run(["show"]) == 0
    documents = capsys.readouterr().out.split("\n---\n")
    assert [re.search(r"name: (\w+)", each)[1] for each in documents] == ["apples", "beans", "zucchini"]  # type: ignore[index]


def test_a_broken_spec_is_not_shown(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (full / "specs/demand.yaml").write_text(spec_text().replace("horizon: 2", "horizon: 0"))
    assert front.run(["show", "--output", "json"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "model.horizon" in said.err


def test_an_unknown_target_is_refused_with_the_nearest(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["show", "--target", "prdo"]) == 1
    assert "prod" in capsys.readouterr().err
