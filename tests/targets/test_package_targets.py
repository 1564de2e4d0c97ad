"""Targets of packages: a team's own place for the record is installed, named in mlspec.yaml, and used as mlspec's own are.

`packages/tiny_vault` is the worked example of docs/own-target.md; beside it stands its run of the contract.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import mlspec as mlspec_package
from mlspec.cli import main as front
from mlspec.engine.doctor import _check_target_packages
from mlspec.engine.target_kinds import find_target, load_package_target
from mlspec.errors import BrokenTarget, SpecError, StateError
from mlspec.models.package_targets import GROUP
from mlspec.spec import read_specs
from mlspec.spec.schema import json_schema
from mlspec.spec.secrecy import redact_line
from mlspec.state.observed import Settlement
from mlspec.state.record import FileRef
from mlspec.targets.base import OpenedTarget
from mlspec.targets.contract.nouns import T, event
from tests.examples import edit, project
from tests.models.installed import install_package, write_dist_info

PACKAGES = Path(__file__).parent / "packages"
KEY = "what only the team has"
VAULT = "{type: vault, record: .record, vault: vault, signed_with: vault-key}"


class Printed(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


Mlspec = Callable[..., Printed]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages of this test's own, with nothing in it."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("MLSPEC_SECRET_VAULT_KEY", KEY)
    return folder


@pytest.fixture
def vault(site: Path) -> Path:
    """The same folder, with the worked example installed."""
    install_package(site, "tiny_vault", PACKAGES)
    return site


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one forecast, and a target of the worked example."""
    made = project(tmp_path / "shop")
    (made / "vault").mkdir()
    name_target(made, VAULT)
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def mlspec(root: Path, capsys: pytest.CaptureFixture[str]) -> Mlspec:
    def run(*words: str) -> Printed:
        code = front.run(list(words))
        return Printed(code, *capsys.readouterr())

    return run


def name_target(root: Path, settings: str) -> None:
    """Write mlspec.yaml with the target `prod`; its settings are on line 5."""
    (root / "mlspec.yaml").write_text(
        f"apiVersion: mlspec/v1\nkind: Project\nname: shop\ntargets:\n  prod: {settings}\n"
    )


BROKEN = """\
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from mlspec.targets.package import *


class Settings(PackageSettings):
    size: int = 1


def open_parts(settings, place):
    files, locks = FolderFiles(place.folder / "files"), FolderLocks(place.folder / "locks")
    return Store(SqliteDatabase(place.root / "record" / "a.db"), files, locks)


"""


def bring(
    site: Path, body: str, *, name: str = "acme", package: str = "acme-forecasts", module: str | None = None
) -> None:
    """Install a package with one module, whose TARGET is a type of this name; the body begins in line 16."""
    module = module or f"acme_{abs(hash(body))}"
    (site / f"{module}.py").write_text(BROKEN + body)
    write_dist_info(site, package, "2.0", {GROUP: {name: f"{module}:TARGET"}})


def open_prod(root: Path) -> OpenedTarget:
    """Return the target `prod`."""
    loaded = read_specs([], root, "prod")
    assert not loaded.faults, loaded.faults
    return find_target(loaded.project, "prod").open(root)


# --- the worked example -------------------------------------------------------------------------------------------------


def test_a_target_of_a_package_is_planned_applied_shown_and_rolled_back_and_holds_no_secret(
    vault: Path, root: Path, mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Printed] = []

    def on_prod(*words: str) -> Printed:
        said.append(mlspec(*words, "--target", "prod"))
        assert said[-1].code == 0, said[-1]
        return said[-1]

    on_prod("validate")
    assert "costs what the disk of the vault costs" in on_prod("plan", "--out", "saved.plan").out
    on_prod("apply", "saved.plan")
    assert "Nothing to do" in on_prod("apply").out
    assert "demand    ready" in on_prod("status", "--check").out
    before = on_prod("forecast", "demand", "--output", "csv").out
    edit(root / "specs" / "demand.yaml", "season: 7}", "season: 14}")
    on_prod("apply")
    assert on_prod("forecast", "demand", "--output", "csv").out != before
    on_prod("rollback", "demand", "--reason", "the old one was better")
    assert on_prod("forecast", "demand", "--output", "csv").out == before
    releases = json.loads(on_prod("history", "demand", "--output", "json").out)["releases"]
    assert [release["version"] for release in releases][::2] == [releases[0]["version"]] * 2
    assert "there" not in (said[-1].err)
    on_prod("render", "--out", "rendered")
    assert '"target": "prod"' in (root / "rendered" / "dags" / "mlspec_demand.py").read_text()

    assert (root / ".record" / "record.db").is_file()
    assert not (root / ".mlspec" / "state.db").exists()  # the local target has nothing
    stored = [path for path in (root / "vault").iterdir() if path.is_file()]
    assert len(stored) > 5
    files = [path for path in root.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert [told for told in said if KEY in told.all] == []

    opened = mlspec_package.open(root, target="prod")
    assert list(opened) == ["demand"]
    on_prod("destroy", "demand", "--purge", "--yes")
    assert [path for path in (root / "vault").iterdir() if path.is_file()] == []


def test_a_file_that_somebody_else_wrote_into_the_vault_is_damage(vault: Path, root: Path, tmp_path: Path) -> None:
    target = open_prod(root)
    (tmp_path / "panel").write_text("rows")
    with target.lock_forecast("demand", "apply", T, 0.0):
        filed = target.file_step("demand", step="check", key="k", outputs={"panel": tmp_path / "panel"}, facts={}, at=T)
    stored = root / "vault" / filed.outputs["panel"].sha256
    stored.write_bytes(stored.read_bytes()[:-1] + b"?")
    assert target.find_step("demand", "check", "k") is None


def test_doctor_looks_at_the_record_and_at_what_the_package_checks(vault: Path, mlspec: Mlspec, root: Path) -> None:
    said = mlspec("doctor", "--target", "prod").out
    assert "0 forecasts on record, by tiny-vault 1.0" in said
    assert "target type vault: of the package tiny-vault 1.0" in said
    (root / "vault").rmdir()
    assert "there is no folder" in mlspec("doctor", "--target", "prod").out


def test_a_secret_that_is_not_there_is_told_with_its_variable(
    vault: Path, root: Path, mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLSPEC_SECRET_VAULT_KEY")
    said = mlspec("doctor", "--target", "prod").out
    assert "there is no secret 'vault-key' on this machine" in said
    assert "MLSPEC_SECRET_VAULT_KEY" in said


# --- who reads, and who does not -----------------------------------------------------------------------------------------


def test_a_command_on_another_target_looks_for_no_package(
    site: Path, root: Path, mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_group: str) -> None:
        raise AssertionError("the entry points were read")

    monkeypatch.setattr("mlspec.models.package_targets.find_entries", refuse)
    monkeypatch.setattr("mlspec.models.package_targets.find_entry", refuse)
    assert mlspec("plan").code == 0
    assert mlspec("status").code == 0
    (root / "mlspec.yaml").write_text("apiVersion: mlspec/v1\nkind: Project\nname: shop\n")
    assert mlspec("validate").code == 0


def test_a_package_that_cannot_be_imported_costs_no_other_target(site: Path, root: Path, mlspec: Mlspec) -> None:
    bring(site, "import no_such_library\n", name="vault", module="acme_gone")
    assert mlspec("plan").code == 0
    assert "acme_gone" not in sys.modules
    said = mlspec("plan", "--target", "prod")
    assert said.code == 1
    where = "mlspec.yaml:5:16: targets.prod.type: target type 'vault' of acme-forecasts 2.0"
    assert f"{where}: acme_gone.py:16: ModuleNotFoundError: No module named 'no_such_library'" in said.all
    assert "Traceback" not in said.all
    said = mlspec("doctor")
    assert "No module named 'no_such_library'" in said.out


def test_a_type_that_no_package_brings_is_refused_by_what_uses_it_and_by_validate(
    site: Path, root: Path, mlspec: Mlspec
) -> None:
    bring(site, "TARGET = PackageTarget(settings=Settings, open_store=open_parts)\n")
    for words in (("plan", "--target", "prod"), ("validate",)):
        said = mlspec(*words)
        assert said.code == 1
        assert "mlspec.yaml:5:16: targets.prod.type: no installed package has an entry point 'vault'" in said.all
        assert "there is: acme" in said.all
        assert "install the package that brings it" in said.all
    assert mlspec("plan").code == 0


@pytest.mark.parametrize(
    ("settings", "says", "hint"),
    [
        (
            "type: vault, record: r, vault: v, signed_wiht: k",
            "5:44: targets.prod.signed_wiht: unknown key",
            "'signed_with'?",
        ),
        (
            "type: vault, record: 3, vault: v, signed_with: k",
            "5:31: targets.prod.record: expected text, found a",
            "'3'",
        ),
        ("type: vault, record: '', vault: v, signed_with: k", "5:31: targets.prod.record: '': expected at least 1", ""),
        ("type: vault, record: r, vault: v", "5:3: targets.prod: 'signed_with' is required and missing", ""),
        (
            "type: vault, record: r, vault: v, signed_with: '1 2'",
            "signed_with: '1 2': expected the name of a secret",
            "",
        ),
        ("type: gpc, project: acme-prod", "5:16: targets.prod.type: 'gpc': expected one of local, gcp", "mean 'gcp'?"),
    ],
)
def test_settings_are_checked_as_those_of_mlspec_are(
    vault: Path, root: Path, mlspec: Mlspec, settings: str, says: str, hint: str
) -> None:
    name_target(root, f"{{{settings}}}")
    said = mlspec("validate")
    assert said.code == 1
    assert says in said.out
    assert hint in said.out


def test_a_target_of_a_package_may_not_be_called_local(vault: Path, root: Path, mlspec: Mlspec) -> None:
    edit(root / "mlspec.yaml", "prod:", "local:")
    assert "'local' is the target on this machine" in mlspec("validate").out


def test_a_local_target_may_not_have_the_folder_of_another_one(vault: Path, root: Path, mlspec: Mlspec) -> None:
    with (root / "mlspec.yaml").open("a") as file:
        file.write("  lab: {type: local, path: .mlspec/targets/prod}\n")
    assert "the folder .mlspec/targets/prod belongs to target 'prod'" in mlspec("validate").out


def test_no_two_targets_of_a_package_have_the_same_settings(vault: Path, root: Path, mlspec: Mlspec) -> None:
    with (root / "mlspec.yaml").open("a") as file:
        file.write(f"  other: {VAULT[:-1]}, protect: true}}\n")
    said = mlspec("validate").out
    assert "targets.other: these are the settings of target 'prod': each would destroy what the other made" in said
    edit(root / "mlspec.yaml", "vault-key, protect", "other-key, protect")
    assert mlspec("validate").code == 0


def test_the_schema_for_editors_has_the_types_of_the_packages_that_are_here(vault: Path) -> None:
    def types() -> object:
        (target,) = json_schema("project")["properties"]["targets"]["patternProperties"].values()
        return target["anyOf"][1]["properties"]["type"]["enum"] if "anyOf" in target else None

    assert types() == ["vault"]
    for file in (vault / "tiny_vault-1.0.dist-info").iterdir():
        file.unlink()
    (vault / "tiny_vault-1.0.dist-info").rmdir()
    assert types() is None


# --- secrets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [
    "password: hunter2", "db_password: hunter2", "'api-key': \"hunter2 x\"", "access_key: hunter2", "nested: {token: hunter2}",
    "nested: [{TOKEN: hunter2}]", "url: 'mysql://planner:hunter2@db/forecasts'", "connection_string: hunter2",
])  # fmt: skip
def test_a_secret_in_the_settings_of_a_package_is_refused_by_every_command_and_not_shown(
    site: Path, root: Path, mlspec: Mlspec, setting: str
) -> None:
    name_target(root, f"{{type: acme, {setting}}}")
    for words in (("validate",), ("plan",), ("validate", "--output", "json")):
        said = mlspec(*words)
        assert said.code == 1
        assert "secret" in said.all
        assert "hunter2" not in said.all


def test_the_name_of_a_secret_is_no_secret() -> None:
    assert (
        redact_line("  prod: {password_secret: team-db, tokens: 3}") == "  prod: {password_secret: team-db, tokens: 3}"
    )
    assert "hunter2" not in redact_line("  prod: {password : hunter2, 'api_key': 'hunter2'}")


def test_a_secret_that_a_package_puts_into_an_error_is_not_shown(site: Path, root: Path, mlspec: Mlspec) -> None:
    name_target(root, "{type: acme}")
    body = "def open_store(settings, place):\n    raise ConnectionError('denied: ' + place.read_secret('vault-key'))\n"
    bring(site, body + "TARGET = PackageTarget(settings=Settings, open_store=open_store)\n")
    said = mlspec("status", "--target", "prod")
    assert "open_store: acme_" in said.all
    assert "ConnectionError: denied: [secret]" in said.all
    assert KEY not in said.all
    with pytest.raises(BrokenTarget, match=r"denied: \[secret\]$") as broken:  # the command line hides it once more
        open_prod(root)
    assert KEY not in str(broken.value)


# --- what a package may not do ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("TARGET = 3\n", "is of the type int, and has to be a mlspec.targets.package.PackageTarget"),
        ("TARGET = PackageTarget(settings=dict, open_store=len)\n", "settings has to be a class that is derived from"),
        ("TARGET = PackageTarget(settings=Settings, open_store=1)\n", "open_store has to be a function"),
        ("TARGET = PackageTarget(settings=Settings, open_store=len, check=1)\n", "check has to be a function"),
        (
            "TARGET = PackageTarget(settings=Settings, open_store=len, cost='a\\nb')\n",
            "cost has to be a text of one line",
        ),
        ("TARGET = )\n", r"acme_\w+\.py:16: SyntaxError"),
        ("raise SystemExit('bye')\n", r"acme_\w+\.py:16: SystemExit: bye"),
    ],
)
def test_what_is_no_kind_of_target_is_refused_in_words(site: Path, body: str, problem: str) -> None:
    bring(site, body)
    with pytest.raises(SpecError, match=rf"^target type 'acme' of acme-forecasts 2\.0: .*{problem}"):
        load_package_target("acme")


def test_names_that_clash_or_have_another_form_are_refused_and_doctor_says_so(site: Path) -> None:
    write_dist_info(site, "clashing", "1.0", {GROUP: {"gcp": "m:A", "acme": "m:B"}})
    write_dist_info(site, "shouting", "1.0", {GROUP: {"ACME": "m:A"}})
    with pytest.raises(
        SpecError, match=r"clashing 1\.0 brings targets of the type 'gcp', and mlspec has a type of this"
    ):
        load_package_target("acme")
    with pytest.raises(SpecError, match=r"shouting 1\.0 brings targets of the type 'ACME', and a type's name is up to"):
        load_package_target("ACME")
    findings = list(_check_target_packages())
    assert {finding.status for finding in findings} == {"missing"}
    assert any("a package brings targets of the type 'gcp'" in finding.said for finding in findings)


def test_a_type_that_two_packages_bring_is_refused(vault: Path, root: Path, mlspec: Mlspec) -> None:
    write_dist_info(vault, "rival", "2.0", {GROUP: {"vault": "m:A"}})
    said = mlspec("validate").out
    assert "several packages have an entry point 'vault': rival, tiny-vault" in said
    assert "uninstall all but one" in said


def replaced(part: str, method: str, line: str) -> str:
    """Return a package one of whose methods is another one; its only line is the 18th."""
    return (
        f"\ndef other(*words, **more):\n    {line}\n\n"
        "def open_store(settings, place):\n"
        "    store = open_parts(settings, place)\n"
        f"    store.{part}.{method} = other\n"
        "    return store\n"
        "TARGET = PackageTarget(settings=Settings, open_store=open_store)\n"
    )


REF = FileRef("0" * 64, 1, "f")
USES: dict[str, Callable[[OpenedTarget], object]] = {
    "read_connection": lambda target: target.serial,
    "write_transaction": lambda target: target.record_settlement(Settlement("demand", events=(event(),)), T),
    "read_session": lambda target: target.read_session().__enter__(),
    "migrate_schema": lambda target: target.migrate_schema(),
    "lock_forecast": lambda target: target.lock_forecast("demand", "apply", T, 0.0).__enter__(),
    "fetch_file": lambda target: target.fetch_file("demand", REF),
    "find_damage": lambda target: target.find_damaged_files("demand", [REF]),
    "find_stored": lambda target: target.find_stored_files("demand", [REF]),
    "store_file": lambda target: target.file_step(
        "demand", step="check", key="k", outputs={"f": Path(__file__)}, facts={}, at=T
    ),
    "hash_files_once": lambda target: target.hash_files_once().__enter__(),
}
PARTS = {
    "database": ("read_connection", "write_transaction", "read_session", "migrate_schema"),
    "locks": ("lock_forecast",),
    "files": ("fetch_file", "find_damage", "find_stored", "store_file", "hash_files_once"),
}


@pytest.mark.parametrize(("part", "method"), [(part, method) for part, methods in PARTS.items() for method in methods])
def test_what_a_method_raises_or_returns_wrongly_is_told_by_package_file_and_line(
    site: Path, root: Path, part: str, method: str
) -> None:
    name_target(root, "{type: acme}")
    for number, (line, says) in enumerate((
        ("return 3.5", f"{method} returned a value of the type float, and has to return"),
        ("return {}['x']", rf"{method}: acme_{part}_{method}_1\.py:18: KeyError: 'x'"),
    )):  # fmt: skip
        bring(site, replaced(part, method, line), module=f"acme_{part}_{method}_{number}")
        with pytest.raises(BrokenTarget, match=f"^target type 'acme' of acme-forecasts 2.0: {says}"):
            USES[method](open_prod(root))
        (site / "acme_forecasts-2.0.dist-info" / "entry_points.txt").unlink()
        for file in (site / "acme_forecasts-2.0.dist-info").iterdir():
            file.unlink()
        (site / "acme_forecasts-2.0.dist-info").rmdir()


def test_a_statement_that_fails_is_the_package_s_and_an_error_in_a_lock_is_not(site: Path, root: Path) -> None:
    name_target(root, "{type: acme}")
    body = "class Rows(list):\n    fetchall = fetchone = lambda self: self\n\n\nclass Broken:\n    def execute(self, *words):\n"
    body += "        return Rows([('a', 'b')])\n\n\n"
    bring(site, body + replaced("database", "read_connection", "return nullcontext(Broken())"))
    target = open_prod(root)
    with pytest.raises(BrokenTarget, match="read_connection: TypeError: tuple indices must be integers"):
        _ = target.serial
    with pytest.raises(ValueError, match="of the caller"), target.lock_forecast("demand", "apply", T, 0.0):
        raise ValueError("of the caller")
    with pytest.raises(StateError, match="of mlspec") as caught, target.lock_forecast("demand", "apply", T, 0.0):
        raise StateError("of mlspec")
    assert not isinstance(caught.value, BrokenTarget)


def test_no_package_hides_an_error_of_the_work_inside_its_lock(site: Path, root: Path) -> None:
    name_target(root, "{type: acme}")
    bring(
        site, "from contextlib import suppress\n" + replaced("locks", "lock_forecast", "return suppress(BaseException)")
    )
    with pytest.raises(KeyboardInterrupt), open_prod(root).lock_forecast("demand", "apply", T, 0.0):
        raise KeyboardInterrupt


def test_what_is_no_store_is_refused_with_what_lacks(site: Path, root: Path) -> None:
    name_target(root, "{type: acme}")
    bring(
        site, "TARGET = PackageTarget(settings=Settings, open_store=lambda settings, place: None)\n", module="acme_none"
    )
    with pytest.raises(
        BrokenTarget, match="open_store returned a value of the type NoneType, and has to return a Store"
    ):
        open_prod(root)


def test_a_store_that_lacks_a_method_is_refused(site: Path, root: Path) -> None:
    name_target(root, "{type: acme}")
    lambda_store = "lambda settings, place: replace(open_parts(settings, place), locks=3)"
    bring(site, f"TARGET = PackageTarget(settings=Settings, open_store={lambda_store})\n")
    with pytest.raises(BrokenTarget, match="`locks` of the Store is of the type int, which lacks lock_forecast"):
        open_prod(root)


def test_a_forecast_whose_files_the_package_breaks_fails_alone(site: Path, root: Path, mlspec: Mlspec) -> None:
    (root / "specs" / "other.yaml").write_text(
        (root / "specs" / "demand.yaml").read_text().replace("name: demand", "name: other")
    )
    name_target(root, "{type: acme}")
    body = """\
class Shared(FolderFiles):
    def store_file(self, source, owner):
        if owner == "demand":
            raise OSError("the share is gone")
        return super().store_file(source, owner)


def open_store(settings, place):
    return replace(open_parts(settings, place), files=Shared(place.folder / "files"))


TARGET = PackageTarget(settings=Settings, open_store=open_store)
"""
    bring(site, body, module="acme_share")
    said = mlspec("apply", "--target", "prod")
    assert said.code != 0
    assert (
        "target type 'acme' of acme-forecasts 2.0: store_file: acme_share.py:19: OSError: the share is gone" in said.all
    )
    assert "Traceback" not in said.all
    assert "other     ready" in mlspec("status", "--target", "prod").out
