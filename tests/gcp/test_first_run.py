"""The page of the first run on Google Cloud and `mlspec doctor` say the same: each step is checked, each check is of one step."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from mlspec.plan.gcp.cost import CONDITION, HOURS, JOB_CPU, JOB_MEMORY
from tests.examples import spec_text
from tests.gcp.clinic import Clinic

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "google-cloud.md").read_text()
PLATFORM = (ROOT / "infra" / "README.md").read_text()
STEPS = re.findall(r"^### (\d+)\. ([^\n]+)\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
OF_ALL_TARGETS = (ROOT / "mlspec" / "engine" / "doctor.py", ROOT / "mlspec" / "targets" / "machine.py")
ELSEWHERE = "bq://other-co.sales.prices"


def claims(step: str) -> list[str]:
    """Return the findings that a step says it is checked by, as `area / name`, where a star stands for anything."""
    lines = re.findall(r"^doctor: (.+)$", step, re.MULTILINE)
    return [claim for line in lines for claim in re.findall(r"`(.+?)`", line)]


def names(clinic: Clinic) -> list[str]:
    found = json.loads(clinic.run("--output", "json")[1])["checks"]
    return [f"{each['area']} / {each['name']}" for each in found]


def test_the_steps_are_numbered_in_order_and_each_is_checked_by_doctor() -> None:
    assert [int(number) for number, _, _ in STEPS] == list(range(1, len(STEPS) + 1))
    assert len(STEPS) > 5
    assert [title for _, title, text in STEPS if not claims(text)] == []


def test_every_area_that_doctor_can_name_is_claimed_by_a_step() -> None:
    """Also those of findings that no test of this page brings about, such as a login that is missing."""
    modules = [*(ROOT / "mlspec" / "targets" / "gcp" / "doctor").glob("*.py"), *OF_ALL_TARGETS]
    named = {
        area
        for module in modules
        for area in re.findall(r'(?:Finding|run_check|unknown_finding)\(\s*"([^"]+)"', module.read_text())
    }
    claimed = {claim.partition(" / ")[0] for _, _, text in STEPS for claim in claims(text)}
    assert named | {"Terraform"} == claimed  # one name stands in a variable


def test_every_finding_is_claimed_by_one_step_and_every_claim_finds_something(clinic: Clinic) -> None:
    """Of an empty project and of one where all is done, with the choices and a source in another project."""
    another = spec_text().replace("name: demand", "name: prices").replace("data/sales.csv", ELSEWHERE)
    (clinic.root / "specs" / "prices.yaml").write_text(another)
    found = names(clinic)
    clinic.everything()
    found += [name for name in names(clinic) if name not in found]
    assert "project / specs" in found
    assert f"sources / {ELSEWHERE}" in found
    by_claim = {
        claim: [name for name in found if fnmatchcase(name, claim)] for _, _, text in STEPS for claim in claims(text)
    }
    assert [claim for claim, matched in by_claim.items() if not matched] == []
    claimed = sorted(name for matched in by_claim.values() for name in matched)
    assert claimed == sorted(found)


def test_doctor_asks_in_the_order_of_the_steps(clinic: Clinic) -> None:
    """But for this machine, the project's files and the login, without which it can ask nothing."""
    clinic.everything()
    order = [claim for _, _, text in STEPS for claim in claims(text)]
    asked = [next(i for i, claim in enumerate(order) if fnmatchcase(name, claim)) for name in names(clinic)]
    first = order.index("Google Cloud / billing")
    assert asked.index(first) == sum(order[each].startswith(("machine", "project", "account")) for each in asked)
    rest = [each for each in asked[asked.index(first) :] if order[each] != "APIs / *"]
    assert rest == sorted(rest)


def test_the_lines_of_doctor_that_the_page_shows_are_printed(clinic: Clinic) -> None:
    (shown,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    clinic.buckets()
    email, role = f"ana@{clinic.project}.iam.gserviceaccount.com", f"projects/{clinic.project}/roles/storage"
    clinic.standin.define_role(role, ["cloudkms.cryptoKeys.get", "storage.buckets.get"])
    clinic.standin.grant(f"projects/{clinic.project}", role, f"serviceAccount:{email}")
    with clinic.standin.acting_as(email):
        said = clinic.run()[1].replace(f"serviceAccount:{email}", "user:ana@example.com")
    printed = iter(said.replace(clinic.project, "acme-prod").splitlines())
    assert [line for line in shown.splitlines() if line != "..." and line not in printed] == []


def test_the_inputs_that_the_page_writes_are_the_platform_s() -> None:
    (written,) = re.findall(r"<<VARS\n(.*?)^VARS", PAGE, re.MULTILINE | re.DOTALL)
    inputs = set(re.findall(r'^variable "(\w+)"', (ROOT / "infra" / "variables.tf").read_text(), re.MULTILINE))
    required = {"project_id", "function_archive"}
    assert required <= set(re.findall(r"^(\w+) +=", written, re.MULTILINE)) <= inputs


@pytest.mark.parametrize("command", sorted(set(re.findall(r"\b(scripts/[\w-]+)", PAGE))))
def test_a_script_that_the_page_names_is_there(command: str) -> None:
    assert (ROOT / command).is_file()


def test_what_the_platform_costs_at_rest_follows_from_the_prices() -> None:
    section = PLATFORM.split("## What it costs\n")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\| .*\|$", section, re.MULTILINE)[2:]
    ]
    hourly = [
        (float(unit.removesuffix(" an hour")), float(month)) for _, unit, month, _ in rows if unit.endswith(" an hour")
    ]
    assert len(hourly) == 2
    assert all(month == pytest.approx(unit * HOURS, abs=0.005) for unit, month in hourly)
    conditions = next(row for row in rows if row[0].startswith("each condition"))
    policies = (ROOT / "infra" / "monitoring.tf").read_text().count('\nresource "google_monitoring_alert_policy"')
    assert f"the {policies} alert policies" in conditions[0]
    assert float(conditions[2]) == CONDITION
    second = re.search(
        r"each second that the reconcile job takes, ([\d,]+) times a month, is ([\d.]+)", section.replace("\n", " ")
    )
    assert second
    times = HOURS * 2  # reconcile_schedule's default is every half hour
    assert (int(second[1].replace(",", "")), float(second[2])) == (times, round(times * (JOB_CPU + JOB_MEMORY), 2))
    assert all(page == "the same" or page.startswith("cloud.google.com/") for *_, page in rows)
