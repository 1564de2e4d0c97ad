"""Every broken file of the corpus is refused in the words that stand in `faults.txt`, without a traceback.

`ACCEPT=1` rewrites the expectations after you have read the difference. One file is one fault, named after it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlspec.spec import read_specs

HERE = Path(__file__).parent
FILES = sorted((HERE / "faults").glob("*.yaml"))
EXPECTED = HERE / "faults.txt"


def said_of(file: Path) -> str:
    faults = read_specs([file], HERE, "local").faults
    return "\n".join(
        f"{file.name}:{fault.line}:{fault.column}: [{fault.code}] {f'{fault.path}: ' if fault.path else ''}{fault.message}"
        f"{f' ({fault.hint})' if fault.hint else ''}"
        for fault in faults
    )


def test_every_fault_is_told_as_expected() -> None:
    found = "\n".join(said_of(file) for file in FILES) + "\n"
    if os.environ.get("ACCEPT"):
        EXPECTED.write_text(found, encoding="utf-8")
    assert found == EXPECTED.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_of_the_corpus_is_refused(file: Path) -> None:
    assert said_of(file)


def test_the_whole_corpus_stays_small_and_quick_and_shows_no_traceback() -> None:
    code = (
        "import re, sys\n"
        "from mlspec.cli.main import run\n"
        "code = run(['validate', sys.argv[1]])\n"
        # Linux's own high-water mark of this process; ru_maxrss would count the parent that forked it.
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())\n"
        "print(int(peak[1]) // 1024, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(HERE / "faults")], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    assert int(done.stderr.splitlines()[-1]) < 300
