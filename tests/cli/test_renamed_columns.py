"""A spec whose series, periods or values are others now: what was forecast before is compared with nothing that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_session import Mlspec, applied, mlspec
from tests.examples import edit

__all__ = ["applied", "mlspec"]


@pytest.fixture
def renamed(applied: Mlspec) -> Mlspec:
    """A project with a forecast, whose series column has another name from here on."""
    edit(Path("data/sales.csv"), "shop,day,units", "store,day,units")
    edit(Path("specs/demand.yaml"), "series: [shop]", "series: [store]")
    return applied


def test_the_loop_goes_on_while_the_gate_keeps_the_renamed_series_out(renamed: Mlspec) -> None:
    edit(Path("specs/demand.yaml"), "below: 0.9", "below: 0.0000001")
    assert renamed("apply").code == 3
    said = renamed("reconcile", "--once")
    assert (said.code, "defect" in said.out + said.err) == (0, False), said


def test_forecasts_of_other_series_are_not_compared(renamed: Mlspec) -> None:
    assert renamed("apply").code == 0
    assert renamed("report", "demand").code == 0
    assert renamed("errors", "demand").code == 0
    for words in (("diff", "demand", "r1", "r2", "--values"), ("forecast", "demand", "--compare", "previous")):
        said = renamed(*words)
        assert (said.code, "are of other series, periods or values" in said.err) == (2, True), said
