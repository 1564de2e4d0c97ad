"""What is so of a team's database alone: a run that lost its lock has lost its pen, files pass through parts, and what is said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psycopg
import pytest

from mlspec.engine.apply import apply_specs
from mlspec.errors import StateError, StateUnreachable, Terminated
from mlspec.installation import install_command
from mlspec.state.observed import ObservedResource, Settlement
from mlspec.state.resource import Resource
from mlspec.state.step import StepRequest
from mlspec.targets.contract.nouns import T, write
from mlspec.targets.local.artifacts import FolderFiles
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.postgres import connection, durable, files
from mlspec.targets.postgres.connection import PostgresConnection
from mlspec.targets.postgres.database import PostgresDatabase
from mlspec.targets.postgres.files import PostgresFiles
from mlspec.targets.postgres.store import shared_store
from tests.engine.steps import Steps, engine, spec
from tests.forked import exit_code_of, in_child, in_children, start_child
from tests.postgres import Server
from tests.stores import Home, behind, target_at, url_of

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def root(team: Home, tmp_path: Path) -> Path:
    return team.settle_in(tmp_path / "p")


@pytest.fixture
def target(root: Path) -> LocalTarget:
    return target_at(root)


# --- the fence --------------------------------------------------------------------------------------------------------------------


def pause() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def paused_while(work: Callable[[], None], meanwhile: Callable[[], None]) -> int:
    """Run `work` in a child until it pauses itself, then `meanwhile`, then the rest of it. Return how the child ended."""
    child = start_child(work)
    assert os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1])
    try:
        meanwhile()
    finally:
        os.kill(child, signal.SIGCONT)
        ended = exit_code_of(child)
    return ended


def end_sessions(root: Path) -> None:
    """Let the server end every session that holds a lock of a forecast, as it does when a network has been gone too long."""
    behind(
        root,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )


def takes_over(root: Path) -> None:
    """End the holder's session; let another run take the lock, and write."""
    end_sessions(root)
    with target_at(root).lock_forecast("demand", "apply", T, 0.0):
        write(target_at(root), message="of the one who took over")


def refused(attempt: Callable[[], object]) -> None:
    with pytest.raises(StateError, match="the lock of 'demand' was lost") as caught:
        attempt()
    assert "run the same command again" in (caught.value.hint or "")


def test_a_holder_that_was_paused_past_the_end_of_its_session_writes_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "panel").write_text("stale")
    (tmp_path / "kept").write_text("kept")
    kept = (
        target_at(root)
        .file_step("demand", step="train", key="k", outputs={"kept": tmp_path / "kept"}, facts={}, at=T)
        .outputs["kept"]
    )

    def work() -> None:
        target = target_at(root)
        with target.lock_forecast("demand", "apply", T, 0.0):
            write(target, message="before the pause")
            pause()
            refused(lambda: write(target, message="too late"))
            refused(lambda: target.write_journal("demand", resource="model.demand", phase="done", detail="", at=T))
            refused(
                lambda: target.file_step(
                    "demand", step="check", key="k", outputs={"panel": tmp_path / "panel"}, facts={}, at=T
                )
            )
            refused(lambda: target.remove_forecast("demand", ("data",), purge=True, at=T))
            refused(lambda: target.observe_forecast("demand"))
            refused(
                lambda: PostgresFiles(target._database, FolderFiles(target.folder / "x")).discard_file(kept, "demand")
            )  # type: ignore[arg-type]

    assert paused_while(work, lambda: takes_over(root)) == 0
    target = target_at(root)
    assert [each.message for each in target.load_events("demand")] == ["of the one who took over", "before the pause"]
    assert behind(root, "SELECT sha256 FROM chunks") == [(kept.sha256,)]
    assert target.serial == 3


def paused_commit(connection: PostgresConnection, point: str, commit: Callable[..., None] = durable.commit) -> None:
    pause()
    commit(connection, point)


def test_a_holder_that_was_paused_right_before_its_commit_commits_nothing(root: Path) -> None:
    write(target_at(root), message="first")

    def work() -> None:
        target = target_at(root)
        with target.lock_forecast("demand", "apply", T, 0.0):
            durable.commit = paused_commit  # type: ignore[assignment]
            refused(lambda: write(target, message="too late"))

    assert paused_while(work, lambda: takes_over(root)) == 0
    assert [each.message for each in target_at(root).load_events("demand")] == ["of the one who took over", "first"]


def test_the_server_ends_a_run_that_is_paused_in_the_middle_of_a_write(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(target_at(root), message="first")
    monkeypatch.setattr(connection, "_SETTINGS", connection._SETTINGS.replace("'20s'", "'100ms'"))

    def work() -> None:
        target = target_at(root)
        with target.lock_forecast("demand", "apply", T, 0.0):
            durable.commit = paused_commit  # type: ignore[assignment]
            refused(lambda: write(target, message="too late"))

    def meanwhile() -> None:
        with target_at(root).lock_forecast("demand", "apply", T, 30.0):
            write(target_at(root), message="of the one who waited")

    assert paused_while(work, meanwhile) == 0
    assert [each.message for each in target_at(root).load_events("demand")] == ["of the one who waited", "first"]


def test_an_apply_that_was_paused_while_another_took_over_fails_and_leaves_one_release(
    team: Home, tmp_path: Path
) -> None:
    root = team.project(tmp_path / "project")

    class Paused(Steps):
        def train(self, request: StepRequest) -> dict[str, object]:
            pause()
            return super().train(request)

    def work() -> None:
        (outcome,) = apply_specs(engine(root, Paused()), [spec()])
        assert isinstance(outcome.error, StateError)
        assert "was lost" in outcome.error.message

    def meanwhile() -> None:
        end_sessions(root)
        (outcome,) = apply_specs(engine(root), [spec()])
        assert outcome.status == "applied"

    assert paused_while(work, meanwhile) == 0
    target = target_at(root)
    assert (
        len(target.load_versions("demand")),
        len(target.load_releases("demand")),
        len(target.load_runs("demand")),
    ) == (1, 1, 1)
    assert not [each for each in target.load_events("demand") if each.type == "Warning"]


def test_a_signal_that_breaks_into_a_statement_leaves_a_connection_to_record_it_on(root: Path) -> None:
    def stop(*_words: object) -> None:
        raise Terminated

    def broken_into(held: PostgresConnection) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        held.execute("SELECT pg_sleep(60)")

    target = target_at(root)
    database = cast("PostgresDatabase", target._database)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        with target.lock_forecast("demand", "apply", T, 0.0):
            with pytest.raises(Terminated), database.write_transaction("wait", "demand") as held:
                broken_into(held)
            write(target, message="stopped by SIGTERM")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert [each.message for each in target.load_events("demand")] == ["stopped by SIGTERM"]
    assert target.serial == 1


# --- files ------------------------------------------------------------------------------------------------------------------------


def test_a_file_of_many_parts_is_fetched_whole_on_another_machine(
    target: LocalTarget, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PART", 1000)
    content = os.urandom(2500)
    (tmp_path / "model").write_bytes(content)
    filed = target.file_step("demand", step="train", key="k", outputs={"model": tmp_path / "model"}, facts={}, at=T)
    assert behind(root, "SELECT part, octet_length(data) FROM chunks ORDER BY part") == [(0, 1000), (1, 1000), (2, 500)]
    elsewhere = tmp_path / "elsewhere"
    there = LocalTarget(elsewhere, store=shared_store(str(url_of(root)), elsewhere))
    assert there.find_step("demand", "train", "k") == filed
    assert not elsewhere.exists()
    assert there.fetch_file("demand", filed.outputs["model"]).read_bytes() == content
    assert there.fetch_file("demand", filed.outputs["model"]).is_relative_to(elsewhere)


def test_a_copy_that_was_spoilt_or_lost_is_fetched_again(target: LocalTarget, tmp_path: Path) -> None:
    (tmp_path / "panel").write_text("rows")
    filed = target.file_step("demand", step="check", key="k", outputs={"panel": tmp_path / "panel"}, facts={}, at=T)
    target.fetch_file("demand", filed.outputs["panel"]).write_text("edit")
    assert target.fetch_file("demand", filed.outputs["panel"]).read_text() == "rows"
    shutil.rmtree(target.folder)
    assert target.fetch_file("demand", filed.outputs["panel"]).read_text() == "rows"


def test_bytes_that_were_changed_in_the_database_are_told_when_they_are_fetched(
    target: LocalTarget, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "panel").write_text("rows")
    filed = target.file_step("demand", step="check", key="k", outputs={"panel": tmp_path / "panel"}, facts={}, at=T)
    with pytest.raises(Exception, match="never changed"):
        behind(root, "UPDATE chunks SET data = 'swor'")
    behind(root, "DROP TRIGGER chunks_rows ON chunks", "UPDATE chunks SET data = 'swor'")
    shutil.rmtree(target.folder)
    with pytest.raises(StateError, match="was changed since") as caught:
        target.fetch_file("demand", filed.outputs["panel"])
    assert filed.outputs["panel"].sha256 in (caught.value.hint or "")


def test_a_purge_that_is_cut_off_can_be_run_again_and_leaves_no_file(
    target: LocalTarget, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "own").write_text("own")
    filed = target.file_step("demand", step="check", key="k", outputs={"own": tmp_path / "own"}, facts={}, at=T)
    target.record_settlement(
        Settlement("demand", resource=ObservedResource(Resource("data", "demand", {}), {}, filed.outputs)), T
    )

    def purge_and_die() -> None:
        def die(_connection: object, point: str) -> None:
            if point == "remove demand":
                os._exit(9)
            connection_commit(_connection, point)  # type: ignore[arg-type]

        connection_commit = durable.commit
        durable.commit = die  # type: ignore[assignment]
        target.remove_forecast("demand", ("data",), purge=True, at=T)

    assert in_child(purge_and_die) == 9
    assert target.forecast_names() == ("demand",)
    target.remove_forecast("demand", ("data",), purge=True, at=T)
    assert target.forecast_names() == ()
    assert behind(root, "SELECT count(*) FROM chunks") == [(0,)]


# --- what is said -----------------------------------------------------------------------------------------------------------------


def test_a_schema_of_another_program_is_refused_and_left_alone(target: LocalTarget, root: Path) -> None:
    behind(root, "CREATE SCHEMA mlspec", "CREATE TABLE mlspec.theirs (x int)")
    for use in (target.forecast_names, lambda: write(target), target.migrate_schema):
        with pytest.raises(StateError, match="not written by mlspec"):
            use()
    assert behind(root, "SELECT count(*) FROM pg_class WHERE relnamespace = 'mlspec'::regnamespace") == [(1,)]


def test_a_crowd_that_makes_the_state_at_once_makes_one(target: LocalTarget, root: Path) -> None:
    works = [lambda number=number: write(target_at(root), message=str(number)) for number in range(12)]
    assert in_children(works) == [0] * 12
    assert (len(target.load_events("demand")), target.serial) == (12, 12)


def test_other_schemas_of_the_database_are_nobodys_business(target: LocalTarget, root: Path) -> None:
    behind(root, "CREATE TABLE public.meta (theirs int)")
    write(target)
    assert target.forecast_names() == ("demand",)
    assert behind(root, "SELECT count(*) FROM public.meta") == [(0,)]


def test_whoever_may_only_read_sees_all_and_is_told_what_is_missing(
    target: LocalTarget, root: Path, postgres: Server, tmp_path: Path
) -> None:
    write(target)
    behind(
        root, "DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN", "GRANT USAGE ON SCHEMA mlspec TO reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA mlspec TO reader",
    )  # fmt: skip
    url = str(url_of(root)).replace("tests@", "reader@")
    reader = LocalTarget(tmp_path / "r", store=shared_store(url, tmp_path / "r"))
    assert len(reader.load_events("demand")) == 1
    for use in (lambda: write(reader), lambda: reader.lock_forecast("demand", "apply", T, 0.0).__enter__()):
        with pytest.raises(StateError, match="permission denied") as caught:
            use()
        assert "ask for the right" in (caught.value.hint or "")
    behind(root, "DROP OWNED BY reader", "DROP ROLE reader")


def test_a_server_that_is_not_there_is_said_without_parameters_and_passwords(tmp_path: Path) -> None:
    url = f"postgresql://planner:hunter2@localhost/sales?host={tmp_path}&sslpassword=hunter3"
    target = LocalTarget(tmp_path / ".mlspec", store=shared_store(url, tmp_path / ".mlspec"))
    with pytest.raises(StateError, match="cannot use the state in postgresql://localhost/sales: ") as caught:
        target.forecast_names()
    assert "check that the server runs" in (caught.value.hint or "")
    assert "hunter" not in f"{caught.value.message} {caught.value.hint}"


def test_a_server_that_ends_in_the_middle_of_a_session_is_said(target: LocalTarget, root: Path) -> None:
    write(target)
    with target.read_session():
        behind(root, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'mlspec' "
               "AND datname = current_database()")  # fmt: skip
        with pytest.raises(StateUnreachable, match="cannot use the state in"):
            target.forecast_names()
        assert target.forecast_names() == ("demand",)  # over another connection: a read leaves nothing half done
    assert target.forecast_names() == ("demand",)


# --- a server that is away --------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server of one test, which may stop it."""
    server = Server()
    yield server
    server.stop()


def test_a_holder_whose_server_was_stopped_and_started_writes_nothing_more(own_server: Server, tmp_path: Path) -> None:
    root = Home(own_server).settle_in(tmp_path / "p")
    target = target_at(root)
    with target.lock_forecast("demand", "apply", T, 0.0):
        write(target, message="before")
        own_server.stop_at_once()
        refused(lambda: write(target, message="while it is away"))
        own_server.start()
        for _ in range(2):
            refused(lambda: write(target, message="too late"))
        refused(lambda: target.observe_forecast("demand"))
        with target_at(root).lock_forecast("demand", "apply", T, 0.0):
            write(target_at(root), message="of the one who took over")
        refused(lambda: write(target, message="much too late"))
    write(target, message="without a lock")
    said = [each.message for each in target.load_events("demand")]
    assert said == ["without a lock", "of the one who took over", "before"]


def test_a_server_that_is_away_is_told_from_one_that_refuses(own_server: Server, tmp_path: Path) -> None:
    root = Home(own_server).settle_in(tmp_path / "p")
    target = target_at(root)
    write(target)
    own_server.stop_at_once()
    for use in (
        target.forecast_names,
        lambda: write(target),
        lambda: target.lock_forecast("d", "x", T, 0.0).__enter__(),
    ):
        with pytest.raises(StateUnreachable, match="cannot use the state in") as caught:
            use()
        assert "check that the server runs" in (caught.value.hint or "")
    own_server.start()
    assert target.forecast_names() == ("demand",)
    behind(root, "DROP SCHEMA mlspec CASCADE", "CREATE SCHEMA mlspec", "CREATE TABLE mlspec.theirs (x int)")
    with pytest.raises(StateError) as refuses:
        target.forecast_names()
    assert not isinstance(refuses.value, StateUnreachable)


class FarConnection:
    """What libpq tells of a connection."""

    def __init__(self, hostaddr: str, sslmode: bytes | None) -> None:
        self.info = SimpleNamespace(hostaddr=hostaddr, host="db.example.com")
        option = SimpleNamespace(keyword=b"sslmode", val=sslmode)
        self.pgconn = SimpleNamespace(info=[option])


@pytest.mark.parametrize(("hostaddr", "sslmode", "taken"), [
    ("10.0.0.5", b"require", True), ("10.0.0.5", b"verify-full", True), ("10.0.0.5", b"prefer", False), ("10.0.0.5", None, False),
    ("93.184.216.34", b"allow", False), ("127.0.0.1", b"prefer", True), ("::1", b"disable", True),
])  # fmt: skip
def test_a_far_server_that_a_service_file_names_is_asked_nothing_without_tls(
    hostaddr: str, sslmode: bytes | None, taken: bool
) -> None:
    raw = cast("psycopg.Connection[dict[str, object]]", FarConnection(hostaddr, sslmode))
    if taken:
        connection._refuse_plain_text(raw)
        return
    with pytest.raises(StateError, match="on another machine") as caught:
        connection._refuse_plain_text(raw)
    assert "PGSSLMODE" in (caught.value.hint or "")


def test_a_connection_that_may_be_read_on_its_way_is_refused_before_a_statement(
    target: LocalTarget, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "is_this_machine", lambda _host: False)
    with pytest.raises(StateError, match="no statement was sent to it"):
        write(target)
    assert behind(root, "SELECT count(*) FROM pg_namespace WHERE nspname = 'mlspec'") == [(0,)]


def test_the_tables_may_not_be_emptied_either(target: LocalTarget, root: Path) -> None:
    write(target)
    with pytest.raises(Exception, match="never changed"):
        behind(root, "TRUNCATE events")


def test_a_team_without_the_client_is_told_which_extra_it_needs(root: Path) -> None:
    (root / "mlspec.yaml").write_text(
        "apiVersion: mlspec/v1\nkind: Project\nname: p\n"
        f"targets: {{team: {{type: local, path: .team, state: '{url_of(root)}'}}}}\n"
    )
    hidden = "import sys; sys.modules['psycopg'] = None; from mlspec.__main__ import main; main()"
    argv = [sys.executable, "-c", hidden, "status", "--target", "team"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    said = subprocess.run(argv, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "needs the package 'psycopg'" in said.stderr
    assert install_command("postgres") in said.stderr
