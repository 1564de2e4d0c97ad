"""`mlspec schema`: what an editor is given."""

from __future__ import annotations

import json

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
