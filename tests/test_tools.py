"""A tool that is missing is said on a laptop, and fails in CI."""

from __future__ import annotations

import pytest

from tests import tools


@pytest.mark.parametrize("tool", tools.HINTS)
def test_a_missing_tool_fails_where_all_are_required(
    tool: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(tools, "FOLDER", tmp_path)
    monkeypatch.setattr(tools, "FILES", {})
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("MLSPEC_TOOLS", "required")
    with pytest.raises(pytest.fail.Exception, match=f"this test needs {tool}: "):
        tools.needs(tool)
    monkeypatch.delenv("MLSPEC_TOOLS")
    with pytest.raises(pytest.skip.Exception, match=f"this test needs {tool}: "):
        tools.needs(tool)
