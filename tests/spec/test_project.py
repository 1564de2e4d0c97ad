"""mlspec.yaml: targets that keep apart what each of them made, and faults that are told once."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.cli.faults import as_github, as_json, as_sarif, as_text
from mlspec.spec import Fault, read_specs
from tests.examples import project, spec_text

HEAD = "apiVersion: mlspec/v1\nkind: Project\nname: p\n"


def said_of(root: Path, lines: str) -> tuple[Fault, ...]:
    (root / "mlspec.yaml").write_text(HEAD + lines)
    return read_specs([root / "specs"], root, "local").faults


@pytest.mark.parametrize(("path", "says"), [
    ("/var/lib/mlspec", "absolute paths"), ("../state", "empty parts are not allowed"),
    ("a/../../b", "empty parts are not allowed"),
    (".", "empty parts are not allowed"), ("~/state", "differs between machines"), ("C:/state", "absolute paths"),
    ("a//b", "empty parts are not allowed"), ("a/*", "name of a folder"), ("st%61te", "% is not allowed"), ("-rf", "hyphen"),
])  # fmt: skip
def test_the_state_of_a_local_target_stays_in_the_project(tmp_path: Path, path: str, says: str) -> None:
    (fault,) = said_of(project(tmp_path), f"targets:\n  lab: {{type: local, path: '{path}'}}\n")
    assert (fault.line, fault.path, fault.code) == (5, "targets.lab.path", "target")
    assert says in fault.message


@pytest.mark.parametrize("path", [".mlspec-lab", "state/lab", "state/lab/", "état"])
def test_a_folder_of_the_project_is_taken(tmp_path: Path, path: str) -> None:
    assert said_of(project(tmp_path), f"targets:\n  lab: {{type: local, path: '{path}'}}\n") == ()


@pytest.mark.parametrize(("lines", "owner"), [
    ("  a: {type: local, path: s}\n  b: {type: local, path: s/}\n", "a"),
    ("  b: {type: local}\n", "local"),
    ("  local: {type: local, path: .other}\n  a: {type: local}\n  b: {type: local, path: .mlspec}\n", "a"),
])  # fmt: skip
def test_no_two_targets_share_a_folder(tmp_path: Path, lines: str, owner: str) -> None:
    (fault,) = said_of(project(tmp_path), f"targets:\n{lines}")
    assert fault.path == "targets.b.path"
    assert f"belongs to target '{owner}'" in fault.message


def test_local_is_on_this_machine(tmp_path: Path) -> None:
    (fault,) = said_of(project(tmp_path), "targets: {local: {type: gcp, project: acme-prod, region: europe-west1}}\n")
    assert (fault.path, fault.code) == ("targets.local.type", "target")


def test_a_target_that_is_not_valid_is_not_called_unknown_as_well(tmp_path: Path) -> None:
    root = project(tmp_path, demand=spec_text() + "targets: {prod: {model: {horizon: 3}}}\n")
    (fault,) = said_of(root, "targets: {prod: {type: gcpp}}\n")
    assert fault.path == "targets.prod.type"


def test_a_percentage_as_a_threshold_is_answered_with_the_share(tmp_path: Path) -> None:
    root = project(tmp_path, demand=spec_text() + "alerts: [{name: a, metric: wape, above: 20%}]\n")
    (fault,) = read_specs([root / "specs"], root, "local").faults
    assert (fault.path, fault.hint) == ("alerts[0].above", "write 0.2")


@pytest.mark.parametrize("url", [
    "postgresql://db.example.com/forecasts?sslmode=require", "postgresql://planner@db:5433/forecasts?sslmode=verify-full",
    "postgresql://a,b:5433/forecasts?target_session_attrs=read-write&sslmode=verify-ca", "postgresql:///?service=team",
    "postgresql:///db?host=/run/pg", "postgresql://localhost/forecasts", "postgresql://127.0.0.1:5433/forecasts",
    "postgresql://u@[::1]:5433,localhost/forecasts", "postgresql://%2Frun%2Fpg/forecasts", "postgresql://:5433/forecasts",
])  # fmt: skip
def test_the_database_of_a_team_is_taken(tmp_path: Path, url: str) -> None:
    assert said_of(project(tmp_path), f"targets:\n  team: {{type: local, path: .team, state: '{url}'}}\n") == ()


@pytest.mark.parametrize(("url", "says"), [
    ("postgres://db/forecasts", "begins with postgresql://"), ("mysql://db/forecasts", "begins with postgresql://"),
    ("db/forecasts", "begins with postgresql://"), ("postgresql:db", "begins with postgresql://"),
    ("postgresql://db", "names no database"), ("postgresql://db/?sslmode=require", "names no database"),
    ("postgresql://db/a b", "spaces"), ("postgresql://[db/a", "not a URL"),
])  # fmt: skip
def test_what_is_no_url_of_a_database_is_refused(tmp_path: Path, url: str, says: str) -> None:
    (fault,) = said_of(project(tmp_path), f"targets:\n  team: {{type: local, path: .team, state: '{url}'}}\n")
    assert (fault.line, fault.path, fault.code) == (5, "targets.team.state", "target")
    assert says in fault.message


@pytest.mark.parametrize("url", [
    "postgresql://db.example.com/forecasts", "postgresql://u@10.0.0.5:5433/forecasts", "postgresql://db/forecasts?sslmode=prefer",
    "postgresql://db/forecasts?sslmode=disable", "postgresql://localhost,db/forecasts", "postgresql:///forecasts?host=db",
    "postgresql://localhost/forecasts?hostaddr=10.0.0.5", "postgresql://[fd00::1]/forecasts", "postgresql://localhost/f?host=/run,db",
])  # fmt: skip
def test_a_database_on_another_machine_is_asked_for_tls(tmp_path: Path, url: str) -> None:
    (fault,) = said_of(project(tmp_path), f"targets:\n  team: {{type: local, path: .team, state: '{url}'}}\n")
    assert (fault.path, fault.code) == ("targets.team.state", "target")
    assert "does not ask for TLS" in fault.message
    assert "sslmode=verify-full" in (fault.hint or "")


@pytest.mark.parametrize("url", [
    "https://forecasts.example.com", "http://10.0.0.5:8080/", "https://[fd00::1]/forecasts/a%20b", "https://example.com/a/b",
])  # fmt: skip
def test_the_address_of_the_pages_is_taken(tmp_path: Path, url: str) -> None:
    assert said_of(project(tmp_path), f"external_url: '{url}'\n") == ()


@pytest.mark.parametrize("url", [
    "forecasts.example.com", "javascript:alert(1)", "https://user:secret@example.com", "https://example.com/?q=1",
    "https://example.com/#x", "https://example.com/a|b", "https://example.com/a>b", "https://example.com/a b", "https://",
])  # fmt: skip
def test_an_address_that_no_page_can_have_is_refused(tmp_path: Path, url: str) -> None:
    (fault,) = said_of(project(tmp_path), f"external_url: '{url}'\n")
    assert (fault.path, fault.code) == ("external_url", "wrong-value")
    assert "such as https://forecasts.example.com" in fault.message


def test_networks_of_webhooks_are_taken(tmp_path: Path) -> None:
    assert said_of(project(tmp_path), "webhooks: {private_networks: [10.20.0.0/16, 'fd12::/48']}\n") == ()


@pytest.mark.parametrize(("network", "code", "hint"), [
    ("10.20.0.1/8", "network", "write 10.0.0.0/8"), ("10.20.0.0/40", "network", "such as 10.20.0.0/16"),
    ("hooks.internal", "wrong-value", None),
])  # fmt: skip
def test_what_is_no_network_is_refused(tmp_path: Path, network: str, code: str, hint: str | None) -> None:
    (fault,) = said_of(project(tmp_path), f"webhooks: {{private_networks: [10.20.0.0/16, {network}]}}\n")
    assert (fault.path, fault.code) == ("webhooks.private_networks[1]", code)
    assert (fault.hint == hint) if hint else ("a network, such as 10.20.0.0/16" in fault.message)


@pytest.mark.parametrize("url", [
    "postgresql://planner:hunter2@db/forecasts", "postgresql://planner:@db/forecasts?password=hunter2",
    "postgresql://db/forecasts?password=hunter2", "postgresql://db/forecasts?sslmode=require&sslpassword=hunter2",
    "postgresql://db/forecasts?p%61ssword=hunter2", "postgres://planner:hunter2@db/forecasts",
    "postgresql://u:hunter2@a:1,b:2/forecasts",
])  # fmt: skip
def test_a_password_in_the_url_of_a_database_is_refused_and_stands_in_no_output(tmp_path: Path, url: str) -> None:
    (fault,) = said_of(project(tmp_path), f"targets:\n  team: {{type: local, path: .team, state: '{url}'}}\n")
    assert (fault.path, fault.message) == ("targets.team.state", "a password must not be written in a file")
    assert "PGPASSWORD" in (fault.hint or "")
    assert "~/.pgpass" in (fault.hint or "")
    said = as_text([fault]) + as_json([fault], 1) + as_sarif([fault]) + as_github([fault])
    assert "hunter2" not in said


def test_no_two_targets_share_a_database(tmp_path: Path) -> None:
    lines = "".join(
        f"  {name}: {{type: local, path: .{name}, state: 'postgresql:///forecasts'}}\n" for name in ("a", "b")
    )
    (fault,) = said_of(project(tmp_path), f"targets:\n{lines}")
    assert fault.path == "targets.b.state"
    assert "belongs to target 'a'" in fault.message


def test_a_folder_of_specs_that_may_not_be_read_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(tmp_path)

    def refuse(folder: str) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("os.scandir", refuse)
    (fault,) = read_specs([root / "specs"], root, "local").faults
    assert fault.message == "cannot read the folder: Permission denied"
