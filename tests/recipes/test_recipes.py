"""A target, a candidate, a key and a page: what their recipes say is all that it takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples import project

ROOT = Path(__file__).resolve().parent.parent.parent


class Checkout:
    """A copy of the package in which a recipe is followed, and a project to try it on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        for name in ("mlspec", "templates", "infra", "data", "specs"):
            shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.project = project(folder / "project")

    def add(self, path: str, text: str) -> None:
        """Add a file."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def change(self, path: str, old: str, new: str) -> None:
        """Replace a text that is in a file once."""
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, (path, old)
        (self.folder / path).write_text(text.replace(old, new))

    def python(self, code: str) -> str:
        """Run Python with this mlspec in the project, and return what it says."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.project,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def mlspec(self, *calls: str) -> str:
        """Run commands one after the other; each has to end well."""
        return self.python(
            "from mlspec.cli.main import run\n"
            f"for call in {list(calls)!r}:\n"
            "    code = run(call.split())\n"
            "    assert code == 0, (call, code)\n"
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


SETTINGS = '''"""What mlspec.yaml says of a target on a shared drive."""

from typing import Literal

from pydantic import Field

from mlspec.spec.part import Part


class DriveTargetSettings(Part):
    """A folder on a drive that several machines mount."""

    type: Literal["drive"] = Field(description="Which kind of target this is.")
    mount: str = Field(min_length=1, max_length=255, description="The folder, by its whole path.")
    protect: bool = Field(default=False, description="Ask before anything is applied.")
'''
KIND = '''"""What a target on a shared drive brings."""

from pathlib import Path

from mlspec.state.finding import Finding
from mlspec.targets.local.target import LocalTarget


def open_drive(name, settings, root):
    """Return the target."""
    return LocalTarget(Path(settings.mount), name=name, protect=settings.protect)


def working_folder(name, settings, root):
    """Return the folder that is written to."""
    return Path(settings.mount)


def needed_extras(settings):
    """Return no optional part of mlspec."""
    return ()


def cost_sentences(specs, trained, series):
    """Return what training costs."""
    return ("costs what the drive costs",) if trained else ()


def check_drive(name, settings, root, specs, environment):
    """Yield whether the drive is there."""
    yield Finding("target", "drive", "ok", settings.mount)
'''
ROW = """    "drive": TargetKind(
        settings=DriveTargetSettings,
        open=drive.open_drive,
        folder=drive.working_folder,
        extras=drive.needed_extras,
        costs=drive.cost_sentences,
        check=drive.check_drive,
    ),
    "gcp": TargetKind("""


def test_a_target_is_its_settings_a_module_and_a_row(checkout: Checkout) -> None:
    checkout.add("mlspec/spec/drive/__init__.py", '"""A shared drive."""\n')
    checkout.add("mlspec/spec/drive/settings.py", SETTINGS)
    kinds = "LocalTargetSettings | GcpTargetSettings"
    checkout.change("mlspec/spec/project.py", kinds, f"{kinds} | DriveTargetSettings")
    for file in ("mlspec/spec/project.py", "mlspec/engine/target_kinds.py"):
        line = "from mlspec.spec.gcp.settings import GcpTargetSettings\n"
        checkout.change(file, line, f"from mlspec.spec.drive.settings import DriveTargetSettings\n{line}")
    checkout.add("mlspec/engine/kinds/drive.py", KIND)
    checkout.change("mlspec/engine/target_kinds.py", "kinds import gcp, local", "kinds import drive, gcp, local")
    checkout.change("mlspec/engine/target_kinds.py", '    "gcp": TargetKind(', ROW)

    mount = checkout.project / "drive"
    with (checkout.project / "mlspec.yaml").open("a") as file:
        file.write(f"targets: {{shared: {{type: drive, mount: '{mount}'}}}}\n")
    on = "--target shared"
    said = checkout.mlspec(
        f"validate {on}",
        f"plan {on}",
        f"apply {on}",
        f"status --check {on}",
        f"doctor {on}",
        f"destroy demand --yes {on}",
    )
    assert "costs what the drive costs" in said
    assert "terraform" not in said
    assert f"drive: {mount}" in said
    assert "demand: destroyed; history is kept" in said
    assert (mount / "state.db").is_file()
    assert "The folder, by its whole path." in checkout.mlspec(
        "schema --kind project", "explain --kind project targets.drive.mount"
    )


CANDIDATE = '''"""The mean of the last periods."""

from mlspec.forecast.candidates.local import StatisticalModel


def fit(candidate, panel, seed, workers):
    """Return the candidate; there is nothing to learn before the forecast."""
    return StatisticalModel(candidate.label, lambda _season: _build_model(candidate.window), season=1, seasons=1)


def _build_model(window):
    from statsforecast.models import WindowAverage

    return WindowAverage(window)
'''
CANDIDATE_CLASS = '''class MovingAverage(_Candidate):
    """The mean of the last `window` periods."""

    kind: Literal["moving-average"] = Field(description="Which kind of candidate this is.")
    window: int = Field(default=7, ge=1, le=1000, description="Periods that the mean is of.")


class Theta(_Candidate):'''


def test_a_candidate_is_a_class_a_module_and_a_line(checkout: Checkout) -> None:
    checkout.change("mlspec/spec/candidates.py", "class Theta(_Candidate):", CANDIDATE_CLASS)
    checkout.change(
        "mlspec/spec/candidates.py",
        "    SeasonalNaive\n    | AutoEts\n",
        "    SeasonalNaive\n    | MovingAverage\n    | AutoEts\n",
    )
    checkout.add("mlspec/forecast/candidates/moving.py", CANDIDATE)
    line = '    "croston": "croston",\n'
    checkout.change("mlspec/forecast/candidates/__init__.py", line, f'{line}    "moving-average": "moving",\n')
    spec = checkout.project / "specs" / "demand.yaml"
    first = "    - {kind: seasonal-naive, season: 7}\n"
    spec.write_text(spec.read_text().replace(first, f"{first}    - {{kind: moving-average, window: 3}}\n"))
    said = checkout.mlspec("validate", "explain model.candidates.moving-average.window", "apply")
    assert "Periods that the mean is of." in said
    assert "  moving-average " in said


def test_a_key_is_a_field_and_the_resource_that_it_shapes(checkout: Checkout) -> None:
    checkout.change(
        "mlspec/spec/forecast.py",
        '    description: Text = Field(default="", description="One sentence on the forecast.")\n',
        '    description: Text = Field(default="", description="One sentence on the forecast.")\n'
        '    team: Text | None = Field(default=None, description="Whose forecast it is.")\n',
    )
    checkout.change(
        "mlspec/plan/fields.py",
        '    ("inventory", ("forecast",), "computes the stock levels again"),\n',
        '    ("inventory", ("forecast",), "computes the stock levels again"),\n'
        '    ("metadata.team", ("deployment",), "the new team is asked"),\n',
    )
    spec = checkout.project / "specs" / "demand.yaml"
    checkout.mlspec("apply")
    spec.write_text(spec.read_text().replace("name: demand", "name: demand\n  team: planning"))
    said = checkout.mlspec("explain metadata.team", "validate", "show", "plan")
    assert "Whose forecast it is." in said
    assert "team: planning" in said
    assert "metadata.team changed: the new team is asked" in said


def test_a_page_is_a_route_and_a_method(checkout: Checkout) -> None:
    checkout.change(
        "mlspec/web/app.py",
        '        Route("/metrics", endpoints.metrics, methods=["GET"]),\n',
        '        Route("/metrics", endpoints.metrics, methods=["GET"]),\n'
        '        Route("/forecasts", endpoints.list_forecasts, methods=["GET"]),\n',
    )
    checkout.change(
        "mlspec/web/app.py",
        "    async def metrics(self, _request: Request) -> Response:\n",
        "    async def list_forecasts(self, _request: Request) -> Response:\n"
        '        return _json_response({"forecasts": self.cache.names})\n\n'
        "    async def metrics(self, _request: Request) -> Response:\n",
    )
    said = checkout.python(
        "import asyncio\n"
        "from types import SimpleNamespace\n"
        "from mlspec.web.app import PlatformRoutes, make_app\n"
        "app = make_app(SimpleNamespace(names=['demand']), SimpleNamespace(say=print), PlatformRoutes())\n"
        "async def send(message):\n"
        "    print(message.get('status') or message['body'].decode())\n"
        "scope = {'type': 'http', 'method': 'GET', 'path': '/forecasts', 'headers': [], 'query_string': b''}\n"
        "asyncio.run(app(scope, None, send))\n"
    )
    assert said.split("\n")[:2] == ["200", '{"forecasts": ["demand"]}']
