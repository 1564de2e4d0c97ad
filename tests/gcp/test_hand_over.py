"""The hand-over of specs to the loop: in the order of commits, one at a time, and the loop works with one image at a time."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli.target import open_engine, open_here
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.context import Engine
from mlspec.engine.hand_over import hold_hand_over
from mlspec.errors import LockHeld, Refused, StateError, UsageError
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.loop_job import LOOP_JOB, LoopJob
from tests.engine.steps import Spec, spec
from tests.gcp import platform
from tests.gcp.acme import IMAGE, Acme

OLDER, NEWER = (IMAGE.replace("0" * 64, digit * 64) for digit in "12")
STATE = "acme-test-mlspec-state"


class Shop:
    """The project as a git repository, and builds of its commits."""

    def __init__(self, acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
        self.acme, self._monkeypatch, self.minute = acme, monkeypatch, 0
        platform.loop(acme.project, image=OLDER)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        when = f"2026-03-02T10:{self.minute:02d}:00Z"
        given = {"GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when, "PATH": "/usr/bin:/bin", "HOME": "/nowhere"}
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        argv = ["git", "-C", str(self.acme.root), *who, *words]
        return subprocess.run(argv, env=given, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self) -> str:
        """Commit something, a minute after the commit before."""
        self.minute += 1
        self.git("commit", "-q", "--allow-empty", "-m", str(self.minute))
        return self.git("rev-parse", "HEAD")

    def engine(self, image: str = NEWER) -> Engine:
        """What a build runs, with the image that it pushed."""
        self._monkeypatch.setenv("TF_VAR_image", image)
        return open_engine(open_here("dev"), self.acme.root, ignore_progress)

    def build(self, commit: str, image: str = NEWER, specs: Sequence[Spec] = ()) -> None:
        """Check a commit out, and hand it over."""
        self.git("checkout", "-q", "--detach", commit)
        engine = self.engine(image)
        with hold_hand_over(engine, specs, 0.0):
            assert engine.target.containers
            engine.target.containers.hand_over.start_loop(["demand"])

    def loop_image(self) -> str:
        return str(self.job().template.template.containers[0].image)

    def job(self) -> Any:
        from google.cloud import run_v2

        return run_v2.JobsClient().get_job(name=f"{self.acme.place}/jobs/{LOOP_JOB}")

    def objects(self) -> list[str]:
        """What a hand-over keeps in the bucket of the state."""
        return [name for name in self.acme.objects("state") if name.startswith("hand-over/")]


@pytest.fixture
def shop(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(acme, monkeypatch)


def test_the_loop_runs_the_build_s_image_and_is_started_for_the_forecasts(shop: Shop) -> None:
    shop.build(shop.commit())
    assert shop.loop_image() == NEWER
    (started,) = platform.executions(shop.acme.project, LOOP_JOB)
    (container,) = started.template.containers
    words = "reconcile --once --yes --lock-timeout 10m --target dev --select demand"
    assert (container.image, list(container.args)) == (NEWER, words.split())
    assert shop.objects() == ["hand-over/newest.json"]  # the lock was given back


def test_an_older_commit_changes_nothing_after_a_newer_one_and_a_revert_is_newer(shop: Shop) -> None:
    first, second = shop.commit(), shop.commit()
    shop.build(second)
    before = shop.acme.changed()
    with pytest.raises(Refused, match=f"commit {first[:12]} .* does not contain commit {second[:12]}"):
        shop.build(first, OLDER)
    changed = shop.acme.changed() - before
    assert {method for method in changed if not method.startswith("storage.objects.")} == set()
    assert shop.loop_image() == NEWER
    shop.git("checkout", "-q", "--detach", second)
    shop.build(shop.commit(), OLDER)
    assert shop.loop_image() == OLDER


def test_a_hand_over_that_failed_is_gone_on_with_by_the_same_commit_or_a_newer_one_alone(shop: Shop) -> None:
    first, second = shop.commit(), shop.commit()
    with pytest.raises(ZeroDivisionError), hold_hand_over(shop.engine(), (), 0.0):
        raise ZeroDivisionError  # Terraform failed, or the build was ended
    assert shop.loop_image() == OLDER  # the loop goes on as before
    with pytest.raises(Refused):
        shop.build(first)
    shop.build(second)
    assert shop.loop_image() == NEWER


def test_of_two_at_once_the_second_waits_for_the_first(shop: Shop) -> None:
    commit = shop.commit()
    with hold_hand_over(shop.engine(), (), 0.0):
        with pytest.raises(LockHeld, match=r"another run holds 'the hand-over of specs': apply --hand-over by "):
            shop.build(commit)
        assert shop.loop_image() == OLDER
    shop.build(commit)


def test_a_build_that_names_no_image_is_refused_as_the_loop_would_work_with_older_specs(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = shop.engine()
    monkeypatch.delenv("TF_VAR_image")
    with pytest.raises(UsageError, match="the loop works with the specs of its image"), hold_hand_over(engine, (), 0.0):
        pass
    assert shop.objects() == []


def test_an_image_that_holds_older_specs_is_refused_before_anything_is_changed(shop: Shop) -> None:
    """The loop would go on with those, and take back what was applied."""
    before, after, other = spec(), spec(model={"seed": 7}), spec("other")
    shop.build(shop.commit(), NEWER, [before])
    changes = shop.acme.changed()
    with pytest.raises(Refused, match="TF_VAR_image holds an older spec of demand") as refused:
        shop.build(shop.commit(), NEWER, [after, other])
    assert "push an image of this commit" in str(refused.value.hint)
    assert {method for method in shop.acme.changed() - changes if not method.startswith("storage.objects.")} == set()
    shop.build(shop.commit(), NEWER, [other])  # a part of the specs, or something else than a spec has changed
    with pytest.raises(Refused, match="an older spec of demand"):
        shop.build(shop.commit(), NEWER, [after])
    shop.build(shop.commit(), NEWER, [before, other])
    shop.build(shop.commit(), OLDER, [after, other])


def test_of_an_image_that_is_named_by_a_tag_nobody_knows_what_it_holds(shop: Shop) -> None:
    tagged = NEWER.partition("@")[0] + ":main"
    shop.build(shop.commit(), tagged, [spec()])
    shop.build(shop.commit(), tagged, [spec(model={"seed": 7})])


@pytest.mark.parametrize("fault", [{"lost": True}, {"code": "ABORTED"}, {"code": "UNAVAILABLE"}])
def test_nothing_of_the_loop_s_job_but_its_image_is_changed(shop: Shop, fault: dict[str, Any]) -> None:
    """Google replaces the whole job: it is read again for each attempt, and sent under its etag."""
    before = shop.job()
    shop.acme.standin.fault("Jobs.UpdateJob", **fault)
    clients = Clients(shop.acme.project, platform.REGION)
    LoopJob(clients).set_image(NEWER)
    LoopJob(clients).set_image(NEWER)
    clients.close()
    after = shop.job()
    assert after.template.template.containers[0].image == NEWER
    updates = [call for call in shop.acme.standin.calls() if call["method"].endswith("Jobs.UpdateJob")]
    assert len(updates) == (1 if "lost" in fault else 2)
    after.template.template.containers[0].image = OLDER
    after.etag, after.update_time, after.generation = before.etag, before.update_time, before.generation
    assert after == before


def test_a_pass_with_the_image_before_leaves_a_forecast_to_the_new_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would undo what the new specs did: each pass makes a forecast as the specs in its image say."""
    from google.cloud import run_v2

    run_v2.JobsClient().run_job(name=shop.job().name)
    (execution,) = platform.executions(shop.acme.project, LOOP_JOB)
    monkeypatch.setenv("CLOUD_RUN_JOB", LOOP_JOB)
    monkeypatch.setenv("CLOUD_RUN_EXECUTION", execution.name.rpartition("/")[2])
    monkeypatch.delenv("MLSPEC_IMAGE")
    clients = Clients(shop.acme.project, platform.REGION)
    LoopJob(clients).set_image(NEWER)
    before = shop.acme.objects("state")
    capsys.readouterr()
    assert shop.acme.run("reconcile", "--once", "--yes") == 0  # nobody has to do anything
    said = capsys.readouterr()
    assert f"another image was handed over to the loop, so this run leaves 'demand' to it: {NEWER}" in said.out
    assert "error" not in said.err
    assert shop.acme.objects("state") == before
    LoopJob(clients).set_image(OLDER)
    clients.close()
    assert shop.acme.run("reconcile", "--once", "--yes") == 0
    (version,) = shop.acme.versions()
    assert version.container_spec.image_uri == OLDER  # what it runs is what it registers


def test_a_laptop_is_no_task_of_the_loop(shop: Shop) -> None:
    clients = Clients(shop.acme.project, platform.REGION)
    loop_job = LoopJob(clients)
    assert loop_job.own_image is None
    loop_job.confirm_own_image("demand")
    clients.close()
    assert shop.acme.standin.counted()["google.cloud.run.v2.Jobs.GetJob"] == 0


def test_the_loop_s_image_is_what_a_plan_takes_where_none_is_named(shop: Shop, tmp_path: Path) -> None:
    """So a plan of a pull request shows no other image than the one that runs."""
    from mlspec.engine.kinds.gcp import make_runner
    from mlspec.spec.gcp.settings import GcpTargetSettings

    settings = GcpTargetSettings(type="gcp", project=shop.acme.project, region=platform.REGION)
    runner: Any = make_runner(settings, print, 0.0)
    assert runner._image_variable(tmp_path) == {}  # a folder without a job
    (tmp_path / "job.tf").touch()
    assert runner._image_variable(tmp_path) == {"TF_VAR_image": OLDER}


def test_without_a_checkout_nothing_is_handed_over_after_a_commit(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.build(shop.commit())
    (shop.acme.root / ".git").rename(shop.acme.root.parent / "git")
    with pytest.raises(Refused, match="this folder is no git checkout"), hold_hand_over(shop.engine(), (), 0.0):
        pass


def test_a_record_of_hand_overs_that_nobody_can_read_is_named(shop: Shop) -> None:
    bucket = platform.storage(shop.acme.project).bucket(STATE)
    shop.commit()
    for text in ("{}", '{"commit": "--all", "committed_at": "2026-03-02T10:00:00Z"}'):
        bucket.blob("hand-over/newest.json").upload_from_string(text)
        with pytest.raises(StateError, match=r"newest\.json cannot be read"), hold_hand_over(shop.engine(), (), 0.0):
            pass
