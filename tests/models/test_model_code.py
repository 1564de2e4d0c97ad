"""The code of a model of your own is found without being run, and its digest covers all of it and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.engine.context import model_code_digests
from mlspec.engine.effects import ForecastWork
from mlspec.engine.traffic import fallback_work
from mlspec.errors import SpecError
from mlspec.models.code import find_model_code, parameter_names
from mlspec.plan.desired import DesiredForecast, model_resource
from mlspec.state.observed import Observed, SourceFacts
from tests.examples import forecast_spec
from tests.models.projects import GOOD, changed, write_model

REFERENCE = "models.promo:PromoModel"
IMPORTS = "from models.shares import share\nfrom . import calendar_facts\nimport models.deep.inner\n" + GOOD


def project_of_several_files(root: Path) -> None:
    write_model(root, IMPORTS)
    write_model(root, "from .deep import inner\n", "models/shares.py")
    write_model(root, "DAYS = 7\n", "models/calendar_facts.py")
    write_model(root, "", "models/deep/__init__.py")
    write_model(root, "import numpy\n", "models/deep/inner.py")
    write_model(root, "raise SystemExit\n", "models/unused.py")


def test_it_is_the_file_and_what_that_imports_of_the_project(tmp_path: Path) -> None:
    project_of_several_files(tmp_path)
    assert list(find_model_code(tmp_path, REFERENCE).files) == [
        "models/calendar_facts.py", "models/deep/__init__.py", "models/deep/inner.py", "models/promo.py", "models/shares.py",
    ]  # fmt: skip


def test_its_digest_changes_with_each_of_these_files_and_with_no_other(tmp_path: Path) -> None:
    project_of_several_files(tmp_path)
    before = find_model_code(tmp_path, REFERENCE)
    write_model(tmp_path, "other = 1\n", "models/unused.py")
    assert find_model_code(tmp_path, REFERENCE).digest == before.digest
    for path in before.files:
        text = (tmp_path / path).read_text()
        (tmp_path / path).write_text(f"{text}# a comment\n")
        assert find_model_code(tmp_path, REFERENCE).digest != before.digest, path
        (tmp_path / path).write_text(text)


def test_line_ends_of_a_checkout_change_nothing(tmp_path: Path) -> None:
    file = write_model(tmp_path)
    before = find_model_code(tmp_path, REFERENCE)
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert find_model_code(tmp_path, REFERENCE) == before


def test_nothing_of_it_is_run(tmp_path: Path) -> None:
    write_model(tmp_path, f"raise SystemExit('it ran')\n{GOOD}")
    assert find_model_code(tmp_path, REFERENCE).describe_place("predict") == "models/promo.py:17"


REFUSED = {
    "models.pronto:PromoModel": "there is no file models/pronto.py",
    "models.promo:Promo": "models/promo.py has no class 'Promo'; it has PromoModel",
    "json:PromoModel": "'json' is a module of Python's standard library",
    "mlspec.errors:Exit": "'mlspec' is a module of mlspec itself",
    "no-such-model": "no installed package has an entry point 'no-such-model' of the group mlspec.candidates",
}


@pytest.mark.parametrize("reference", REFUSED)
def test_a_class_that_cannot_be_named_is_refused(reference: str, tmp_path: Path) -> None:
    write_model(tmp_path)
    with pytest.raises(SpecError, match=REFUSED[reference].replace(".", r"\.")):
        find_model_code(tmp_path, reference)


LACKING = {
    "models/promo.py:4: class PromoModel has no method fit": changed("def fit(", "def learn("),
    "models/promo.py:24: PromoModel.load is no class method": changed("    @classmethod\n", ""),
    "models/promo.py:7: SyntaxError": changed("    def __init__(self", "    def __init__(self("),
}


@pytest.mark.parametrize("said", LACKING)
def test_a_class_that_cannot_work_is_refused_at_its_line(said: str, tmp_path: Path) -> None:
    write_model(tmp_path, LACKING[said])
    with pytest.raises(SpecError) as refused:
        find_model_code(tmp_path, REFERENCE)
    assert refused.value.message.startswith(said)


@pytest.mark.parametrize("path", ["models/promo.py", "models/shares.py"])
def test_a_link_out_of_the_project_is_refused_for_the_class_and_what_it_imports(path: str, tmp_path: Path) -> None:
    root, outside = tmp_path / "project", tmp_path / "outside.py"
    write_model(root, f"from models import shares\n{GOOD}")
    write_model(root, "", "models/shares.py")
    outside.write_text(GOOD)
    (root / path).unlink()
    (root / path).symlink_to(outside)
    with pytest.raises(SpecError, match=f"{path} leads out of the project"):
        find_model_code(root, REFERENCE)


def test_a_folder_that_is_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    write_model(tmp_path / "elsewhere")
    (root / "models").symlink_to(tmp_path / "elsewhere" / "models")
    with pytest.raises(SpecError, match=r"models/promo\.py leads out of the project"):
        find_model_code(root, REFERENCE)


def test_its_parameters_are_those_of_its_constructor(tmp_path: Path) -> None:
    write_model(tmp_path)
    assert parameter_names(find_model_code(tmp_path, REFERENCE)) == {"weeks"}
    write_model(tmp_path, changed("weeks=4", "**params"))
    assert parameter_names(find_model_code(tmp_path, REFERENCE)) is None


def test_a_spec_without_custom_models_reads_no_code_and_has_the_lineage_that_it_had(tmp_path: Path) -> None:
    assert model_code_digests(forecast_spec(), tmp_path / "nowhere") == {}
    wanted = DesiredForecast("demand", forecast_spec(), "h", SourceFacts("d", (), 0), "0.1.0")
    assert not [field for field in model_resource(wanted).fields if field.startswith("candidate.")]


def test_the_fallback_is_the_same_whatever_the_code_of_models_is(tmp_path: Path) -> None:
    write_model(tmp_path)
    spec = forecast_spec(model={"candidates": [{"kind": "custom", "name": "promo", "class": REFERENCE}]})
    digests = model_code_digests(spec, tmp_path)
    assert digests == {"promo": find_model_code(tmp_path, REFERENCE).digest}
    wanted = DesiredForecast("demand", spec, "h", SourceFacts("d", (), 0), "0.1.0", digests)
    work = ForecastWork(None, wanted, Observed("demand"))  # type: ignore[arg-type]
    assert fallback_work(work).desired.model_code == {}


HOSTILE = {
    "nested too deeply": "x = " + "(" * 5000 + ")" * 5000 + "\n" + GOOD,
    "with a null byte": GOOD.replace("import json", "import json\0"),
    "in an encoding that is not there": "# coding: nowhere\n" + GOOD,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_cannot_be_parsed_is_refused_in_words(case: str, tmp_path: Path) -> None:
    write_model(tmp_path, HOSTILE[case])
    with pytest.raises(SpecError, match=r"^models/promo\.py"):
        find_model_code(tmp_path, REFERENCE)


def test_an_import_that_no_file_can_have_is_left_to_python(tmp_path: Path) -> None:
    write_model(tmp_path, f"import {'m' * 300}\nfrom ..... import beyond\n{GOOD}")
    assert list(find_model_code(tmp_path, REFERENCE).files) == ["models/promo.py"]


def test_files_that_import_each_other_are_read_once(tmp_path: Path) -> None:
    write_model(tmp_path, f"import models.other\n{GOOD}")
    write_model(tmp_path, "import models.promo\n", "models/other.py")
    assert list(find_model_code(tmp_path, REFERENCE).files) == ["models/other.py", "models/promo.py"]
