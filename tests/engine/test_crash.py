"""kill -9 at every write: the next run converges, with one version, one release, one deployment.

All writes go through a `durable`: that of the folder, and that of the database. A child process is forked for each write point
and killed before or after it.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mlspec.engine.apply import apply_specs
from mlspec.engine.plan import make_plan
from mlspec.targets.local import durable
from mlspec.targets.postgres import durable as shared
from tests.engine.steps import engine, spec
from tests.forked import in_child
from tests.moments import tried
from tests.stores import Home

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.no_cover,  # the same way again, for every write
]
FOLDER = Home(None)
WRITES = ("commit", "write_file", "make_folder", "remove_file")


class Killer:
    """Wraps each write; at the n-th point the process kills itself.

    Before and after each write of a folder count. Of a database the moments before each commit do: what stands there after one
    stands there before the next.
    """

    def __init__(self, at: int, home: Home = FOLDER) -> None:
        self.at, self.home, self.count = at, home, 0

    def point(self) -> None:
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, write: Callable[..., None]) -> Callable[..., None]:
        def wrapped(*words: object, **options: object) -> None:
            self.point()
            write(*words, **options)
            self.point()

        return wrapped

    def wrap_commit(self, commit: Callable[..., None]) -> Callable[..., None]:
        def wrapped(*words: object) -> None:
            self.point()
            commit(*words)

        return wrapped

    def install(self) -> None:
        if self.home.server:
            shared.commit = self.wrap_commit(shared.commit)  # type: ignore[assignment]
        else:
            for name in WRITES:
                setattr(durable, name, self.wrap(getattr(durable, name)))


def apply_killed_at(root: Path, point: int, home: Home, report: Path | None = None) -> int:
    def work() -> None:
        killer = Killer(point, home)
        killer.install()
        apply_specs(engine(root), [spec()])
        if report:
            report.write_text(str(killer.count))

    return in_child(work)


def points(home: Home, folder: Path) -> int:
    """How many write points one apply has."""
    assert apply_killed_at(home.project(folder / "probe"), 0, home, folder / "count") == 0
    return int((folder / "count").read_text())


def converges(root: Path) -> None:
    (outcome,) = apply_specs(engine(root), [spec()])
    assert outcome.error is None
    target = engine(root).target
    assert make_plan(engine(root), [spec()], None).is_empty
    assert len(target.load_versions("demand")) == 1
    assert len(target.load_releases("demand")) == 1
    assert len(target.load_runs("demand")) == 1
    assert target.observe_forecast("demand").find_fact("deployment", "traffic") == {
        target.load_versions("demand")[0].version: 100
    }


def test_an_apply_killed_at_any_write_is_finished_by_the_next(tmp_path: Path, home: Home) -> None:
    last = points(home, tmp_path)
    assert last >= (20 if home.server else 40)
    for point in tried(range(1, last + 1)):
        root = home.project(tmp_path / str(point))
        assert apply_killed_at(root, point, home) == -signal.SIGKILL
        converges(root)
        home.leave(root)


def test_two_kills_in_a_row_are_finished_too(tmp_path: Path, home: Home) -> None:
    last, chance = points(home, tmp_path), random.Random(3)
    for number in range(5):
        root = home.project(tmp_path / str(number))
        for _ in range(2):
            apply_killed_at(root, chance.randint(1, last), home)
        converges(root)
        home.leave(root)
