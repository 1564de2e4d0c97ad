"""The reader: any text is read or refused, and every part knows where it stands."""

from __future__ import annotations

import json
import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlspec.spec.decode import MAX_BYTES, Trouble, decode_text
from mlspec.spec.reader import MAX_DEPTH, read_yaml

words = st.text(string.ascii_letters + "éß -_", min_size=1, max_size=8).filter(lambda word: word == word.strip(" -"))
scalars = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6) | words
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=20
)


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused_and_nothing_else(raw: bytes) -> None:
    text = decode_text(raw)
    if isinstance(text, Trouble):
        assert text.message
        return
    reading = read_yaml(text)
    assert (reading.value is None) == bool(reading.troubles)


@given(st.text(alphabet="{}[]:,-?&*!|>'\"%@`# \nab1<", max_size=60))
def test_any_heap_of_yaml_signs_is_read_or_refused(text: str) -> None:
    reading = read_yaml(text)
    assert (reading.value is None) == bool(reading.troubles)


@given(st.dictionaries(words, values, min_size=1, max_size=4))
def test_json_reads_back_as_itself(value: dict[str, object]) -> None:
    assert read_yaml(json.dumps(value)).value == value


@given(st.dictionaries(words, values, min_size=1, max_size=4))
def test_every_key_and_value_stands_where_it_is_said_to(value: dict[str, object]) -> None:
    text = yaml.safe_dump(value, default_flow_style=False, allow_unicode=True, width=1000)
    reading = read_yaml(text, positions=True)
    lines = text.split("\n")
    for path, mark in reading.keys.items():
        rest = lines[mark.line - 1][mark.column - 1 :].lstrip("'\"? ")
        assert rest.startswith(str(path[-1]))
    assert {path[:-1] for path in reading.keys} <= set(reading.values) | {()}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"), ("on", "on"), ("yes", "yes"), ("010", "010"), ("0x1F", "0x1F"), ("1_000", "1_000"), ("1:30", "1:30"),
        ("2024-02-30", "2024-02-30"), (".inf", ".inf"), (".nan", ".nan"), ("1e3", 1000.0), ("-0.5", -0.5), ("7", 7), ("7.0", 7.0),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("'7'", "7"), ('"no"', "no"), ("e\u0301", "\u00e9"),
    ],
)  # fmt: skip
def test_a_scalar_is_what_json_would_make_of_it_and_text_otherwise(text: str, value: object) -> None:
    reading = read_yaml(f"a: {text}")
    assert reading.value == {"a": value}
    assert type(reading.value["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 100_000, "too-deep"), ("- " * 100_000, "too-deep"), ("a: 1\na: 2", "duplicate-key"), ("<<: {a: 1}", "merge-key"),
        ("a: &x 1", "anchor"), ("a: *x", "alias"), ("a: !!str 1", "tag"), ("1: a", "key-not-text"), ("? [a]\n: 1", "key-not-text"),
        ("a: 1\n---\nb: 1", "several-documents"), ("", "not-a-mapping"), ("- a", "not-a-mapping"), ("a", "not-a-mapping"),
        ("a: 1e999", "number"), (f"a: {'9' * 30}", "number"), ("a: [1", "yaml"), ('a: "\\u202e"', "hidden-character"),
        ("%YAML 1.1\n---\na: 1", "directive"),
    ],
)  # fmt: skip
def test_what_is_refused_has_a_code(text: str, code: str) -> None:
    assert read_yaml(text).troubles[0].code == code


def test_a_duplicate_names_both_lines() -> None:
    (trouble,) = read_yaml("a: 1\nb: 2\na: 3").troubles
    assert (trouble.mark.line, "line 1" in trouble.message) == (3, True)


def test_depth_is_counted_from_the_top() -> None:
    assert read_yaml("a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)).value is not None
    assert read_yaml("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH).value is None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\xff\xfea\x00", "encoding"), (b"a: \xff", "encoding"), ("a: \u200bb".encode(), "hidden-character"),
        ("a: \u2028b".encode(), "hidden-character"), (b"a: \x07", "hidden-character"), (b"a" * (MAX_BYTES + 1), "too-large"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_honest_text_are_refused(raw: bytes, code: str) -> None:
    found = decode_text(raw)
    assert isinstance(found, Trouble)
    assert found.code == code


def test_a_byte_order_mark_and_windows_line_ends_are_accepted() -> None:
    assert decode_text(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n") == "a: 1\nb: 2\n"


def test_depth_is_told_where_it_begins_or_where_the_parser_gave_up() -> None:
    (trouble,) = read_yaml("a: " + "[" * 5000).troubles
    assert (trouble.code, trouble.mark.column) == ("too-deep", 3 + MAX_DEPTH)
    (late,) = read_yaml("a: [" + "[]," * 100 + "[" * 5000).troubles
    assert late.code == "too-deep"
