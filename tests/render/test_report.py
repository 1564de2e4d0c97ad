"""The report and its charts: true to their numbers, safe for any text, whole without a network."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.plan.natural_order import natural_key
from mlspec.render.chart import Band, ChartWords, Line, line_chart, nice_ticks
from mlspec.render.error_tables import SHOWN_SEGMENTS
from mlspec.render.forecast_page import render_report
from mlspec.render.page_facts import AttentionItem, ForecastPageFacts, SeriesCurve
from mlspec.render.project import comment_lines, project_files
from mlspec.render.reader import LANGUAGES, Reader
from mlspec.render.series_listing import PAGE, SeriesIndex
from mlspec.render.timeline import SHOWN_ROUTINE, timeline_entries
from mlspec.render.yaml_text import quote_list, quote_scalar
from mlspec.state.overview import ErrorPair, ForecastOverview, OverviewRow
from mlspec.state.record import Event

METRICS = {"wape": 0.1, "mase": 1.0, "rmsse": None, "bias": -0.02, "pinball": 0.03, "coverage": 0.79}
CURVE = SeriesCurve(
    times=["2024-01-01", "2024-01-02", "2024-01-03"], actual=[5.0, None, None], backtest=[5.5, None, None],
    earlier=[None, 5.25, 5.75], mean=[None, None, 6.0], quantiles={"q0.1": [None, None, 4.0], "q0.9": [None, None, 8.0]},
)  # fmt: skip
ROW = OverviewRow(("1",), 1, recent=5.0, forecast=6.0, before=5.75, after=6.0, realised=0.12, backtest=0.1, values=1)
OVERVIEW = ForecastOverview(
    columns=("shop",), total=replace(ROW, key=()), series=(ROW,), ids=("1",), segments={"region": (ROW,)},
    by_horizon=(ErrorPair("1", 0.12, 0.1), ErrorPair("2", None, 0.2)), metrics=METRICS, before="2024-01-01", compared=1,
)  # fmt: skip
EVENT = Event("demand", "2024-01-02T06:00:00Z", "Normal", "Deployed", "m")
FACTS = ForecastPageFacts(
    name="demand", description="Weekly sales", owner=None, target_column="units",
    version={"version": "v1", "candidate": "theta", "metrics": METRICS}, release=1,
    run={"start": "2024-01-03", "end": "2024-01-03", "cutoff": "2024-01-02"},
    candidates=[{"name": "theta", "metrics": METRICS}, {"name": "seasonal-naive", "metrics": METRICS}],
    gate=["pass: wape is below 0.2"],
    quality={
        "rows": 2, "series": 1, "start": "2024-01-01", "cutoff": "2024-01-02",
        "checks": [{"check": "gaps", "ok": True, "message": "none"}],
    },
    inventory=None, events=[EVENT], interval=0.8, ready=True, why="", made="2024-01-02T07:00:00Z",
    attention=[AttentionItem("hold", "2024-01-02T06:00:00Z", "release 1 is held by ana: a look")],
    lineage={"seed": 0, "libraries": {"numpy": "2"}}, auto=["seasonal-naive: the floor"], series=SeriesIndex(OVERVIEW),
)  # fmt: skip
WORDS = ChartWords("a <b>", "units <i>", "no data", "{:g}".format)


PORTUGUESE = Reader(LANGUAGES["pt-BR"])


def report(facts: ForecastPageFacts = FACTS, reader: Reader = Reader()) -> str:  # noqa: B008  (frozen)
    return render_report(facts, CURVE, {"1": CURVE}, reader)


class Tags(HTMLParser):
    """Collects the tags of a page, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href", "style")]


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=40))
@settings(max_examples=15)
def test_no_text_of_a_user_becomes_a_tag(text: str) -> None:
    plain = Tags(report()).seen
    row = replace(ROW, key=(f"</svg></script><script>{text}",))
    hostile = replace(
        FACTS, name=f"<script>{text}", description=f'"><img onerror=x>{text}', owner=text, target_column=f"{text}<b>",
        gate=[f"pass: {text}<b>"], events=[replace(EVENT, message=f"<script>alert(1)</script>{text}")],
        attention=[AttentionItem("hold", f"<{text}", f"<script>{text}")],
        series=SeriesIndex(replace(OVERVIEW, series=(row,), segments={f"<i>{text}": (row,)})),
    )  # fmt: skip
    assert Tags(report(hostile)).seen == plain


def test_the_page_says_what_serves_how_good_it_is_and_what_is_realised() -> None:
    page = report()
    for words in (
        "release 1 serves", "theta", "10.0%", "12.0%", "79.0%", "80% interval", "seasonal-naive: the floor", "wape is below 0.2",
        "shop 1", "held by ana", "By region", "5.75", "+4.3%",
    ):  # fmt: skip
        assert words in page
    assert "not ready" in report(replace(FACTS, ready=False, why="nothing serves"))
    assert "This is the first forecast." in report(replace(FACTS, series=SeriesIndex(replace(OVERVIEW, before=None))))
    assert "nothing is realised" in report(replace(FACTS, series=SeriesIndex(replace(OVERVIEW, metrics=None))))


@given(st.integers(0, 130), st.text("ab1 ", max_size=3), st.sampled_from(["worst", "largest", "change", "name", "?"]))
def test_the_pages_of_a_list_have_every_series_that_matches_once(count: int, query: str, order: str) -> None:
    names = [f"a {number}" for number in range(count)]
    rows = tuple(replace(ROW, key=(name,), realised=number / 7 % 1) for number, name in enumerate(names))
    index = SeriesIndex(replace(OVERVIEW, columns=("b",), series=rows, ids=tuple(names)))
    first = index.list_page(query=query, order=order)
    pages = [index.list_page(query=query, order=order, page=at + 1) for at in range(first.pages)]
    seen = [line.id for page in pages for line in page.lines]
    wanted = [name for name in names if all(word in f"b {name}" for word in query.split())]
    assert sorted(seen, key=natural_key) == wanted
    assert (first.matched, first.total) == (len(wanted), count)
    assert all(len(page.lines) == PAGE for page in pages[:-1])


def test_a_segment_of_many_values_shows_the_worst_and_says_how_many_there_are() -> None:
    many = tuple(replace(ROW, key=(f"r{number}",), realised=number / 100) for number in range(SHOWN_SEGMENTS + 37))
    page = report(replace(FACTS, series=SeriesIndex(replace(OVERVIEW, segments={"region": many}))))
    assert f"region has {SHOWN_SEGMENTS + 37} values. The {SHOWN_SEGMENTS} with the worst errors are shown" in page
    assert ">r86<" in page
    assert ">r0<" not in page


def test_a_rollback_is_not_pushed_off_the_time_line_by_forecasts_that_were_made() -> None:
    routine = [replace(EVENT, reason="ForecastMade")] * 500
    entries, hidden = timeline_entries([*routine, replace(EVENT, type="Warning", reason="RolledBack")])
    assert [entry.kind for entry in entries] == ["routine"] * SHOWN_ROUTINE + ["rollback"]
    assert hidden == 500 - SHOWN_ROUTINE


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
    chart = ET.fromstring(line_chart(WORDS, labels, [Line("x", "actual", found)], [Band(found, found)], 1))
    for line in chart.iter("polyline"):
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 720
            assert 0 <= y <= 290


def test_a_gap_stays_a_gap_and_the_axes_have_unit_and_dates() -> None:
    chart = ET.fromstring(line_chart(WORDS, ["a", "b", "c", "d"], [Line("x", "actual", [1.0, None, 2.0, 3.0])]))
    assert [len(line.attrib["points"].split()) for line in chart.iter("polyline")] == [1, 2]
    texts = [text.text for text in chart.iter("text")]
    assert {"units <i>", "a", "d", "0", "3"} <= set(texts)


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
    assert "would have reached" not in report(replace(FACTS, inventory={**stock, "simulation": ()}))
    simulated = {**stock, "simulation": [row, {**row, "candidate": "<b>", "policy": "(s,S)"}]}
    page = report(replace(FACTS, inventory=simulated))
    cells = '<td class="left">(R,S)</td><td>96.2%</td><td>–</td><td>1,234</td><td>0.66</td><td>100.0%</td>'
    assert f'<tr class="champion"><th scope="row">theta</th>{cells}' in page
    assert '<tr><th scope="row">&lt;b&gt;</th><td class="left">(s,S)</td>' in page


@pytest.mark.parametrize(
    ("policy", "english", "portuguese"),
    [
        ("(R,S)", "Each review orders up to the demand", "Cada revisão pede até a demanda prevista"),
        ("(s,S)", "at the reorder point or below it", "no ponto de pedido ou abaixo dele"),
    ],
)
def test_how_stock_levels_are_computed_is_said_in_the_reader_s_language(
    policy: str, english: str, portuguese: str
) -> None:
    facts = {"service_level": 0.95, "protection_periods": 3, "formula": "in words of the record"}
    stock = {"columns": ["shop"], "rows": [["1"]], "hidden": 0, "words": 1, "facts": facts, "simulation": ()}
    known = replace(FACTS, inventory={**stock, "policy": policy})
    assert english in report(known)
    own = report(known, PORTUGUESE)
    assert portuguese in own
    assert "O estoque de segurança é o que o serviço exige" in own
    for page in (own, report(known)):
        assert "in words of the record" not in page
    of_an_older_mlspec = replace(FACTS, inventory={**stock, "policy": None})
    assert '<span lang="en">in words of the record.</span>' in report(of_an_older_mlspec, PORTUGUESE)


def test_a_page_in_another_language_says_what_the_columns_of_its_files_mean() -> None:
    assert "como mean (média) e q0.9 (quantil de 90%)" in report(FACTS, PORTUGUESE)
    assert "column names in every language" not in report(FACTS)
