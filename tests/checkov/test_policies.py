"""Every policy of our own fires on what it is against, and lets the right thing pass.

The examples say themselves what is wrong: above a resource of examples/naive stands `# wrong: ` and the numbers of the
policies that have to fire on it.
"""

import re
from pathlib import Path

import pytest

from tests.checkov.scan import POLICIES, Scan, scan

pytestmark = pytest.mark.xdist_group("checkov-policies")  # one scan

EXAMPLES = Path(__file__).parent / "examples"
IN_YAML = {
    file.name[:2]: match["number"]
    for file in POLICIES.glob("*.yaml")
    if (match := re.search(r"id: CKV2_MLSPEC_(?P<number>\d+)", file.read_text()))
}
IN_PYTHON = {"06", "16", "17", "18"}
OURS = {f"CKV2_MLSPEC_{int(number)}" for number in IN_YAML.keys() | IN_PYTHON}
NOTHING_IS_RIGHT = {"CKV2_MLSPEC_14", "CKV2_MLSPEC_19"}  # here the type of resource itself is what is wrong


@pytest.fixture(scope="module")
def examples() -> Scan:
    return scan(EXAMPLES)


def wrong() -> set[tuple[str, str]]:
    """What the naive examples say about themselves: pairs of a policy and a resource."""
    pairs = set()
    for file in EXAMPLES.glob("naive/*.tf"):
        for match in re.finditer(r'^# wrong: ([\d ]+)\nresource "(\w+)" "(\w+)"', file.read_text(), re.MULTILINE):
            numbers, kind, name = match.groups()
            pairs |= {(f"CKV2_MLSPEC_{number}", f"{kind}.{name}") for number in numbers.split()}
    return pairs


def test_policies_are_numbered_without_gaps_and_their_files_carry_the_number():
    assert {file: int(number) for file, number in IN_YAML.items()} == {file: int(file) for file in IN_YAML}
    assert sorted(IN_YAML.keys() | IN_PYTHON) == [f"{number:02}" for number in range(1, len(OURS) + 1)]


def test_a_policy_fires_on_exactly_what_is_wrong(examples):
    """Named resources: checkov writes the copies of a for_each as name["key"]."""
    fired = {
        (finding.check, re.sub(r"\[.*\]$", "", finding.resource))
        for finding in examples.failed
        if finding.check in OURS and finding.file.startswith("naive/")
    }
    assert fired == wrong()


@pytest.mark.parametrize("policy", sorted(OURS))
def test_a_policy_has_a_naive_and_a_right_example(examples, policy):
    assert policy in {check for check, _ in wrong()}
    looked_at = [
        finding for finding in examples.passed if finding.check == policy and finding.file.startswith("right/")
    ]
    assert looked_at or policy in NOTHING_IS_RIGHT


def test_nothing_of_the_right_examples_is_refused(examples):
    assert [
        str(finding) for finding in examples.failed if finding.check in OURS and finding.file.startswith("right/")
    ] == []
