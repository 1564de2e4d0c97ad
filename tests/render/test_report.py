"""The report and its charts: true to their numbers, safe for any text, whole without a network."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlspec.render.chart import Band, Line, bar_chart, line_chart, nice_ticks
from mlspec.render.project import comment_lines, project_files
from mlspec.render.report import SHOWN_SERIES, ReportFacts, SeriesFacts, render_report
from mlspec.render.yaml_text import quote_list, quote_scalar

METRICS = {"wape": 0.1, "mase": 1.0, "rmsse": None, "bias": -0.02, "pinball": 0.03, "coverage": 0.79}
SERIES = SeriesFacts(
    "shop 1", [("2024-01-01", 5.0), ("2024-01-02", None)], [("2024-01-03", 6.0)], [4.0], [8.0], [("2024-01-01", 5.5)]
)
FACTS = ReportFacts(
    name="demand", description="Weekly sales", owner=None, target_column="units",
    version={"version": "v1", "candidate": "theta", "metrics": METRICS}, release=1,
    run={"start": "2024-01-03", "end": "2024-01-03", "cutoff": "2024-01-02"},
    candidates=[{"name": "theta", "metrics": METRICS}, {"name": "seasonal-naive", "metrics": METRICS}],
    gate=["pass: wape is below 0.2"], by=[{"column": "shop", "value": "1", "metrics": METRICS}],
    by_step=[(1, 0.1), (2, None)], by_cutoff=[("2024-01-01", 0.1)], series=[SERIES],
    quality={
        "rows": 2, "series": 1, "start": "2024-01-01", "cutoff": "2024-01-02",
        "checks": [{"check": "gaps", "ok": True, "message": "none"}],
    },
    inventory=None, events=[{"at": "t", "reason": "Deployed", "message": "m"}], interval=0.8, ready=True, why="", made="t",
    lineage={"seed": 0, "libraries": {"numpy": "2"}}, auto=["seasonal-naive: the floor"],
)  # fmt: skip


class Tags(HTMLParser):
    """Collects the tags of a page, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]


@given(st.text(max_size=40))
def test_no_text_of_a_user_becomes_a_tag(text: str) -> None:
    plain = Tags(render_report(FACTS)).seen
    hostile = replace(
        FACTS, name=f"<script>{text}", description=f'"><img onerror=x>{text}', owner=text, target_column=text,
        series=[replace(SERIES, name=f"</svg><script>{text}")], gate=[f"pass: {text}<b>"],
        by=[{"column": text, "value": "<i>", "metrics": METRICS}],
        events=[{"at": "t", "reason": "R", "message": f"<script>alert(1)</script>{text}"}],
    )  # fmt: skip
    assert Tags(render_report(hostile)).seen == plain


def test_the_page_says_what_serves_and_how_good_it_is() -> None:
    page = render_report(FACTS)
    for words in (
        "release 1 serves",
        "theta",
        "10.0%",
        "79.0%",
        "80% interval",
        "seasonal-naive: the floor",
        "wape is below 0.2",
        "shop 1",
    ):
        assert words in page
    assert "not ready" in render_report(replace(FACTS, ready=False, why="nothing serves"))


def test_many_series_are_shown_by_volume_and_the_rest_is_counted() -> None:
    many = [replace(SERIES, name=f"s{i}", history=[("2024-01-01", float(i))]) for i in range(SHOWN_SERIES + 3)]
    page = render_report(replace(FACTS, series=many))
    assert "3 smaller series are not drawn" in page
    assert ">s26<" in page
    assert ">s0<" not in page


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_ticks_are_round_and_span_the_values(low: float, span: float) -> None:
    marks = nice_ticks(low, low + span)
    tolerance = abs(marks[1] - marks[0]) * 1e-6
    assert marks[0] <= low + tolerance
    assert marks[-1] >= low + span - tolerance
    assert 2 <= len(marks) <= 12


values = st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=12)


@given(values)
def test_a_chart_is_whole_xml_inside_its_frame(found: list[float | None]) -> None:
    labels = [f"2024-01-{i + 1:02}" for i in range(len(found))]
    chart = ET.fromstring(line_chart("a <b>", labels, [Line("x", "actual", found)], Band("80 %", found, found), 1))
    for line in chart.iter("polyline"):
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 720
            assert 0 <= y <= 220
    ET.fromstring(bar_chart("b", labels, found))


def test_a_gap_stays_a_gap() -> None:
    chart = ET.fromstring(line_chart("t", ["a", "b", "c", "d"], [Line("x", "actual", [1.0, None, 2.0, 3.0])]))
    assert [len(line.attrib["points"].split()) for line in chart.iter("polyline")] == [1, 2]


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30))
def test_any_text_reads_back_from_the_yaml_that_is_written(text: str) -> None:
    assert yaml.safe_load(f"a: {quote_scalar(text)}") == {"a": text}
    assert yaml.safe_load(f"{{{quote_scalar(text or 'k')}: [1]}}") == {text or "k": [1]}
    assert yaml.safe_load(f"a: {quote_list([text, 'b'])}") == {"a": [text, "b"]}


@given(st.text(max_size=200))
def test_a_comment_stays_a_comment(text: str) -> None:
    assert yaml.safe_load(f"a: 1\n{comment_lines(text)}\nb: 2\n") == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "path", ["mlspec.yaml", ".github/workflows/forecasts.yml", "cloudbuild.yaml", ".gitlab-ci.yml"]
)
def test_project_files_are_yaml(path: str) -> None:
    assert yaml.safe_load(
        project_files({"name": "shop", "spec": "demand", "package": None, "why": "It is on one machine."})[path]
    )


def test_the_stock_has_what_its_levels_would_have_reached() -> None:
    row = {
        "candidate": "theta", "policy": "(R,S)", "cycle_service": 0.962, "fill_rate": None, "mean_stock": 1234.5,
        "stock_periods": 0.66, "orders": 1.0, "cycles": 40,
    }  # fmt: skip
    facts = {"service_level": 0.95, "protection_periods": 3, "formula": "f"}
    stock = {"columns": ["shop"], "rows": [["1"]], "hidden": 0, "words": 1, "facts": facts, "policy": "(R,S)"}
    assert "would have reached" not in render_report(replace(FACTS, inventory={**stock, "simulation": ()}))
    simulated = {**stock, "simulation": [row, {**row, "candidate": "<b>", "policy": "(s,S)"}]}
    page = render_report(replace(FACTS, inventory=simulated))
    cells = '<td class="left">(R,S)</td><td>96.2%</td><td>–</td><td>1,234</td><td>0.66</td><td>100.0%</td>'
    assert f'<tr class="champion"><th scope="row">theta</th>{cells}' in page
    assert '<tr><th scope="row">&lt;b&gt;</th><td class="left">(s,S)</td>' in page
