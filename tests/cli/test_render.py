"""`mlspec render`: files as specs ask for them, and a folder that stays what was rendered into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.cli import main as front
from tests.examples import project, spec_text

PROJECT = """\
apiVersion: mlspec/v1
kind: Project
name: acme
targets:
  prod: {type: gcp, project: acme-prod, region: europe-west1}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = project(tmp_path / "acme", demand=spec_text("demand"), returns=spec_text("returns"))
    (folder / "mlspec.yaml").write_text(PROJECT)
    monkeypatch.chdir(folder)
    return folder


def render(*words: str) -> int:
    return front.run(["render", "--out", "build", *words])


def files(root: Path) -> dict[str, bytes]:
    found = (path for path in (root / "build").rglob("*") if path.is_file())
    return {path.relative_to(root / "build").as_posix(): path.read_bytes() for path in found}


def test_a_target_on_google_cloud_gets_terraform_and_a_dag_for_each_forecast(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render("--target", "prod") == 0
    assert "2 forecasts on target prod" in capsys.readouterr().out
    found = files(root)
    assert {
        "dags/mlspec_demand.py",
        "terraform/demand/main.tf",
        "terraform/returns/alerts.tf",
        "terraform/_project/topics.tf",
    } <= set(found)


def test_a_local_target_gets_a_dag_alone(root: Path) -> None:
    assert render() == 0
    assert set(files(root)) == {".mlspec-render.json", "dags/mlspec_demand.py", "dags/mlspec_returns.py"}


def test_a_second_rendering_touches_nothing(root: Path) -> None:
    render("--target", "prod")
    before = {path: path.stat().st_mtime_ns for path in (root / "build").rglob("*.tf")}
    contents = files(root)
    render("--target", "prod")
    assert files(root) == contents
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_what_no_spec_asks_for_any_more_is_removed(root: Path) -> None:
    render("--target", "prod")
    (root / "specs" / "returns.yaml").unlink()
    render("--target", "prod")
    found = files(root)
    assert not any("returns" in path for path in found)
    assert not (root / "build" / "terraform" / "returns").exists()
    assert "terraform/demand/main.tf" in found


def test_a_file_that_was_changed_by_hand_is_kept_and_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    render("--target", "prod")
    mine = root / "build" / "dags" / "mlspec_returns.py"
    mine.write_text("# mine\n")
    (root / "specs" / "returns.yaml").unlink()
    render("--target", "prod")
    assert mine.read_text() == "# mine\n"
    assert "mlspec_returns.py" in capsys.readouterr().err


def test_one_spec_alone_leaves_the_others_and_what_they_share(root: Path) -> None:
    render("--target", "prod")
    before = files(root)
    (root / "specs" / "demand.yaml").write_text(spec_text("demand") + "deployment: {serve: online}\n")
    assert render("--target", "prod", "specs/demand.yaml") == 0
    after = files(root)
    assert "terraform/demand/endpoint.tf" in after
    untouched = {path for path in before if "returns" in path or "_project" in path}
    assert {path: after[path] for path in untouched} == {path: before[path] for path in untouched}
    (root / "specs" / "demand.yaml").write_text(spec_text("demand"))
    render("--target", "prod", "specs/demand.yaml")
    assert "terraform/demand/endpoint.tf" not in files(root)


def test_a_folder_that_holds_something_else_is_not_written_to(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "build").mkdir()
    (root / "build" / "thesis.tex").write_text("years of work")
    assert render() == 2
    assert set(files(root)) == {"thesis.tex"}
    assert "not empty" in capsys.readouterr().err


def test_a_manifest_that_was_tampered_with_removes_nothing_outside(root: Path) -> None:
    render()
    (root / "precious.txt").write_text("x")
    (root / "build" / ".mlspec-render.json").write_text(
        '{"format": 1, "files": {"../precious.txt": "0", "/etc/hosts": "0"}}'
    )
    assert render() == 0
    assert (root / "precious.txt").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 2, "files": {}}', '{"format": 1, "files": []}'])
def test_a_damaged_manifest_is_written_anew(root: Path, text: str) -> None:
    render()
    (root / "build" / ".mlspec-render.json").write_text(text)
    assert render() == 0
    assert "mlspec_demand.py" in (root / "build" / ".mlspec-render.json").read_text()


def test_an_invalid_spec_writes_nothing(root: Path) -> None:
    (root / "specs" / "returns.yaml").write_text("kind: Forecast\n")
    assert render() == 1
    assert not (root / "build").exists()


def test_a_projects_own_template_is_used_and_a_broken_one_is_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = root / "templates" / "airflow"
    own.mkdir(parents=True)
    (own / "dag.py.j2").write_text("# {{ name }}\n")
    assert render() == 0
    assert files(root)["dags/mlspec_demand.py"] == b"# demand\n"
    for text in ("{{ nmae }}\n", "{% if %}\n"):
        (own / "dag.py.j2").write_text(text)
        assert render() == 1
        said = capsys.readouterr().err
        assert "dag.py.j2" in said
        assert "Traceback" not in said


def test_a_spec_outside_the_project_is_refused(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "stray.yaml").write_text(spec_text("stray"))
    assert render(str(tmp_path / "stray.yaml")) == 1
    assert "not in the project's folder" in capsys.readouterr().err


def test_a_folder_is_of_one_target(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    render("--target", "prod")
    before = files(root)
    assert render() == 2
    assert "holds target 'prod'" in capsys.readouterr().err
    assert files(root) == before
