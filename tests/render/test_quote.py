"""Whatever text a spec holds, it arrives in each language as data: through the real parser and back."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import cmarkgfm
import promql_parser
import pytest
import sqlglot
from cmarkgfm.cmark import Options
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlspec.render import quote
from mlspec.spec.escaping import log_filter
from tests.terraform_core import evaluate

# Every kind of injection that we know of, into any of the languages.
HOSTILE = [
    'x"\n}\nresource "terraform_data" "p" {\n  provisioner "local-exec" { command = "id" }\n}\n',
    '${file("/etc/passwd")}', "${var.x}", "$${", "$$${x}", "%{ if true }x%{ endif }", "%%{", "%%%{", "${", "$", "%", "$$", "\\${x}",
    '"""', "'''", "\\", "\\n", "\n", "\r\n", "\t", "{}", "%s", "__import__('os').system('id')", "'\"", '"', "'", "\\'\"",
    "{{ conn.prod.password }}", "{% for x in y %}", "{# no #}", "path/to/file.sql", "run.sh", "x.md",
    '" OR severity>=DEFAULT OR "', '"} or vector(1) #', "' || true || '", "--chdir=/", "é", "日本", "\u2028", "\x7f", "\x1b[31m",
    "🦀", "\ufeff", "::set-output", "a" * 300, "EOT", "<<EOT\n", "\U000e0001",
]  # fmt: skip
# Text as the reader hands it on: any character but surrogates, in NFC.
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_a_python_literal_reads_back_as_the_value(value: object) -> None:
    assert ast.literal_eval(quote.python_value(value)) == value


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_in_python(text: str) -> None:
    tree = ast.parse(f"X = {quote.python_value(text)}")
    assert isinstance(tree.body[0], ast.Assign)
    assert ast.literal_eval(tree.body[0].value) == text


@settings(max_examples=20)
@given(st.lists(texts, min_size=1, max_size=40))
@example(HOSTILE)
def test_python_literals_are_as_the_formatter_writes_them(found: list[str]) -> None:
    source = (
        "X = {\n"
        + "".join(f"    {quote.python_value(str(n))}: {quote.python_value(text)},\n" for n, text in enumerate(found))
        + "}\n"
    )
    argv = [sys.executable, "-m", "ruff", "format", "--isolated", "--stdin-filename", "x.py", "-"]
    formatted = subprocess.run(argv, input=source.encode(), capture_output=True, check=True)
    assert formatted.stdout.decode() == source


@settings(max_examples=12)
@given(st.lists(texts.map(lambda text: unicodedata.normalize("NFC", text)), min_size=1, max_size=60))
@example(HOSTILE)
def test_text_reads_back_from_terraform_as_it_was(found: list[str]) -> None:
    assert evaluate(f"[{', '.join(quote.hcl_text(text) for text in found)}]") == found


def test_values_of_every_kind_read_back_from_terraform(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, -3e-9, 1e22, True, None], "odd key ${x}": {"b": []}, "empty": {}, "managed-by": "x"}
    assert evaluate(quote.hcl_value(value)) == value
    assert evaluate(quote.hcl_map(value, 2)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes"])
def test_what_has_no_literal_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        quote.hcl_value(value)
    with pytest.raises(TypeError):
        quote.python_value(value)


@given(texts)
@example('"} or vector(1) #')
def test_a_promql_string_stays_one_label_of_one_selector(text: str) -> None:
    found = promql_parser.parse(f"x{{forecast={quote.promql_text(text)}}}")
    assert isinstance(found, promql_parser.VectorSelector)
    assert [(label.name, label.value) for label in found.matchers.matchers] == [("forecast", text)]


@given(texts)
@example("a`, (SELECT secret FROM `x`) AS `b")
def test_a_bigquery_name_stays_one_column_of_one_query(text: str) -> None:
    if not text:
        return
    found = sqlglot.parse_one(f"SELECT 1 AS {quote.bigquery_name(text)}", read="bigquery")
    assert len(found.expressions) == 1
    assert not list(found.find_all(sqlglot.exp.Subquery, sqlglot.exp.From))


@given(texts)
@example('" OR severity>=DEFAULT OR "')
def test_a_string_of_a_log_filter_ends_where_its_quotes_do(text: str) -> None:
    # No parser of Google's filter languages is public; their strings take JSON's escapes, and eight digits beyond them.
    quoted = log_filter(text)
    assert ast.literal_eval(quoted) == text
    assert not any(ord(char) < 0x20 for char in quoted)


@given(st.sets(st.from_regex(r"[A-Za-z][A-Za-z0-9._~+%-]{2,30}", fullmatch=True), min_size=2, max_size=8))
def test_names_of_resources_are_identifiers_and_stay_apart(found: set[str]) -> None:
    names = {quote.tf_name(text) for text in found}
    assert len(names) == len(found)
    assert all(quote.hcl_key(name) == name for name in names)


def test_a_bare_key_stays_bare_and_any_other_is_quoted() -> None:
    assert quote.hcl_value({"managed-by": 1, "a b": 2}) == '{ managed-by = 1, "a b" = 2 }'
    assert json.loads(quote.python_value("x")) == "x"


# What Markdown, GitHub or HTML would act on, beside the rest.
MARKUP = [
    "`", "``", "` `", "`x", "x`", " x ", " ", "", "**b**", "_i_", "[a](http://b)", "![a](b)", "<b>x</b>", "</details>", "<!-- x",
    "-->", "<script>alert(1)</script>", "@owner", "#123", "GH-1", "www.example.com", "https://example.com", "a@example.com",
    ":smile:", "| a |", "# h", "- x", "1. x", "> q", "&lt;", "&#96;", "\\`", "~~~", "```\nx\n```", "$x$", "<a href=\"`\">`",
    "a`<b>``c```",
]  # fmt: skip


class _Reader(HTMLParser):
    """Collects the text inside and outside of code, and every tag."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.code, self.rest, self._open = list[str](), list[str](), "", 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag == "code":
            self._open += 1
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open -= tag == "code"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.code[-1] += data
        else:
            self.rest += data


def read_markdown(text: str) -> _Reader:
    """Read Markdown as GitHub does, by its own parser with its extensions."""
    reader = _Reader()
    reader.feed(cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE))
    return reader


def shown(text: str) -> str:
    """What a reader sees of a text on one line: what cannot be seen, escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


@given(st.lists(texts, min_size=1, max_size=4))
@example(HOSTILE)
@example(MARKUP)
def test_text_in_markdown_is_text_in_code_and_nothing_else(found: list[str]) -> None:
    read = read_markdown("\n".join(f"- x {quote.markdown_code(text)} y" for text in found))
    assert [text or " " for text in read.code] == [shown(text) or " " for text in found]
    assert set(read.tags) <= {"ul", "li", "code"}
    assert read.rest.split() == ["x", "y"] * len(found)


@given(st.lists(texts, min_size=1, max_size=4))
@example(HOSTILE)
@example(MARKUP)
def test_text_in_html_within_markdown_is_text_in_code_and_nothing_else(found: list[str]) -> None:
    lines = [f"<details>\n<summary>x {quote.html_code(text)} y</summary>\n\nz\n\n</details>" for text in found]
    read = read_markdown("\n\n".join(lines))
    assert read.code == [shown(text) for text in found]
    assert set(read.tags) <= {"details", "summary", "code", "p"}
    assert read.rest.split() == ["x", "y", "z"] * len(found)
