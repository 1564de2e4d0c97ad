"""A team's day with a model of its own, on the command line: it is checked, tried, served, changed, rolled back and mended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mlspec.cli import main as front
from tests.examples import project, spec_text
from tests.models.projects import changed, write_model

FIRST = "    - {kind: seasonal-naive, season: 7}\n"
CUSTOM = '    - {kind: custom, name: promo, class: "models.promo:PromoModel", params: {weeks: 3}}\n'
GATE = "[{metric: wape, below: 0.9}]"


class Said(NamedTuple):
    code: int
    out: str
    err: str


Mlspec = Callable[..., Said]


def write_spec(root: Path, candidates: str = FIRST + CUSTOM) -> None:
    text = spec_text(gate=GATE)
    assert text.count(FIRST) == 1
    (root / "specs" / "demand.yaml").write_text(text.replace(FIRST, candidates))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two forecasts, of which `demand` has a model of its own."""
    made = project(tmp_path / "shop")
    write_spec(made)
    (made / "specs" / "plain.yaml").write_text(spec_text("plain", gate=GATE))
    write_model(made)
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def mlspec(root: Path, capsys: pytest.CaptureFixture[str]) -> Mlspec:
    def run(*words: str) -> Said:
        code = front.run(list(words))
        return Said(code, *capsys.readouterr())

    return run


def means(said: Said) -> list[str]:
    assert said.code == 0, said.err
    return [line.split(",")[3] for line in said.out.splitlines()[1:]]


def test_its_code_is_its_version_s_and_a_rollback_brings_the_old_code_back(root: Path, mlspec: Mlspec) -> None:
    assert mlspec("apply").code == 0
    assert mlspec("apply").out.startswith("Nothing to do")
    first = means(mlspec("forecast", "demand", "--output", "csv"))
    write_model(root, changed("assign(mean=means)", "assign(mean=[mean + 1 for mean in means])"))
    plan = mlspec("plan").out
    assert "~ model.demand: candidate.code.promo changed: the code of a custom model changed" in plan
    assert "model.plain" not in plan
    said = mlspec("apply", "--yes")
    assert (said.code, "demand: release 2 serves" in said.out) == (0, True), said
    assert "plain: release" not in said.out
    second = means(mlspec("forecast", "demand", "--output", "csv"))
    assert second != first
    assert "candidate.code.promo: " in mlspec("diff", "demand", "r1", "r2").out
    assert mlspec("rollback", "demand", "--reason", "the planners saw too much").code == 0
    assert mlspec("reconcile", "--once").code in (0, 3)
    assert means(mlspec("forecast", "demand", "--output", "csv")) == first


def test_the_tasks_of_a_dag_make_the_same_forecast_as_apply(root: Path, mlspec: Mlspec, tmp_path: Path) -> None:
    assert mlspec("apply").code == 0
    expected = mlspec("forecast", "demand", "--output", "csv").out
    other = project(tmp_path / "elsewhere" / "shop")
    write_spec(other)
    write_model(other)
    for step in ("check", "backtest", "gate", "train", "register", "roll-out", "forecast"):
        said = mlspec("-C", str(other), "step", step, "--spec", "specs/demand.yaml")
        assert said.code == 0, (step, said)
    assert mlspec("-C", str(other), "forecast", "demand", "--output", "csv").out == expected


def test_one_that_breaks_is_said_where_people_look_and_the_others_go_on(root: Path, mlspec: Mlspec) -> None:
    write_model(root, changed("assign(mean=means)", "assign(mean=means, colour=1)"))
    said = mlspec("apply")
    why = "candidate 'promo': models/promo.py:16: returned a column colour"
    assert said.code == 0
    assert f"note: left out: {why}" in said.out
    assert f"CandidateLeftOut: {why}" in mlspec("history", "demand").out
    assert "seasonal-naive" in mlspec("status", "demand", "--wide").out


def test_alone_it_fails_its_forecast_alone_and_is_tried_again_once_its_code_changes(root: Path, mlspec: Mlspec) -> None:
    write_spec(root, CUSTOM)
    write_model(root, changed("assign(mean=means)", "assign(mean=unknown)"))
    said = mlspec("reconcile", "--once")
    assert said.code != 0
    assert "models/promo.py:19: NameError: name 'unknown' is not defined" in said.err + said.out
    assert "ready" in mlspec("status", "plain").out
    assert "NameError" in mlspec("status", "demand").out
    write_model(root)
    assert mlspec("reconcile", "--once").code == 0
    assert re.search(r"demand +ready", mlspec("status").out)


def test_a_spec_whose_code_is_not_there_is_refused_at_its_line_before_anything_is_done(
    root: Path, mlspec: Mlspec
) -> None:
    (root / "models" / "promo.py").unlink()
    for command in ("validate", "plan", "apply"):
        said = mlspec(command)
        assert said.code == 1
        assert (
            "specs/demand.yaml:15:42: model.candidates[1].class: there is no file models/promo.py"
            in said.out + said.err
        )
    assert not (root / ".mlspec").exists()
    write_model(root)
    write_spec(root, FIRST + CUSTOM.replace("weeks", "week"))
    said = mlspec("validate")
    assert "params.week: models/promo.py:7: PromoModel takes no parameter 'week'" in said.out
    assert "hint: did you mean 'weeks'?" in said.out


def test_one_is_tried_in_seconds_and_recorded_nowhere(root: Path, mlspec: Mlspec) -> None:
    said = mlspec("check-model", "models.promo:PromoModel")
    assert said.code == 0, said.err
    assert "yes: it fits, saves, loads and forecasts, and twice the same" in said.out
    assert not (root / ".mlspec").exists()
    facts = json.loads(mlspec("check-model", "models.promo:PromoModel", "demand", "--output", "json").out)
    assert (facts["ok"], facts["forecast"], facts["series"], facts["rows"]) == (True, "demand", 2, 4)
    assert [step["ok"] for step in facts["steps"]] == [True] * 4


def test_a_trial_says_what_is_wrong_and_fails(root: Path, mlspec: Mlspec) -> None:
    write_model(root, changed("json.dumps(self.means, sort_keys=True)", "str(__import__('time').time_ns())"))
    said = mlspec("check-model", "models.promo:PromoModel", "--output", "json")
    assert said.code == 1
    facts = json.loads(said.out)
    assert facts["error"].startswith("candidate 'promo': models/promo.py:18: TypeError: ")
    write_model(
        root,
        changed("json.dumps(self.means, sort_keys=True)", "json.dumps({**self.means, 't': __import__('time').time()})"),
    )
    said = mlspec("check-model", "models.promo:PromoModel")
    assert said.code == 1
    assert "no: candidate 'promo': models/promo.py:11: fit saved other bytes the second time, in means.json" in said.out
    write_model(root, changed("json.dumps(self.means, sort_keys=True)", "json.dumps({**self.means, 't': id(folder)})"))
    said = mlspec("check-model", "models.promo:PromoModel")  # it saves an address of memory
    assert "fit saved other bytes the second time, in means.json" in said.out
    assert mlspec("check-model", "models.nowhere:Model", "plain").code == 1
    assert mlspec("check-model", "models.promo:PromoModel", "nobody").code == 2
    assert mlspec("check-model", "no/class", "plain").code == 2


GCP = "targets:\n  prod: {type: gcp, project: acme-prod, region: europe-west1}\n"
DOCKERFILE = 'FROM python AS build\nCOPY ["models", "models"]\nFROM python\nCOPY ["specs", "specs"]\n'


def test_a_target_whose_image_lacks_the_code_is_refused_with_the_line_to_add(root: Path, mlspec: Mlspec) -> None:
    (root / "mlspec.yaml").write_text((root / "mlspec.yaml").read_text() + GCP)
    (root / "Dockerfile").write_text(DOCKERFILE)
    assert mlspec("validate").code == 0
    said = mlspec("validate", "--target", "prod")
    assert said.code == 1
    assert "models is not in the image of the target: its Dockerfile copies it nowhere" in said.out
    assert 'hint: add COPY ["models", "models"] to Dockerfile, and !models to .dockerignore' in said.out
    (root / "Dockerfile").write_text(f'{DOCKERFILE}COPY ["models", "models"]\n')
    assert mlspec("validate", "--target", "prod").code == 0


def test_init_puts_the_folder_of_models_into_the_image(root: Path, mlspec: Mlspec) -> None:
    assert mlspec("init", ".", "--from", "data/sales.csv", "--name", "more").code == 0
    assert 'COPY ["models", "models"]' in (root / "Dockerfile").read_text()
    assert "!models\n" in (root / ".dockerignore").read_text()


def test_a_rehearsal_has_the_code(root: Path, mlspec: Mlspec) -> None:
    write_spec(root, CUSTOM)
    text = (root / "specs" / "demand.yaml").read_text()
    watched = "alerts: [{name: accuracy, metric: wape, above: 0.5}]\nrollback: {on: [accuracy]}\n"
    (root / "specs" / "demand.yaml").write_text(text + watched)
    said = mlspec("rehearse", "demand", "--fault", "bad-model")
    assert "a version served all the time" in said.out, said
