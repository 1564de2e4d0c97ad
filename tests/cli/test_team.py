"""A team on the command line: two machines, one database, the real pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.cli import main as front
from tests.examples import project, spec_text
from tests.postgres import Server
from tests.stores import target_at

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def machines(postgres: Server, tmp_path: Path) -> tuple[Path, Path]:
    """The same checkout on two machines; its `team` is one database."""
    found = []
    url = postgres.url(postgres.database())
    for name in ("here", "there"):
        root = project(tmp_path / name, demand=spec_text(), other=spec_text("other"))
        target = (
            f"targets: {{team: {{type: local, path: .mlspec, state: '{url}'}}, local: {{type: local, path: .own}}}}\n"
        )
        (root / "mlspec.yaml").write_text(f"apiVersion: mlspec/v1\nkind: Project\nname: shop\n{target}")
        (root / "database").write_text(url)
        found.append(root)
    return found[0], found[1]


def test_what_one_machine_applies_the_other_reads_and_goes_on_from(
    machines: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = machines

    def mlspec(root: Path, *words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(root)
        return front.run([*words, "--target", "team"]), *capsys.readouterr()

    with target_at(there).lock_forecast("demand", "apply", "2024-03-01T00:00:00Z", 0.0):
        code, out, err = mlspec(here, "apply", "--select", "demand")
    assert code == 75
    assert "another run holds 'demand': apply by " in out
    assert "since 2024-03-01T00:00:00Z" in out
    code, out, err = mlspec(here, "reconcile", "--once", "--jobs", "2")
    assert code == 0, err
    code, out, _ = mlspec(there, "apply")
    assert (code, out) == (0, "Nothing to do: everything is up to date.\n")
    for name in ("demand", "other"):
        code, out, err = mlspec(there, "forecast", name, "--output", "csv")
        assert code == 0, err
        assert len(out.splitlines()) == 5
    code, out, _ = mlspec(there, "migrate")
    assert (code, out.splitlines()[0]) == (0, "the state of target 'team' needs no upgrade")
    assert mlspec(there, "destroy", "other", "--yes", "--purge")[0] == 0
    assert target_at(here).forecast_names() == ("demand",)
    assert not (here / ".own").exists()
