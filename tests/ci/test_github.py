"""The workflow that `mlspec init` writes: a pull request shows what changes on the target, and main applies what was shown."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlspec.cli.plan_markdown import marker
from mlspec.render.project import project_files
from tests.ci.expressions import Evaluator
from tests.ci.github import WORKFLOW, GitHub
from tests.examples import edit, project, spec_text
from tests.postgres import Server
from tests.preloaded import Preloaded

# Its commands are processes, and other tests go each part of them. The group: what main applied is made once.
pytestmark = [pytest.mark.no_cover, pytest.mark.xdist_group("github")]

SOURCE = "mlspec-forecast[forecast,gcp] @ git+https://example.com/mlspec.git@0123abc"
PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
SPEC = "specs/demand.yaml"


def mlspec(root: Path, *words: str, user: str = "writer") -> subprocess.CompletedProcess[str]:
    """What a person of the team runs on their machine."""
    environment = {**os.environ, "PGUSER": user}
    argv = [sys.executable, "-m", "mlspec", *words, "--target", "team"]
    return subprocess.run(argv, cwd=root, env=environment, capture_output=True, text=True, check=False)


def reader_of_the_page(server: Server, database: str) -> None:
    """Make the role that docs/ci.md says."""
    (statements,) = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    role = f"plan_{database}"  # roles are the whole server's, and each test has a database
    for statement in filter(None, map(str.strip, statements.replace("mlspec_plan", role).split(";"))):
        server.execute(database, statement.encode())


class Team(NamedTuple):
    """A team's checkout of main, which was applied, and the database that holds its record."""

    checkout: Path
    database: str


@pytest.fixture(scope="module")
def team(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """One for all tests, which work on copies."""
    database = postgres.database()
    checkout = project(
        tmp_path_factory.mktemp("team") / "checkout", demand=spec_text().replace("horizon: 2", "horizon: 8")
    )
    facts = {"name": "shop", "spec": "demand", "package": SOURCE, "why": None}
    for path, text in project_files(facts, ["github"]).items():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(text)
    (checkout / "mlspec.yaml").write_text(project_file(postgres, database))
    applied = mlspec(checkout, "apply", user="tests")
    assert applied.returncode == 0, applied.stderr + applied.stdout
    return Team(checkout, database)


def project_file(server: Server, database: str) -> str:
    """The URL names no user: the environment does."""
    state = f"postgresql:///{database}?host={server.folder}"
    targets = f"targets: {{team: {{type: local, path: .mlspec-team, state: '{state}'}}}}\n"
    return f"apiVersion: mlspec/v1\nkind: Project\nname: shop\n{targets}"


@pytest.fixture
def github(team: Team, postgres: Server, preloaded: Preloaded, tmp_path: Path) -> GitHub:
    """A team's repository: a PostgreSQL database holds the record, main was applied, and a plan may only read."""
    database = postgres.database(team.database)
    checkout = tmp_path / "checkout"
    shutil.copytree(team.checkout, checkout)
    (checkout / "mlspec.yaml").write_text(project_file(postgres, database))
    found = GitHub(tmp_path / "github", checkout, mlspec=preloaded.command)
    found.git("init", "--quiet", "--initial-branch=main")
    found.git("add", ".")
    found.git("commit", "--quiet", "-m", "one")
    reader_of_the_page(postgres, database)
    found.variables = {
        "": {"MLSPEC_TARGET": "team"},
        "forecasts-plan": {"MLSPEC_PLAN_PGUSER": f"plan_{database}"},
        "forecasts": {"MLSPEC_APPLY_PGUSER": "tests"},
    }
    return found


def horizon(github: GitHub, before: int, after: int) -> str:
    """Commit another horizon on the branch that is checked out, and return the commit."""
    edit(github.checkout / SPEC, f"horizon: {before}", f"horizon: {after}")
    github.git("commit", "--quiet", "-am", f"horizon {after}")
    return github.git("rev-parse", "HEAD")


def served_horizon(github: GitHub) -> int:
    """The horizon of the release that serves."""
    done = mlspec(github.checkout, "history", "demand", "--output", "json", user="tests")
    newest = json.loads(done.stdout)["releases"][0]
    shown = mlspec(github.checkout, "forecast", "demand", "--output", "json", user="tests")
    rows: list[Any] = json.loads(shown.stdout)["rows"]
    assert newest["state"] == "serving"
    return len(rows) // 2  # two series


def test_a_pull_request_shows_the_change_and_main_applies_what_was_shown(github: GitHub) -> None:
    github.git("switch", "--quiet", "--create", "longer")
    head = horizon(github, 8, 12)
    shown = github.pull_request()
    assert shown.jobs == {"validate": "success", "plan": "success", "comment": "success", "apply": "skipped"}, shown.log
    (comment,) = github.comments()
    assert comment.startswith(marker("team"))
    assert "  - `model.horizon`: `8` → `12`" in comment
    assert comment.rstrip() in shown.summary
    assert served_horizon(github) == 8

    # A squash merge: the same tree, another commit, and the branch is gone.
    github.git("switch", "--quiet", "main")
    github.git("merge", "--quiet", "--squash", "longer")
    github.git("commit", "--quiet", "-m", "horizon 12 (#1)")
    github.git("branch", "--quiet", "-D", "longer")
    github.merged(github.git("rev-parse", "HEAD"), head)
    applied = github.push()
    assert applied.jobs == {"validate": "success", "plan": "skipped", "comment": "skipped", "apply": "success"}, (
        applied.log
    )
    assert served_horizon(github) == 12


def test_the_next_plan_replaces_the_comment_and_leaves_those_of_others(github: GitHub) -> None:
    comments = [
        {"id": number, "user": {"login": "somebody"}, "body": f"{marker('team')} {number}"} for number in range(150)
    ]
    github.change(comments={"1": comments})
    github.git("switch", "--quiet", "--create", "longer")
    for before, after in ((8, 12), (12, 10)):
        horizon(github, before, after)
        assert github.pull_request().conclusion == "success"
    own = github.comments()[150:]
    assert len(own) == 1
    assert "`8` → `10`" in own[0]
    assert [text for text in github.comments()[:150] if "→" in text] == []


def test_a_plan_that_fails_replaces_the_comment_too(github: GitHub) -> None:
    github.git("switch", "--quiet", "--create", "longer")
    horizon(github, 8, 12)
    assert github.pull_request().conclusion == "success"
    github.variables["forecasts-plan"]["MLSPEC_PLAN_PGUSER"] = "nobody-of-that-name"
    failed = github.pull_request()
    assert (failed.jobs["plan"], failed.jobs["comment"]) == ("failure", "success"), failed.log
    (comment,) = github.comments()
    assert comment == f"{marker('team')}\n\nThe plan failed. The log of the run says why.\n"


def test_the_account_of_a_plan_can_read_and_not_write(github: GitHub) -> None:
    user = github.variables["forecasts-plan"]["MLSPEC_PLAN_PGUSER"]
    horizon(github, 8, 12)
    assert mlspec(github.checkout, "plan", user=user).returncode == 0
    refused = mlspec(github.checkout, "apply", user=user)
    assert refused.returncode == 1, refused.stdout
    assert "permission denied" in refused.stderr + refused.stdout
    assert "Traceback" not in refused.stderr
    assert served_horizon(github) == 8


def test_main_refuses_a_plan_once_what_it_read_has_moved(github: GitHub) -> None:
    github.git("switch", "--quiet", "--create", "longer")
    head = horizon(github, 8, 12)
    assert github.pull_request().conclusion == "success"
    github.git("switch", "--quiet", "main")
    horizon(github, 8, 10)  # another tree than the one that was planned
    github.merged(github.git("rev-parse", "HEAD"), head)
    refused = github.push()
    assert refused.jobs["apply"] == "failure"
    assert "the saved plan is stale: the spec of demand changed" in refused.log
    assert served_horizon(github) == 8

    # The same tree, and the state has moved: somebody applied meanwhile.
    github.git("reset", "--quiet", "--hard", "HEAD~1")
    horizon(github, 8, 12)
    github.merged(github.git("rev-parse", "HEAD"), head)
    assert mlspec(github.checkout, "apply", user="tests").returncode == 0
    refused = github.push()
    assert refused.jobs["apply"] == "failure"
    assert "model.demand: the plan says update (model.horizon changed" in refused.log

    # By hand it is planned again, shown, and applied.
    horizon(github, 12, 9)
    again = github.by_hand()
    assert again.jobs == {"validate": "success", "plan": "success", "comment": "skipped", "apply": "success"}, again.log
    assert "`12` → `9`" in again.summary
    assert served_horizon(github) == 9


def test_what_nobody_was_shown_is_not_applied(github: GitHub) -> None:
    horizon(github, 8, 12)  # straight onto main
    refused = github.push()
    assert refused.jobs["apply"] == "failure"
    assert "No plan was shown for this commit" in refused.log
    assert served_horizon(github) == 8


def test_a_plan_for_another_target_is_not_applied(github: GitHub, tmp_path: Path) -> None:
    github.git("switch", "--quiet", "--create", "longer")
    head = horizon(github, 8, 12)
    shown = github.pull_request()
    saved = github.artifacts[shown.number] / "plan.json"
    saved.write_text(saved.read_text().replace('"target": "team"', '"target": "local"'))
    github.merged(head, head)
    refused = github.push()
    assert refused.jobs["apply"] == "failure"
    assert "the saved plan is for target 'local', and --target names 'team'" in refused.log


def test_a_pull_request_from_a_fork_is_validated_and_gets_nothing(github: GitHub) -> None:
    github.fork = True
    github.git("switch", "--quiet", "--create", "longer")
    head = horizon(github, 8, 12)
    run = github.pull_request()
    assert run.jobs == {"validate": "success", "plan": "skipped", "comment": "skipped", "apply": "skipped"}
    assert github.comments() == []
    github.merged(head, head)
    github.fork = False
    assert "No plan was shown for this commit" in github.push().log


def test_without_a_shared_record_it_validates_and_says_so(github: GitHub) -> None:
    github.variables = {}
    for run in (github.pull_request(), github.push(), github.by_hand()):
        assert run.jobs == {"validate": "success", "plan": "skipped", "comment": "skipped", "apply": "skipped"}, run.log
        assert "Validated only. The variable MLSPEC_TARGET names no target" in run.summary


def test_an_invalid_spec_is_shown_at_its_line_and_stops_the_rest(github: GitHub) -> None:
    edit(github.checkout / SPEC, "horizon: 8", "horzion: 8")
    github.git("commit", "--quiet", "-am", "wrong")
    run = github.pull_request()
    assert run.jobs == {"validate": "failure", "plan": "skipped", "comment": "skipped", "apply": "skipped"}
    assert re.search(r"::error file=specs/demand.yaml,line=\d+", run.log)


def test_the_workflow_s_file_is_the_one_that_it_asks_the_api_for(github: GitHub) -> None:
    assert f"/workflows/{Path(WORKFLOW).name}/runs" in (github.checkout / WORKFLOW).read_text()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("vars.A != '' && github.event_name != 'push'", True),
        ("!cancelled() && github.ref == 'refs/heads/main'", True),
        ("github.none == ''", True),
        ("(vars.A == 'b' || vars.A == 'a') && always()", True),
        ("hashFiles('x') != ''", False),
        ("vars.B || 'local'", "local"),
    ],
)
def test_expressions_mean_here_what_they_mean_at_github(expression: str, value: object) -> None:
    contexts = {"vars": {"A": "a"}, "github": {"event_name": "pull_request", "ref": "refs/heads/main"}}
    assert Evaluator(contexts, {}).value(expression) == value
