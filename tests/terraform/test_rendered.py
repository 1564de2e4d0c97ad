"""Real Terraform on what specs are compiled to: made once, then nothing to do; drift is seen; taken down, nothing is left."""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.render.gcp.terraform import GcpTerraform, forecast_files
from mlspec.render.rendering import RenderSource, render_forecast
from tests.render.specs import PLACE, SPECS, all_files, with_words, write
from tests.render.test_quote import HOSTILE
from tests.terraform.harness import Terraform
from tests.terraform.provider.cloud import Cloud
from tests.terraform_core import evaluate
from tests.tools import needs

IMAGE = f"southamerica-east1-docker.pkg.dev/acme-prod/mlspec/step@sha256:{'0' * 64}"
NAMES = [*SPECS, "demand", "_project"]

Open = Callable[[str], Terraform]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return all_files(tmp_path_factory.mktemp("specs"))


@pytest.fixture
def opened(files: dict[str, str], terraform_env: dict[str, str], tmp_path: Path) -> Open:
    """Terraform, initialised, on one rendered folder."""

    def start(name: str) -> Terraform:
        root = write(files, tmp_path / "build")
        found = Terraform(root / "terraform" / name, {**terraform_env, "TF_VAR_image": IMAGE}, needs("terraform"))
        found.init().expect(0)
        return found

    return start


@pytest.mark.parametrize("name", NAMES)
def test_it_is_made_once_and_taken_down_whole(opened: Open, cloud: Cloud, name: str) -> None:
    terraform = opened(name)
    terraform.apply().expect(0)
    assert cloud.resources()
    terraform.plan().expect(0)
    terraform.apply("-var=protect=false").expect(0)
    terraform.destroy("-var=protect=false").expect(0)
    assert cloud.resources() == []


def test_what_holds_data_refuses_to_be_destroyed_while_it_is_protected(opened: Open, cloud: Cloud) -> None:
    terraform = opened("minimal")
    terraform.apply().expect(0)
    refused = terraform.destroy()
    assert refused.returncode == 1
    assert "deletion_protection" in refused.text
    assert [found for found in cloud.resources() if "bigquery_table" in str(found)]


def test_an_edit_by_hand_is_drift_and_is_mended(opened: Open, cloud: Cloud) -> None:
    terraform = opened("alerts")
    terraform.apply().expect(0)
    policies = cloud.resources("google_monitoring_alert_policy")
    cloud.edit(next(found for found in policies if "bias" in found.values["display_name"]), display_name="mine")
    terraform.plan().expect(2)
    terraform.apply().expect(0)
    terraform.plan().expect(0)


def test_traffic_that_the_loop_moved_is_no_drift(opened: Open, cloud: Cloud) -> None:
    terraform = opened("online")
    terraform.apply().expect(0)
    cloud.edit(cloud.get("google_vertex_ai_endpoint"), traffic_split='{"1": 100}')
    terraform.plan().expect(0)


def test_a_new_dag_is_one_change(opened: Open) -> None:
    terraform = opened("minimal")
    terraform.apply().expect(0)
    dag = terraform.folder.parents[1] / "dags" / "mlspec_minimal.py"
    dag.write_text(dag.read_text() + "# another text\n")
    assert terraform.changes() == {"google_storage_bucket_object.dag": ["update"]}


def test_an_image_without_a_digest_is_refused(opened: Open) -> None:
    terraform = opened("minimal")
    refused = terraform.plan("-var=image=europe-docker.pkg.dev/acme/mlspec/step:latest")
    assert refused.returncode == 1
    assert "by digest" in refused.text


# Free text of a spec: at most 1,024 characters, in NFC, as the reader hands it on.
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=60).map(
    lambda text: unicodedata.normalize("NFC", text)
)


@pytest.mark.parametrize("start", range(0, len(HOSTILE), 12))
def test_hostile_text_is_made_as_it_was_written(
    start: int, terraform_env: dict[str, str], cloud: Cloud, tmp_path: Path
) -> None:
    """Every family of injection that we know, through real Terraform, to where a person would read it."""
    said = " ".join(unicodedata.normalize("NFC", text) for text in HOSTILE[start : start + 12])[:1024]
    source = with_words({"description": said}, tmp_path)
    online = source.spec.deployment.model_copy(update={"serve": "both"})
    spec = source.spec.model_copy(update={"deployment": online})
    root = write(
        render_forecast(RenderSource(source.name, spec, source.spec_hash, source.file), "prod", GcpTerraform(PLACE)),
        tmp_path / "build",
    )
    terraform = Terraform(
        root / "terraform" / source.name, {**terraform_env, "TF_VAR_image": IMAGE}, needs("terraform")
    )
    terraform.init().expect(0)
    terraform.apply().expect(0)
    assert cloud.get("google_bigquery_dataset").values["description"] == said
    assert cloud.get("google_vertex_ai_endpoint").values["description"] == said


@settings(max_examples=8)
@given(st.lists(texts, min_size=8, max_size=8))
def test_any_text_is_a_literal_in_the_file_that_it_stands_in(found: list[str]) -> None:
    """Through Terraform's own parser, eight descriptions a run: the file is one block, and its text is the text."""
    with tempfile.TemporaryDirectory() as name:
        read = []
        for text in found:
            source = with_words({"description": text}, Path(name))
            (line,) = [
                line
                for line in forecast_files(source.spec, PLACE)["warehouse.tf"].splitlines()
                if line.startswith("  description ")
            ]
            read.append(line.split("=", 1)[1].strip())
        assert evaluate(f"[{', '.join(read)}]") == found
