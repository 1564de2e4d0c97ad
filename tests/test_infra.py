"""The platform's Terraform is formatted, described, and its page says what it takes and gives."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.tools import needs

INFRA = Path(__file__).parent.parent / "infra"


def blocks(kind: str) -> dict[str, str]:
    """Each block of this kind in infra/, by name."""
    text = "\n".join(file.read_text() for file in sorted(INFRA.glob("*.tf")))
    return dict(re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', text, re.MULTILINE | re.DOTALL))


def section(title: str) -> set[str]:
    """The names in the first column of a section's table."""
    text = (INFRA / "README.md").read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    return {name for row in re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize(("title", "kind"), [("Inputs", "variable"), ("Outputs", "output")])
def test_the_page_lists_what_the_code_has(title, kind):
    assert section(title) == set(blocks(kind))


@pytest.mark.parametrize("kind", ["variable", "output"])
def test_every_input_and_output_says_what_it_is(kind):
    assert [name for name, body in blocks(kind).items() if "description" not in body] == []


def test_the_page_lists_every_file_that_makes_something():
    made = {file.name for file in INFRA.glob("*.tf") if re.search(r'^resource "', file.read_text(), re.MULTILINE)}
    page = (INFRA / "README.md").read_text()
    assert [name for name in sorted(made) if f"`{name}`" not in page] == []


def test_a_grant_is_one_resource_with_one_literal_role():
    """The only for_each among the grants is the key's, over members: its role is a literal too."""
    text = "\n".join(file.read_text() for file in sorted(INFRA.glob("*.tf")))
    grants = re.findall(r'^resource "(\w+_iam_member)" "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    assert [name for _, name, body in grants if "for_each" in body] == ["agent"]
    for _, name, body in grants:
        assert re.search(
            r'^  role +=\s("roles/[\w.]+"|google_project_iam_custom_role\.\w+\.id)$', body, re.MULTILINE
        ), name


def test_what_holds_data_is_protected_twice():
    text = "\n".join(file.read_text() for file in sorted(INFRA.glob("*.tf")))
    resources = {
        f"{kind}.{name}": body
        for kind, name, body in re.findall(r'^resource "(\w+)" "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    }
    held = {address for address, body in resources.items() if "prevent_destroy = true" in body}
    assert held == {
        "google_artifact_registry_repository.mlspec",
        "google_composer_environment.mlspec",
        "google_kms_crypto_key.mlspec",
        "google_kms_key_ring.mlspec",
        "google_logging_project_bucket_config.mlspec",
        "google_storage_bucket.access_logs",
        "google_storage_bucket.mlspec",
    }
    for address in held - {
        "google_kms_key_ring.mlspec"
    }:  # Google deletes no key ring, and the provider knows no policy for one
        assert "deletion_policy" in resources[address], address


def test_it_is_formatted_as_terraform_formats():
    done = subprocess.run(
        [
            needs("terraform"),
            "fmt",
            "-check",
            "-recursive",
            "-list=true",
            str(INFRA),
        ],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")
