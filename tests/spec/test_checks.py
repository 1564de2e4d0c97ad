"""What one field alone cannot tell: each row is a change to a right spec, and what is said of it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pydantic import ValidationError

from mlspec.spec.checks import CHECKS, STAND_INS, run_checks
from mlspec.spec.checks.addresses import address_problem
from mlspec.spec.checks.metadata import MAX_LABELS
from mlspec.spec.faults import Problem, dotted_path
from mlspec.spec.forecast import Forecast
from mlspec.spec.metrics import METRICS
from tests.examples import spec_json

WAPE = {"name": "a", "metric": "wape", "above": 0.2}
TWO = [{"kind": "theta"}, {"kind": "auto-ets"}]


def found(changes: dict[str, Any]) -> list[Problem]:
    """Return the problems of a right spec after changes: {"model.quantiles": [0.5, 0.1]}."""
    value = copy.deepcopy(spec_json())
    for path, change in changes.items():
        *above, last = path.split(".")
        place = value
        for key in above:
            place = place[key]
        place[last] = change
    return run_checks(Forecast.model_validate(value))


def events(**named: Any) -> dict[str, Any]:
    return {"events": named}


def row(path: str, says: str, **changes: Any) -> Any:
    """One row of a table: what is changed (`__` stands for a dot), where the fault is, what it says."""
    named = {key.replace("__", "."): value for key, value in changes.items()}
    return pytest.param(named, path, says, id=f"{path}-{says}")


def test_days_of_each_year_and_rules_of_a_month_are_right() -> None:
    texts = ["12-20", "02-29", "12-15/01-31", "day -1", "workday 5"]
    assert found({"dataset.covariates": events(pay=texts)}) == []


@pytest.mark.parametrize("text", ["workday 0", "workday 24", "day 32", "day", "5th workday", "2026-13-01", "13-01"])
def test_no_other_words_name_days(text: str) -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        found({"dataset.covariates": events(pay=[text])})


def test_a_resolved_spec_with_all_its_defaults_is_a_right_spec_itself() -> None:
    assert found({}) == []


@pytest.mark.parametrize(("changes", "path", "says"), [
    row("training.workers", "is for a cluster", training={"workers": 2}),
    row("model.candidates[1].library", "scikit-learn's trees can only learn on one machine, and training.engine is ray",
        model__candidates=[*TWO[:1], {"kind": "gradient-boosting"}], training={"engine": "ray"}),
    row("schedule.forecast", "five fields", schedule__forecast="0 6 * * MON 7"),
    row("schedule.forecast", "never fires", schedule__forecast="0 0 31 2 *"),
    row("schedule.retrain", "never fires: no month of 4,6 has a day 31", schedule__retrain="0 0 31 4,6 *"),
    row("schedule.forecast", "every minute", schedule__forecast="* * * * *"),
    row("schedule.forecast", "4 minutes apart", schedule__forecast="*/4 * * * *"),
    row("schedule.forecast", "2 minutes apart", schedule__forecast="58,0 23,0 * * *"),
    row("schedule.forecast", "bad minute", schedule__forecast="99 6 * * *"),
    row("schedule.forecast", "bad day-of-week", schedule__forecast="0 6 * * LUN"),
    row("schedule.forecast", "L and #", schedule__forecast="0 6 L * *"),
    row("schedule.forecast", "L and #", schedule__forecast="0 6 * * FRI#2"),
    row("schedule.timezone", "not an IANA", schedule__timezone="CET+1"),
    row("schedule.timezone", "not an IANA", schedule__timezone="Europe"),
    row("schedule.timezone", "not an IANA", schedule__timezone="America/Sao-Paulo"),
    row("schedule.timezone", "another machine", schedule__timezone="localtime"),
    row("schedule.deadline", "no time at all", schedule__deadline="0h"),
    row("schedule.timezone", "another machine", schedule__timezone="right/UTC"),
    row("dataset.frequency", "not a frequency", dataset__frequency="W-FRIDAY"),
    row("dataset.frequency", "not a frequency", dataset__frequency="D-FRI"),
    row("dataset.frequency", "not a frequency", dataset__frequency="0D"),
    row("dataset.frequency", "not a frequency", dataset__frequency="fortnight"),
    row("dataset.frequency", "old spelling", dataset__frequency="M"),
])  # fmt: skip
def test_calendars_are_ones_that_there_are(changes: dict[str, Any], path: str, says: str) -> None:
    _only(changes, path, says)


FILE = {"uri": "data/x.csv"}


@pytest.mark.parametrize(("changes", "path", "says"), [
    row("dataset.source.sheet", "is for xlsx, xlsb, xls and ods files", dataset__source={**FILE, "sheet": "Plan1"}),
    row("dataset.source.delimiter", "is for csv files, and this one is parquet",
        dataset__source={"uri": "data/x.parquet", "delimiter": ";"}),
    row("dataset.source.compression", "is for csv files", dataset__source={"uri": "x.xlsx", "compression": "gzip"}),
    row("dataset.source.thousands", "cannot be before decimals and between", dataset__source={**FILE, "thousands": "."}),
    row("dataset.source.encoding", "'cp12521' is not an encoding", dataset__source={**FILE, "encoding": "cp12521"}),
    row("dataset.source.encoding", "'base64' is not an encoding", dataset__source={**FILE, "encoding": "base64"}),
    row("dataset.source.date_format", "neither a named form nor a format", dataset__source={**FILE, "date_format": "isoweek"}),
    row("dataset.source.date_format", "'%k' is not a part of a date", dataset__source={**FILE, "date_format": "%d/%k/%Y"}),
    row("dataset.source.date_format", "has no year", dataset__source={**FILE, "date_format": "%d/%m"}),
    row("dataset.source.decimal", "it is for files", dataset__source={"uri": "bq://acme-prod.sales.weekly", "decimal": ","}),
    row("dataset.source.date_format", "it is for files", dataset__source={"query": "SELECT 1", "date_format": "yyyymm"}),
])  # fmt: skip
def test_the_keys_of_a_table_fit_its_format_and_one_another(changes: dict[str, Any], path: str, says: str) -> None:
    _only(changes, path, says)


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig", "latin-1", "windows-1252", "utf-16", "cp850"])
def test_an_encoding_may_have_any_of_its_names(encoding: str) -> None:
    assert found({"dataset.source": {**FILE, "encoding": encoding}}) == []


@pytest.mark.parametrize(("frequency", "hint"), [
    ("W-FRIDAY", "'W-FRI'"), ("w-fri", "'W-FRI'"), ("weekly", "'W-SUN'"), ("Daily", "'D'"), ("7d", "'7D'"), ("15T", "15min"),
    ("M", "ME or MS"), ("A-DEC", "YE-DEC"), ("W-XYZ", "'W'"), ("fortnight", "such as"),
])  # fmt: skip
def test_a_frequency_is_answered_with_the_one_that_was_meant(frequency: str, hint: str) -> None:
    (problem,) = found({"dataset.frequency": frequency})
    assert hint in str(problem.hint)


@pytest.mark.parametrize("name", ["forecast", "mean", "Mean", "q0.5", "q.05", "version", "cutoff", "safety_stock"])
def test_a_series_column_or_a_time_column_named_like_an_output_is_refused_with_a_way_out(name: str) -> None:
    (problem,) = found({"dataset.series": [name]})
    assert problem.code == "column-reserved"
    assert f"series_{name}" in str(problem.hint)
    (problem,) = found({"dataset.time": name, "dataset.source": {"query": "SELECT 1"}})
    assert f"SELECT {name} AS time_{name}" in str(problem.hint)


def test_unique_id_names_a_series_alone_and_not_beside_others() -> None:
    assert found({"dataset.series": ["unique_id"]}) == []
    assert [problem.code for problem in found({"dataset.series": ["shop", "unique_id"]})] == ["column-reserved"]


@pytest.mark.parametrize("expression", [
    "0 6 * * MON", "*/5 * * * *", "0 0 29 2 *", "0 6 1 JUL *", "58,0 2,4 * * *", "0 0 31 2 MON", "0 6 * * 7", "15 3 1-7 * 1-5",
])  # fmt: skip
def test_a_cron_expression_that_fires_is_taken(expression: str) -> None:
    assert found({"schedule.forecast": expression}) == []


@pytest.mark.parametrize(("changes", "path", "says"), [
    row("dataset.source", "found both", dataset__source={"uri": "a.csv", "query": "SELECT 1"}),
    row("dataset.source", "found neither", dataset__source={}),
    row("dataset.ended_series", "no series ever ends", dataset__ended_series="zero", dataset__missing="zero"),
    row("dataset.series[0]", "'method' is the name of a column", dataset__series=["method"], dataset__ended_series="zero"),
    row("dataset.source.layout", "it is for files", dataset__source={"query": "SELECT 1", "layout": "wide"}),
    row("dataset.covariates.past", "it cannot hold 'price', too", dataset__source={"uri": "x.csv", "layout": "wide"},
        dataset__covariates={"past": ["price"]}),
    row("dataset.calendar", "a calendar is for days", dataset__calendar={"open": ["MON"]}, dataset__frequency="W-SUN"),
    row("dataset.calendar", "expected open, closed or holidays", dataset__calendar={}),
    row("dataset.calendar.open[1]", "MON is named already", dataset__calendar={"open": ["MON", "MON"]}),
    row("dataset.calendar.open[1]", "B is Monday to Friday", dataset__calendar={"open": ["MON", "SUN"]}, dataset__frequency="B"),
    row("dataset.covariates.events.pay[1]", "there is no 2026-02-30", dataset__covariates=events(pay=["2026-02-05", "2026-02-30"])),
    row("dataset.covariates.events.fair[0]", "2026-07-01 is before", dataset__covariates=events(fair=["2026-07-31/2026-07-01"])),
    row("dataset.covariates.events.fair[0]", "more than a year", dataset__covariates=events(fair=["2026-01-01/2030-01-01"])),
    row("dataset.covariates.events.pay[0]", "there is no 02-30", dataset__covariates=events(pay=["02-30"])),
    row("dataset.covariates.events.fair[0]", "there is no 06-31", dataset__covariates=events(fair=["06-01/06-31"])),
    row("dataset.covariates.events.fair.uri", "begin with https: are not read", dataset__covariates=events(fair={"uri": "https://a.b/c.csv"})),
    row("dataset.covariates.events.fair.uri", "a name that ends in .csv", dataset__covariates=events(fair={"uri": "f.txt"})),
    row("dataset.covariates.events.fair.sheet", "it is for xlsx", dataset__covariates=events(fair={"uri": "a.csv", "sheet": "x"})),
    row("dataset.covariates.events.fair.date_format", "has no year",
        dataset__covariates=events(fair={"uri": "a.csv", "date_format": "%d"})),
    row("dataset.covariates.events.units", "'units' is the target already", dataset__covariates=events(units=["2026-02-05"])),
    row("dataset.calendar.closed[1]", "there is no 2026-02-30", dataset__calendar={"closed": ["2026-12-25", "2026-02-30"]}),
    row("dataset.source.query", "SELECT or WITH", dataset__source={"query": "DROP TABLE x"}),
    row("dataset.source.query", "SELECT or WITH", dataset__source={"query": "selection"}),
    row("dataset.source.query", "one statement", dataset__source={"query": "SELECT 1; DROP TABLE x"}),
    row("dataset.source.uri", "empty parts are not allowed", dataset__source={"uri": "../x.csv"}),
    row("dataset.source.uri", "begin with http:", dataset__source={"uri": "http://169.254.169.254/x.csv"}),
    row("dataset.future.uri", "absolute", dataset__covariates={"known": ["p"]}, dataset__future={"uri": "/x.csv"}),
    row("dataset.future", "nothing is read", dataset__future={"uri": "x.csv"}),
    row("dataset.covariates.known", "dataset.future, which is missing", dataset__covariates={"known": ["promo"]}),
    row("dataset.target", "is the time already", dataset__target="day"),
    row("dataset.target", "is the series already", dataset__target="shop"),
    row("dataset.covariates.past[0]", "is the target already", dataset__covariates={"past": ["units"]}),
    row("dataset.covariates.static[0]", "is the covariates.past already", dataset__covariates={"past": ["p"], "static": ["p"]}),
    row("dataset.series[1]", "is the series already", dataset__series=["shop", "shop"]),
    row("dataset.series[0]", "a column that mlspec writes", dataset__series=["q0.5"]),
    row("dataset.time", "a column that mlspec writes", dataset__time="Cutoff"),
    row("dataset.covariates.static", "single series", dataset__series=[], dataset__covariates={"static": ["kind"]}),
    row("dataset.checks.range.unit", "not a numeric column", dataset__checks={"range": {"unit": {"min": 0}}}),
    row("dataset.checks.range.shop", "not a numeric column", dataset__checks={"range": {"shop": {"min": 0}}}),
    row("dataset.checks.range.units", "min, max or both", dataset__checks={"range": {"units": {}}}),
    row("dataset.checks.range.units", "above max", dataset__checks={"range": {"units": {"min": 2, "max": 1}}}),
    row("dataset.checks.freshness.max_age", "the age of data is never 0", dataset__checks={"freshness": {"max_age": "0d"}}),
    row("dataset.checks.series", "min, max_missing or both", dataset__checks={"series": {}}),
    row("dataset.checks.series.min", "there is one series", dataset__series=[], dataset__checks={"series": {"min": 2}}),
])  # fmt: skip
def test_the_dataset_says_where_and_what_once(changes: dict[str, Any], path: str, says: str) -> None:
    _only(changes, path, says)


@pytest.mark.parametrize("query", [
    "SELECT a FROM t", "select*from t", "\n  WITH x AS (SELECT 1) SELECT * FROM x;\n",
    "-- of the week\nSELECT 1", "/* a; b */ SELECT ';'",
    "SELECT 'it\\'s; fine'", "SELECT `a;b` FROM t # one; two",
])  # fmt: skip
def test_one_select_is_taken_whatever_its_quotes_hold(query: str) -> None:
    assert found({"dataset.source": {"query": query}}) == []


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "X.CSV.ZST", "x.parquet", "x.xlsx"])
def test_a_name_says_the_format_and_where_it_does_not_a_key_may(name: str) -> None:
    assert address_problem(f"data/{name}") is None
    assert address_problem("gs://bucket/x.txt", "csv") is None


@pytest.mark.parametrize(("uri", "says"), [
    ("../x.csv", "empty parts are not allowed"), ("a/../../x.csv", "empty parts are not allowed"),
    ("a/./b.csv", "empty parts are not allowed"), ("a//b.csv", "empty parts are not allowed"),
    ("data/", "empty parts are not allowed"),
    ("/etc/passwd", "absolute"), ("\\\\host\\share\\x.csv", "absolute"), ("C:\\x.csv", "absolute"), ("c:/x.csv", "absolute"),
    ("~/x.csv", "~"), ("~root/x.csv", "~"), ("a\\b.csv", "between folders"), ("%2e%2e/x.csv", "%"), ("-x.csv", "hyphen"),
    ("x.parquet.gz", "a name that ends in .csv"), ("x", "a name that ends in .csv"), (" x.csv", "space"),
    ("data/*/x.csv", "file's name only"),
    ("data/**.csv", "file's name only"), ("data/[ab].csv", "* is the only wildcard"), ("data/x?.csv", "* is the only wildcard"),
    ("data/a|b.csv", "bars"),
    ("http://metadata.google.internal/x.csv", "http:"), ("https://example.com/x.csv", "https:"), ("HTTP://[::1]/x.csv", "http:"),
    ("file:///etc/passwd", "file:"), ("simplecache::http://a/x.csv", "simplecache:"), ("s3://bucket/x.csv", "s3:"),
    ("gs:bucket/x.csv", "gs:"),
    ("github://org:repo@/x.csv", "github:"), ("gs://bucket", "gs://bucket/object"), ("gs:///x.csv", "gs://bucket/object"),
    ("gs://B/x.csv", "gs://bucket/object"), ("gs://*/x.csv", "gs://bucket/object"),
    ("gs://bucket/../x.csv", "empty parts are not allowed"),
    ("gs://bucket/*/x.csv", "file's name only"), ("gs://bucket/x.txt", "a name that ends in .csv"),
    ("bq://a.b", "bq://project.dataset.table"),
    ("bq://acme-prod.sales.weekly`; DROP", "bq://project.dataset.table"), ("bq://acme-prod.my-set.t", "bq://project.dataset.table"),
])  # fmt: skip
def test_an_address_that_is_not_read_is_refused_with_its_reason(uri: str, says: str) -> None:
    problem = address_problem(uri)
    assert problem is not None
    assert says in problem[0]
    assert problem[1]


@pytest.mark.parametrize("uri", [
    "sales.csv", "data/Sales 2024.CSV", "data/sales-*.parquet", "データ/売上.csv", "gs://acme-sales/weekly/*.parquet", "bq://acme-prod.sales.weekly",
])  # fmt: skip
def test_an_address_in_the_project_or_the_cloud_is_taken(uri: str) -> None:
    assert address_problem(uri) is None


@pytest.mark.parametrize(("changes", "path", "says"), [
    row("model.quantiles[1]", "0.1 follows 0.5", model__quantiles=[0.5, 0.1]),
    row("model.quantiles[1]", "given twice", model__quantiles=[0.5, 0.5]),
    row("model.quantiles[1]", "share the column", model__quantiles=[0.5, 0.5000000001]),
    row("model.candidates[1]", "already", model__candidates=[{"kind": "theta"}, {"kind": "theta", "season": 12}]),
    row("model.candidates[0].name", "another meaning", model__candidates=[{"kind": "theta", "name": "seasonal-naive"}]),
    row("model.candidates[0].name", "another meaning", model__candidates=[{"kind": "theta", "name": "champion"}]),
    row("model.candidates[2].of", "best-3 needs 3", model__candidates=[*TWO, {"kind": "ensemble"}]),
    row("model.candidates[0].of", "all needs 2", model__candidates=[{"kind": "ensemble", "of": "all"}]),
    row("model.candidates[2].of[1]", "no candidate 'ets'", model__candidates=[*TWO, {"kind": "ensemble", "of": ["theta", "ets"]}]),
    row("model.candidates[2].of[0]", "no candidate 'all'", model__candidates=[*TWO, {"kind": "ensemble", "of": ["all", "theta"]}]),
    row("model.candidates[2].of[1]", "named twice", model__candidates=[*TWO, {"kind": "ensemble", "of": ["theta", "theta"]}]),
    row("model.candidates[2].of", "mean of one", model__candidates=[*TWO, {"kind": "ensemble", "of": ["theta"]}]),
    row("model.candidates[0].lags", "one lag or more", model__candidates=[{"kind": "gradient-boosting", "lags": []}]),
    row("model.candidates[0].lags[2]", "1 is given twice", model__candidates=[{"kind": "gradient-boosting", "lags": [1, 2, 1]}]),
    row("model.backtest.metric", "one window has none", model__backtest={"windows": 1, "metric": "pinball"}),
    row("model.gate[0].metric", "one window has none", model__backtest={"windows": 1},
        model__gate=[{"metric": "coverage", "within": 0.1}]),
    row("inventory.lead_time", "= 3 periods", inventory={"service_level": 0.9, "lead_time": 2}),
])  # fmt: skip
def test_the_model_is_one_that_can_be_fitted(changes: dict[str, Any], path: str, says: str) -> None:
    _only(changes, path, says)


def test_levels_are_reconciled_by_the_errors_of_other_windows() -> None:
    changes: dict[str, Any] = {"dataset.hierarchy": {"reconcile": "ols"}, "model.backtest": {"windows": 1}}
    _only(changes, "dataset.hierarchy.reconcile", "model.backtest.windows is 1")
    assert found(changes | {"model.backtest": {"windows": 2}}) == []
    assert found(changes | {"dataset.hierarchy": []}) == []


@pytest.mark.parametrize("name", ["unique_id", "ds", "y", "observed"])
def test_a_model_of_your_own_gets_no_two_columns_of_one_name(name: str) -> None:
    changes: dict[str, Any] = {"dataset.covariates": {"past": [name]}}
    assert found(changes) == []  # mlspec's own candidates get covariates under other names
    changes["model.candidates"] = [{"kind": "custom", "class": "models.own:Model"}]
    _only(changes, "dataset.covariates.past[0]", f"a column '{name}'")


def test_a_series_of_zeros_ends_after_a_time_that_the_spec_says() -> None:
    _only({"dataset.ended_when": "no-demand"}, "dataset.ended_when", "how long")
    assert found({"dataset.ended_when": "no-demand", "dataset.ended_after": "90d"}) == []


def stock(**words: Any) -> dict[str, Any]:
    """An inventory that says this."""
    return {"service_level": 0.9, "lead_time": 1, **words}


@pytest.mark.parametrize(("changes", "path", "says"), [
    row("inventory.lead_time", "= 2.5 periods", inventory=stock(lead_time={"mean": 1.5})),
    row("inventory.lead_time", "mean or a column, found neither", inventory=stock(lead_time={"sd": 0.5})),
    row("inventory.lead_time", "mean or a column, found both", inventory=stock(lead_time={"mean": 1, "column": "days"})),
    row("inventory.lead_time.sd_column", "in no column", inventory=stock(lead_time={"mean": 1, "sd_column": "sd"})),
    row("inventory.lead_time.sd", "one of sd and sd_column", inventory=stock(lead_time={"column": "d", "sd": 1, "sd_column": "e"})),
    row("inventory.pack_size", "a number, column or uri", inventory=stock(pack_size={})),
    row("inventory.pack_size", "'units' is the target already", inventory=stock(pack_size={"column": "units"})),
    row("inventory.pack_size.uri", "no file of the project", inventory=stock(pack_size={"uri": "gs://acme/terms.csv"})),
    row("inventory.pack_size.uri", "leads out of the project", inventory=stock(pack_size={"uri": "../terms.csv"})),
    row("inventory.pack_size.uri", "does not say its format", inventory=stock(pack_size={"uri": "data/terms"})),
    row("inventory.pack_size", "is a series column", dataset__series=["pack_size"], inventory=stock(pack_size={"column": "pack"})),
])  # fmt: skip
def test_stock_is_ordered_on_terms_that_can_be_read(changes: dict[str, Any], path: str, says: str) -> None:
    _only(changes, path, says)


@pytest.mark.parametrize(("rule", "path", "says"), [
    ({"metric": "wape"}, "", "found none"),
    ({"metric": "wape", "below": 0.2, "above": 0.1}, "", "found below and above"),
    ({"metric": "wape", "within": 0.2}, "", "only bias and coverage have"),
    ({"metric": "wape", "above": 0.2}, "", "is an error"),
    ({"metric": "wape", "improves_by": 0.1}, "", "needs `against`"),
    ({"metric": "wape", "against": "champion"}, "", "one of improves_by and not_worse_by"),
    ({"metric": "wape", "against": "champion", "improves_by": 0.1, "not_worse_by": 0.1}, "", "one of improves_by and not_worse_by"),
    ({"metric": "wape", "against": "champion", "improves_by": 0.1, "below": 0.1}, "", "one of improves_by and not_worse_by"),
    ({"metric": "wape", "below": -0.1}, ".below", "never negative"),
    ({"metric": "wape", "below": 0.0}, ".below", "never below 0"),
    ({"metric": "wape", "below": 15.0}, ".below", "this would be 1500%"),
    ({"metric": "coverage", "above": 80.0}, ".above", "share between 0 and 1"),
    ({"metric": "coverage", "above": 1.0}, ".above", "never above 1"),
    ({"metric": "bias", "within": 20.0}, ".within", "relative to the demand"),
])  # fmt: skip
def test_a_rule_of_the_gate_has_one_form(rule: dict[str, Any], path: str, says: str) -> None:
    _only({"model.gate": [rule]}, f"model.gate[0]{path}", says)


def test_coverage_needs_two_quantiles_in_the_gate_and_in_alerts() -> None:
    one = {"model.quantiles": [0.5]}
    _only(one | {"model.gate": [{"metric": "coverage", "within": 0.05}]}, "model.gate[0].metric", "there is 1")
    _only(one | {"alerts": [{"name": "a", "metric": "coverage", "below": 0.7}]}, "alerts[0].metric", "there is 1")


@pytest.mark.parametrize(("alert", "path", "says"), [
    ({"metric": "wape"}, "", "found none"),
    ({"metric": "wape", "above": 0.2, "below": 0.1}, "", "found above and below"),
    ({"metric": "wape", "below": 0.2}, ".below", "not bad below"),
    ({"metric": "coverage", "above": 0.9}, ".above", "not bad above"),
    ({"metric": "bias", "above": 0.1}, ".above", "not bad above"),
    ({"metric": "wape", "outside": [0.0, 0.1]}, ".outside", "not bad outside"),
    ({"metric": "volume", "above": 5}, ".above", "not bad above"),
    ({"metric": "wape", "above": "10d"}, ".above", "not a duration"),
    ({"metric": "data_age", "above": 10}, ".above", "not a number"),
    ({"metric": "data_age", "above": "0d"}, ".above", "always fire"),
    ({"metric": "data_age", "above": "10d", "window": 3}, ".window", "no window"),
    ({"metric": "wape", "above": -0.2}, ".above", "never negative"),
    ({"metric": "wape", "above": 20}, ".above", "this would be 2000%"),
    ({"metric": "ks", "above": 1}, ".above", "never above 1"),
    ({"metric": "coverage", "below": 80}, ".below", "share between 0 and 1"),
    ({"metric": "coverage", "below": 0}, ".below", "never below 0"),
    ({"metric": "coverage", "outside": [0.9, 0.7]}, ".outside", "0.9 is not below 0.7"),
    ({"metric": "coverage", "outside": [0, 1]}, ".outside", "never outside"),
    ({"metric": "bias", "outside": [0.1, 0.2]}, ".outside", "which is ideal"),
    ({"metric": "wape", "above": 0.2, "for": "3 of 2"}, ".for", "can never agree"),
    ({"metric": "wape", "above": 0.2, "baseline": "training"}, ".baseline", "has no baseline"),
    ({"metric": "volume", "below": 0.2, "false_alarms_per_year": 1}, ".false_alarms_per_year", "by its threshold alone"),
    ({"metric": "wape", "above": 0.2, "by": ["shp"]}, ".by[0]", "not a series or static column"),
    ({"metric": "wape", "above": 0.2, "by": ["shop", "shop"]}, ".by[1]", "named twice"),
    ({"metric": "latency", "above": 0.2, "by": ["shop"]}, ".by", "one number for all series"),
    ({"metric": "wape", "above": 0.2, "inhibits": ["a"]}, ".inhibits[0]", "inhibit itself"),
    ({"metric": "wape", "above": 0.2, "inhibits": ["b"]}, ".inhibits[0]", "no alert 'b'"),
])  # fmt: skip
def test_an_alert_can_fire_and_means_something(alert: dict[str, Any], path: str, says: str) -> None:
    _only({"alerts": [{"name": "a", **alert}]}, f"alerts[0]{path}", says)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_takes_a_threshold_on_each_side_where_it_is_bad(metric: str) -> None:
    right: dict[str, Any] = {"above": 0.5, "below": 0.5, "outside": [-0.1, 0.1] if metric == "bias" else [0.1, 0.9]}
    if metric == "data_age":
        right["above"] = "10d"
    for side in METRICS[metric].sides:
        assert found({"alerts": [{"name": "a", "metric": metric, side: right[side]}]}) == []


@pytest.mark.parametrize(("changes", "path", "says"), [
    row("alerts[1].name", "an alert 'a' already", alerts=[WAPE, WAPE]),
    row("rollback.on[0]", "no alert 'b'", alerts=[WAPE], rollback={"on": ["b"]}),
    row("rollback.on[1]", "named twice", alerts=[WAPE], rollback={"on": ["a", "a"]}),
    row("notify[0]", "found pubsub and webhook", notify=[{"pubsub": "topic", "webhook": {"secret": "s"}}]),
    row("notify[0]", "found none of them", notify=[{"severity": "info"}]),
    row("notify[0].pubsub", "goog", notify=[{"pubsub": "google-alerts"}]),
    row("notify[1]", "get every notice twice", notify=[{"pubsub": "topic"}, {"pubsub": "topic"}]),
    row("deployment.rollout", "needs steps", deployment__rollout={"strategy": "canary"}),
    row("deployment.rollout.steps", "blue-green has no steps", deployment__rollout={"strategy": "blue-green", "steps": [100]}),
    row("deployment.rollout.steps", "end at 100", deployment__rollout={"strategy": "canary", "steps": [10, 50]}),
    row("deployment.rollout.steps", "steps rise", deployment__rollout={"strategy": "canary", "steps": [50, 10, 100]}),
    row("deployment.rollout.steps", "steps rise", deployment__rollout={"strategy": "canary", "steps": [50, 50, 100]}),
    row("deployment.rollout.interval", "waits", deployment__rollout={"strategy": "canary", "steps": [100], "interval": "0s"}),
    row("deployment.rollout.interval", "does not wait", deployment__rollout={"interval": "2h"}),
    row("deployment.machine.min_replicas", "above max_replicas", deployment__machine={"min_replicas": 2}),
    row("deployment.batch_machine", "serve is online", deployment={"serve": "online", "batch_machine": "n2-highmem-8"}),
    row("deployment.endpoint.allowed_projects", "a public endpoint lets in callers of any project",
        deployment__endpoint={"allowed_projects": ["acme-web"]}),
    row("alerts[0].metric", "does not count the requests of a private endpoint, so latency would have no value",
        deployment={"serve": "online", "endpoint": {"access": "private"}}, alerts=[{"name": "a", "metric": "latency", "above": 1}]),
    row("deployment.batch_machine", "cannot read newer data",
        deployment={"serve": "both", "batch_machine": "n2-highmem-8", "endpoint": {"access": "private"}}),
    row("budget.monthly", "not an ISO 4217 currency", budget={"monthly": "400 EUO"}),
    row("metadata.labels.goog-x", "Google reserves", metadata__labels={"goog-x": "1"}),
    row("metadata.labels", "57 labels", metadata__labels={f"k{i}": "v" for i in range(MAX_LABELS + 1)}),
])  # fmt: skip
def test_references_and_limits_hold(changes: dict[str, Any], path: str, says: str) -> None:
    _only(changes, path, says)


def test_alerts_that_inhibit_one_another_in_a_circle_are_refused() -> None:
    names = ("a", "b", "c")
    alerts = [{**WAPE, "name": name, "inhibits": [names[(i + 1) % 3]]} for i, name in enumerate(names)]
    problems = found({"alerts": alerts})
    assert [dotted_path(problem.path) for problem in problems] == [f"alerts[{i}].inhibits" for i in range(3)]
    assert found({"alerts": [*alerts[:2], {**WAPE, "name": "c"}]}) == []


def test_every_problem_says_what_to_do() -> None:
    changes: dict[str, Any] = {
        "schedule.timezone": "Nowhere/Town", "dataset.frequency": "x", "model.quantiles": [0.5, 0.1], "rollback": {"on": ["x"]},
        "model.gate": [{"metric": "wape"}], "notify": [{}], "dataset.source": {"uri": "/x"}, "metadata.labels": {"goog": ""},
    }  # fmt: skip
    problems = found(changes)
    assert len(problems) == len(changes)
    for problem in problems:
        assert problem.hint, problem.message


def test_a_check_is_left_out_where_its_part_is_not_valid() -> None:
    forecast = Forecast.model_validate({**spec_json(), "alerts": [WAPE, WAPE], "rollback": {"on": ["x"]}})
    assert [problem.code for problem in run_checks(forecast)] == ["alert-twice", "reference"]
    assert run_checks(forecast, frozenset({"alerts"})) == []


def test_what_stands_in_for_an_invalid_part_is_right_itself() -> None:
    assert run_checks(Forecast.model_validate(STAND_INS)) == []
    parts = set(Forecast.model_fields)
    assert all(parts.issuperset(each) for _, each in CHECKS)


def _only(changes: dict[str, Any], path: str, says: str) -> None:
    problems = found(changes)
    assert [(dotted_path(problem.path), says in problem.message) for problem in problems] == [(path, True)], problems
    assert problems[0].hint
