"""A picture of a forecast from Python: that of its page, as a document of its own."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from mlspec.errors import NotFound, UsageError
from mlspec.render import chart_file
from tests.api.conftest import Shop

pytestmark = pytest.mark.xdist_group("api")
NAMESPACE = {"svg": "http://www.w3.org/2000/svg"}
PAGE_CSS = Path(__file__).resolve().parents[2] / "templates" / "pages" / "pages.css"


def lines_of(picture: str) -> dict[str, int]:
    """Return the number of points of each line that a picture names."""
    root = ET.fromstring(picture)
    found = {}
    for line in root.iterfind(".//svg:polyline", NAMESPACE):
        title = line.find("svg:title", NAMESPACE)
        if title is not None:
            found[str(title.text)] = found.get(str(title.text), 0) + len(line.attrib["points"].split())
    return found


def test_a_picture_has_the_history_and_the_forecast_of_all_series_or_of_one(shop: Shop) -> None:
    demand = shop.project["demand"]
    total, one = demand.plot(), demand.plot({"shop": "001"})
    assert (total.title, one.title) == ("demand: All series", "demand: 001")
    assert lines_of(total.svg) == {"units": 45, "forecast before": 2, "forecast": 2}
    assert lines_of(one.svg) == {
        "units": 45,
        "backtest": lines_of(one.svg)["backtest"],
        "forecast before": 2,
        "forecast": 2,
    }
    assert one.svg.count('class="band"') == total.svg.count('class="band"') + 1


def test_a_notebook_shows_it_and_a_file_keeps_it(shop: Shop, tmp_path: Path) -> None:
    chart = shop.project["demand"].plot(language="pt-BR")
    chart.save(tmp_path / "demand.svg")
    saved = (tmp_path / "demand.svg").read_text(encoding="utf-8")
    assert saved == chart.svg == chart._repr_svg_()
    assert "demand: Todas as séries" in saved
    assert "01/01/2024" in saved


def test_its_language_is_that_of_the_project_unless_another_is_asked_for(shop: Shop) -> None:
    file = shop.project.root / "mlspec.yaml"
    file.write_text(file.read_text() + "language: pt-BR\n")
    demand = shop.project["demand"]
    assert [demand.plot().title, demand.plot(language="en").title] == ["demand: Todas as séries", "demand: All series"]


def test_its_rules_are_for_it_alone_and_its_colours_are_those_of_the_pages() -> None:
    rules = [line for line in chart_file._STYLE.splitlines() if line]
    assert all(line.startswith(".mlspec-chart ") for line in rules)
    light = PAGE_CSS.read_text().splitlines()[0]
    assert set(re.findall(r"#[0-9a-f]{6}", chart_file._STYLE)) <= set(re.findall(r"#[0-9a-f]{6}", light))


def test_a_series_that_is_not_there_is_refused(shop: Shop) -> None:
    demand = shop.project["demand"]
    with pytest.raises(NotFound, match="there is no series shop=002"):
        demand.plot({"shop": "002"})
    with pytest.raises(UsageError, match="'shp' names no series") as error:
        demand.plot({"shp": "001"})
    assert error.value.hint == "did you mean 'shop'?"
