"""A team on the command line: two machines, one database, the real pipeline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlspec.cli import main as front
from tests.examples import project, sales, spec_text
from tests.postgres import Server
from tests.stores import target_at
from tests.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def machines(postgres: Server, tmp_path: Path) -> tuple[Path, Path]:
    """The same checkout on two machines; its `team` is one database."""
    return machines_of(postgres, tmp_path)


def machines_of(server: Server, tmp_path: Path) -> tuple[Path, Path]:
    """The same, on a given server."""
    found = []
    url = server.url(server.database())
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


@contextmanager
def loop_on(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the loop of one machine; what it prints is in `out` and `err` of its folder."""
    argv = [sys.executable, "-m", "mlspec", "reconcile", "--target", "team", "--interval", "1s", "--jobs", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    with (root / "out").open("wb") as out, (root / "err").open("wb") as err:
        loop = subprocess.Popen(argv, cwd=root, env=environment, stdout=out, stderr=err)
    try:
        yield loop
    finally:
        loop.kill()
        loop.wait()


def test_two_loops_go_on_after_their_server_was_stopped_at_once_and_started(tmp_path: Path) -> None:
    server = Server()
    try:
        here, there = machines_of(server, tmp_path)
        with loop_on(here) as one, loop_on(there) as other:
            until(lambda: len(target_at(here).load_runs("demand")) == len(target_at(here).load_runs("other")) == 1)
            server.stop_at_once()
            for root in (here, there):
                until(lambda root=root: "no pass could be made" in (root / "err").read_text())
            server.start()
            for root in (here, there):
                until(lambda root=root: "passes are made again" in (root / "err").read_text())
                (root / "data/sales.csv").write_text(sales(days=43))
            until(lambda: len(target_at(here).load_runs("demand")) == len(target_at(here).load_runs("other")) == 2)
            for loop in (one, other):
                loop.send_signal(signal.SIGTERM)
                assert loop.wait(60) in (0, 4)  # between two passes, or within one
        target = target_at(here)
        for name in ("demand", "other"):
            assert (len(target.load_runs(name)), len(target.load_releases(name))) == (2, 1)
        for root in (here, there):
            said = (root / "err").read_text()
            assert said.count("no pass could be made") == 1
            assert "Traceback" not in said
            assert "hint: " in said
    finally:
        server.stop()


@pytest.mark.parametrize("words", [
    "plan", "apply --yes", "reconcile --once", "status", "history demand", "forecast demand", "inventory demand", "diff demand 1 2",
    "rollback demand --reason x", "resume demand", "silence demand a --for 1d --reason x", "report demand", "destroy demand --yes",
    "migrate", "serve --port 0 demand",
])  # fmt: skip
def test_every_command_says_what_to_do_if_the_server_is_away(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path / "shop", demand=spec_text())
    target = f"{{type: local, path: .mlspec-team, state: 'postgresql:///x?host={tmp_path}'}}"
    (root / "mlspec.yaml").write_text(
        f"apiVersion: mlspec/v1\nkind: Project\nname: shop\ntargets: {{team: {target}}}\n"
    )
    monkeypatch.chdir(root)
    code = front.run([*words.split(), "--target", "team"])
    out, err = capsys.readouterr()
    assert code == 1
    assert "cannot use the state in postgresql:///x: " in err + out
    assert "check that the server runs" in err + out
    assert "defect" not in err + out
    assert not (root / ".mlspec-team").exists()
