"""`mlspec schema`: what an editor is given."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from mlspec.cli import main as front
from mlspec.spec.schema import json_schema


@pytest.mark.parametrize("kind", ["forecast", "project", "any"])
def test_the_schema_is_printed_alone_on_stdout_as_json(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["schema", "--kind", kind]) == 0
    said = capsys.readouterr()
    schema = json.loads(said.out)
    assert said.err == ""
    assert schema == json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_schema_of_a_forecast_is_the_default_and_the_same_bytes_each_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = []
    for words in (["schema"], ["schema", "--kind", "forecast"]):
        assert front.run(words) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_an_unknown_kind_is_a_wrong_call_that_lists_the_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["schema", "--kind", "model"]) == 2
    assert "'forecast', 'project', 'any'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read s.json"),
        ("{", "s.json is not JSON"),
        ("[" * 100_000, "s.json is not JSON"),
        ("{}", "s.json is the schema of another mlspec, or was edited"),
    ],
)
def test_a_schema_file_that_is_not_this_one_is_refused_with_the_command_that_writes_it(
    content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("s.json").write_text(content)
    assert front.run(["schema", "--kind", "any", "--check", "s.json"]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "mlspec schema --kind any > s.json" in error
    assert (Path("s.json").read_text() if content else None) == content


def test_a_schema_file_of_this_mlspec_passes_in_any_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert front.run(["init", "."]) == 0
    file = Path("mlspec.schema.json")
    file.write_text(json.dumps(json.loads(file.read_text())))
    capsys.readouterr()
    assert front.run(["schema", "--kind", "any", "--check", str(file)]) == 0
    assert capsys.readouterr().out == ""
    assert front.run(["schema", "--check", str(file)]) == 1  # a forecast's own
