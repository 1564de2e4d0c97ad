"""The table of kinds of target has a row for each kind that mlspec.yaml can name, and every command reads it."""

from __future__ import annotations

from typing import get_args

import pytest

from mlspec.engine.target_kinds import TARGET_KINDS, find_target
from mlspec.errors import UsageError
from mlspec.spec.project import Project, TargetSettings


def test_each_kind_of_settings_has_its_row() -> None:
    union, _discriminator = get_args(TargetSettings)
    named = {get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(union)}
    assert named == {name: kind.settings for name, kind in TARGET_KINDS.items()}


def test_local_needs_no_entry_and_another_target_has_the_kind_that_it_names() -> None:
    text = {"type": "gcp", "project": "acme-prod", "region": "europe-west1"}
    project = Project.model_validate(
        {"apiVersion": "mlspec/v1", "kind": "Project", "name": "acme", "targets": {"prod": text}}
    )
    assert find_target(None, "local").kind is TARGET_KINDS["local"]
    assert find_target(project, "local").renderer is None
    assert find_target(project, "prod").kind is TARGET_KINDS["gcp"]
    assert find_target(project, "prod").renderer is not None
    with pytest.raises(UsageError, match="there is no target 'prd'") as refused:
        find_target(project, "prd")
    assert "prod" in (refused.value.hint or "")
