"""The pipeline for GitLab: the shell of its jobs is run, against a stand-in of GitLab's API that is as strict about the token."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from mlspec.render.project import project_files
from tests.examples import edit, project, spec_text
from tests.preloaded import Preloaded

pytestmark = pytest.mark.no_cover  # its commands are processes; other tests go each part of them

HERE = Path(__file__).parent
SOURCE = "mlspec-forecast[forecast,gcp] @ git+https://example.com/mlspec.git@0123abc"
PIPELINE: dict[str, Any] = yaml.safe_load(
    project_files({"name": "shop", "spec": "demand", "package": SOURCE, "why": None}, ["gitlab"])[".gitlab-ci.yml"]
)
BOT, TOKEN = 77, "glpat-of-the-project"
MARKER = "<!-- mlspec plan: shared -->"


def flat(script: list[Any]) -> list[str]:
    """A script's lines; GitLab takes lists in a list."""
    return [line for part in script for line in (flat(part) if isinstance(part, list) else [part])]


def run(root: Path, job: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a job's shell as GitLab's runner does: one script, which ends with the first line that fails."""
    own = PIPELINE[job]
    before = PIPELINE[own["extends"]]["before_script"] if "extends" in own else []
    lines = [line for line in flat([*before, *own["script"]]) if "apt-get" not in line]
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("PG", "MLSPEC", "GIT_"))},
        "PATH": f"{root.parent / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "CI_PROJECT_DIR": str(root), "MLSPEC_TARGET": "shared", **variables,
    }  # fmt: skip
    script = "\n".join(lines)
    return subprocess.run(
        ["bash", "-e", "-c", script], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


class Api(ThreadingHTTPServer):
    """GitLab's API of one merge request: its notes, on pages; only a note's author may change it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.notes = [{"id": number, "author": {"id": 5}, "body": f"{MARKER} {number}"} for number in range(120)]

    @property
    def url(self) -> str:
        """CI_API_V4_URL."""
        return f"http://127.0.0.1:{self.server_address[1]}/api/v4"

    def own(self) -> list[str]:
        """The bot's notes."""
        return [note["body"] for note in self.notes if note["author"]["id"] == BOT]


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def _answer(self, method: str) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        parts = urlsplit(self.path)
        status, value, pages = self._handle(
            method, parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()}, body
        )
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        if pages is not None:
            self.send_header("X-Next-Page", pages)
        self.end_headers()
        self.wfile.write(text)

    def _handle(self, method: str, path: str, asked: dict[str, str], body: Any) -> tuple[int, Any, str | None]:
        notes = self.server.notes
        if self.headers.get("PRIVATE-TOKEN") != TOKEN:
            return 401, {"message": "401 Unauthorized"}, None
        if (method, path) == ("GET", "/api/v4/user"):
            return 200, {"id": BOT}, None
        if path == "/api/v4/projects/9/merge_requests/3/notes" and method == "GET":
            page, size = int(asked["page"]), int(asked["per_page"])
            found = notes[(page - 1) * size : page * size]
            return 200, found, str(page + 1) if page * size < len(notes) else ""
        if path == "/api/v4/projects/9/merge_requests/3/notes" and method == "POST":
            notes.append({"id": 1000 + len(notes), "author": {"id": BOT}, "body": body["body"]})
            return 201, notes[-1], None
        if (found := re.fullmatch(r"/api/v4/projects/9/merge_requests/3/notes/(\d+)", path)) and method == "PUT":
            (note,) = [note for note in notes if note["id"] == int(found[1])]
            if note["author"]["id"] != BOT:
                return 403, {"message": "403 Forbidden"}, None
            note["body"] = body["body"]
            return 200, note, None
        return 404, {"message": f"404 {method} {path}"}, None

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def root(tmp_path: Path, preloaded: Preloaded) -> Path:
    """A project whose target is a folder that every job of this test can see; it stands for a team's database.

    Beside it are the programs that jobs find.
    """
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pip").symlink_to(HERE / "pip")
    (tmp_path / "bin" / "mlspec").symlink_to(preloaded.command)
    found = project(tmp_path / "shop", demand=spec_text().replace("horizon: 2", "horizon: 8"))
    (found / "mlspec.yaml").write_text(
        "apiVersion: mlspec/v1\nkind: Project\nname: shop\ntargets: {shared: {type: local, path: .shared}}\n"
    )
    for name in ("requirements-mlspec.txt", "requirements-mlspec.lock"):
        (found / name).write_text("something\n")
    return found


def test_a_merge_request_shows_the_change_and_the_job_apply_carries_out_that_plan(root: Path, api: Api) -> None:
    argv = [sys.executable, "-m", "mlspec", "apply", "--target", "shared"]
    subprocess.run(argv, cwd=root, check=True, capture_output=True)
    edit(root / "specs/demand.yaml", "horizon: 8", "horizon: 12")
    assert run(root, "validate").returncode == 0
    planned = run(root, "plan")
    assert planned.returncode == 0, planned.stderr
    assert "`model.horizon`: `8` → `12`" in planned.stdout
    words = {
        "CI_API_V4_URL": api.url, "CI_PROJECT_ID": "9", "CI_MERGE_REQUEST_IID": "3", "MLSPEC_GITLAB_TOKEN": TOKEN,
    }  # fmt: skip
    for _ in range(2):
        commented = run(root, "comment", **words)
        assert commented.returncode == 0, commented.stderr
    assert api.own() == [(root / "mlspec-plan/plan.md").read_text()]
    applied = run(root, "apply")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert "release 2 serves" in applied.stdout
    again = run(root, "apply")
    assert again.returncode == 1
    assert "the saved plan is stale" in again.stderr


def test_a_wrong_token_fails_the_note_and_nothing_else(root: Path, api: Api) -> None:
    (root / "mlspec-plan").mkdir()
    (root / "mlspec-plan/plan.md").write_text(f"{MARKER}\n\nx")
    words = {
        "CI_API_V4_URL": api.url,
        "CI_PROJECT_ID": "9",
        "CI_MERGE_REQUEST_IID": "3",
        "MLSPEC_GITLAB_TOKEN": "other",
    }
    failed = run(root, "comment", **words)
    assert failed.returncode == 1
    assert "401" in failed.stderr
    assert api.own() == []


def test_without_a_shared_record_it_validates_and_says_so(root: Path) -> None:
    done = run(root, "validate", MLSPEC_TARGET="")
    assert done.returncode == 0, done.stderr
    assert "Validated only. The variable MLSPEC_TARGET names no target" in done.stdout
    for name in ("plan", "comment", "apply", "terraform"):
        assert all("$MLSPEC_TARGET" in rule["if"] for rule in PIPELINE[name]["rules"]), name


def test_a_merge_request_applies_nothing_and_main_waits_for_a_person() -> None:
    (rule,) = PIPELINE["apply"]["rules"]
    assert "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in rule["if"]
    assert rule["when"] == "manual"
    assert PIPELINE["apply"]["resource_group"]


def test_the_token_of_a_job_is_exchanged_for_its_own_account(root: Path, tmp_path: Path) -> None:
    """What Google's client reads: cloud.google.com/iam/docs/workload-identity-federation-with-other-providers."""
    provider = "projects/1/locations/global/workloadIdentityPools/p/providers/gitlab"
    for job, account in (("plan", "$GCP_PLAN_SERVICE_ACCOUNT"), ("apply", "$GCP_APPLY_SERVICE_ACCOUNT")):
        assert PIPELINE[job]["variables"]["ACCOUNT"] == account
        assert (
            PIPELINE[job]["id_tokens"]["GCP_ID_TOKEN"]["aud"]
            == "https://iam.googleapis.com/$GCP_WORKLOAD_IDENTITY_PROVIDER"
        )
    assert (
        run(
            root, "plan", GCP_WORKLOAD_IDENTITY_PROVIDER=provider, GCP_ID_TOKEN="the.id.token", ACCOUNT="a@b"
        ).returncode
        == 0
    )
    (written,) = tmp_path.glob("shop.google.json")
    value = json.loads(written.read_text())
    assert value["audience"] == f"//iam.googleapis.com/{provider}"
    assert value["service_account_impersonation_url"].endswith("/serviceAccounts/a@b:generateAccessToken")
    assert Path(value["credential_source"]["file"]).read_text() == "the.id.token"
