"""Where the builds of a new project get mlspec from: pinned, fetchable by any machine, and ours."""

from __future__ import annotations

import pytest

from mlspec.errors import UsageError
from mlspec.installation import LocalPath, Published
from mlspec.plan.package_source import chosen_package, detected_package, why_unknown

EXTRAS = ("forecast", "gcp")
STRANGER = "mlspec"  # another project's package on PyPI


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("mlspec-forecast==1.2.3", "mlspec-forecast[forecast,gcp]==1.2.3"),
        ("mlspec_forecast[serve]==1.2.3", "mlspec-forecast[serve]==1.2.3"),
        (
            "https://example.com/m.whl#sha256=ab",
            "mlspec-forecast[forecast,gcp] @ https://example.com/m.whl#sha256=ab",
        ),
        (
            "mlspec-forecast[gcp] @ git+https://example.com/m.git@v1.2.3",
            "mlspec-forecast[gcp] @ git+https://example.com/m.git@v1.2.3",
        ),
        (
            "git+ssh://git@example.com/m.git@v1.2.3",
            "mlspec-forecast[forecast,gcp] @ git+ssh://git@example.com/m.git@v1.2.3",
        ),
        (
            "https://${USER}:${TOKEN}@example.com/m.whl",
            "mlspec-forecast[forecast,gcp] @ https://${USER}:${TOKEN}@example.com/m.whl",
        ),
        ("wheels/mlspec_forecast-1.2.3-py3-none-any.whl", "./wheels/mlspec_forecast-1.2.3-py3-none-any.whl[forecast,gcp]"),
    ],
)  # fmt: skip
def test_a_pinned_source_is_one_line_of_a_requirements_file(said: str, line: str) -> None:
    assert chosen_package(said, EXTRAS) == line


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("mlspec", "names 'mlspec', and mlspec's package is 'mlspec-forecast'"),
        (f"{STRANGER}==0.13.0", f"names '{STRANGER}'"),
        ("mlspec-forecast", "names no single version"),
        ("mlspec-forecast>=1", "names no single version"),
        ("mlspec-forecast==1.*", "names no single version"),
        ("mlspec-forecast==1,!=2", "names no single version"),
        ("git+https://example.com/m.git", "names no tag or commit"),
        ("http://example.com/m.whl", "not an address that a build can fetch"),
        ("file:///home/me/m.whl", "not an address that a build can fetch"),
        ("https://me:hunter2@example.com/m.whl", "holds a user or password"),
        ("/home/me/m.whl", "is not a wheel in the project's folder"),
        ("../m.whl", "is not a wheel in the project's folder"),
        ("a m.whl", "is not a wheel in the project's folder"),
        ("no package at all", "names no package"),
        ("mlspec-forecast==1\n-r other.txt", "is not one line"),
        ("", "is not one line"),
    ],
)
def test_what_is_not_pinned_not_ours_or_not_for_everybody_is_refused(said: str, error: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen_package(said, EXTRAS)
    assert error in caught.value.message
    assert caught.value.hint
    assert "hunter2" not in caught.value.message


def test_what_was_detected_is_taken_where_another_machine_can_fetch_it() -> None:
    assert detected_package(Published("==1.2.3"), EXTRAS) == "mlspec-forecast[forecast,gcp]==1.2.3"
    assert detected_package(LocalPath("/home/me/clone"), EXTRAS) is None
    assert detected_package(None, EXTRAS) is None
    assert "/home/me/clone, which no other machine has" in why_unknown(LocalPath("/home/me/clone"))
    assert "did not record" in why_unknown(None)
