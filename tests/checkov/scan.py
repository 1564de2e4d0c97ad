"""One run of checkov over a folder of Terraform, as facts.

checkov pins a hundred packages, so it lives in an environment of its own and is asked as a process.
"""

import json
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.tools import needs

POLICIES = Path(__file__).parent / "policies"


@dataclass(frozen=True, order=True)
class Finding:
    """One check on one resource: a reason stands where it was skipped."""

    check: str
    resource: str
    file: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.check} {self.file} {self.resource}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class Scan:
    """What checkov said, with the project's own policies in."""

    failed: tuple[Finding, ...]
    passed: tuple[Finding, ...]
    skipped: tuple[Finding, ...]

    @property
    def by_check(self) -> dict[str, Counter[str]]:
        """How often each check failed, passed and was skipped: a check that looked at nothing is not in it."""
        table: dict[str, Counter[str]] = {}
        for verdict in ("failed", "passed", "skipped"):
            for finding in getattr(self, verdict):
                table.setdefault(finding.check, Counter())[verdict] += 1
        return table

    def table(self) -> str:
        """`by_check` as lines, to be kept in a file: a rule that stops looking is a line that changes."""
        lines = []
        for check, counts in sorted(self.by_check.items(), key=lambda entry: _natural(entry[0])):
            lines.append(f"{check:<15}" + "".join(f"  {word} {counts[word]}" for word in sorted(counts)))
        pairs = len(self.failed) + len(self.passed) + len(self.skipped)
        return "\n".join([*lines, f"{pairs} pairs of a resource and a check", ""])


def scan(folder: Path, variables: Path | None = None) -> Scan:
    """Run checkov over `folder`, with the values of `variables` (a .tfvars file) where it has any."""
    command = [needs("checkov"), "--directory", str(folder), "--framework", "terraform", "--output", "json"]
    command += ["--skip-download", "--external-checks-dir", str(POLICIES), "--soft-fail"]
    if variables is not None:
        command += ["--var-file", str(variables)]
    quiet = {**os.environ, "LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise AssertionError(
            f"checkov gave no report (code {done.returncode}):\n{done.stdout}\n{done.stderr}"
        ) from None
    results = report.get("results", {})
    if report.get("summary", report).get("parsing_errors"):
        raise AssertionError(f"checkov cannot read {results['parsing_errors']}")
    return Scan(*(_findings(results.get(f"{word}_checks", [])) for word in ("failed", "passed", "skipped")))


def _findings(records: list[dict]) -> tuple[Finding, ...]:
    return tuple(
        sorted(
            Finding(
                record["check_id"],
                record["resource"],
                record["file_path"].lstrip("/"),
                (record["check_result"].get("suppress_comment") or "").strip(),
            )
            for record in records
        )
    )


def _natural(check: str) -> tuple[str, int]:
    prefix, _, number = check.rpartition("_")
    return prefix, int(number)
