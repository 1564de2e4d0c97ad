"""Checks the text of a LightGBM model before LightGBM reads it.

LightGBM trusts the numbers of the text: an array that is too short, a child or a column that does not exist, or a circle of nodes
makes it read outside its memory, or never end. So everything that it uses as a size, a position or an index is checked here. The
format is that of `Tree::ToString` and `GBDT::SaveModelToString` in LightGBM 4 (`version=v4`). An unknown key is left alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sized

VERSION = "v4"
# What mlspec trains: one value a row, one tree an iteration.
_FIXED = {"version": VERSION, "num_class": "1", "num_tree_per_iteration": "1", "objective": "regression"}
_MOST_FEATURES = 100_000
_LARGEST = 2**31 - 1  # LightGBM's int
_INTEGER = re.compile(r"-?[0-9]{1,10}")
_PARAMETER = re.compile(r"\[[a-z][a-z0-9_]*: [^\n\[\]]*\]")
_NODE_ARRAYS = ("split_gain", "internal_value", "internal_weight", "internal_count")
_LEAF_ARRAYS = ("leaf_weight", "leaf_count")
_FOLLOWED = ("leaf_value", "threshold")  # what a forecast is made of; the others are about the training
_CATEGORICAL = 1  # the bit of decision_type


def check_tree_text(data: bytes) -> None:
    """Raise ValueError, with the reason, if `data` is no text that LightGBM can read and follow safely."""
    head, blank, body = data.partition(b"\n\n")
    first, _, rest = head.partition(b"\n")
    if first != b"tree" or not blank:
        raise ValueError("it does not begin as a LightGBM model")
    values = _read_lines(rest)
    for key, wanted in _FIXED.items():
        if values.get(key) != wanted:
            raise ValueError(f"its {key} is {values.get(key, 'missing')[:40]!r}, not {wanted}")
    features = _read_count(values, "max_feature_idx", most=_MOST_FEATURES) + 1
    for key in ("feature_names", "feature_infos"):
        if len(_require(values, key).split(" ")) != features:
            raise ValueError(f"its {key} are not those of {features} columns")
    _read_count(values, "label_index", most=_MOST_FEATURES)
    end = _check_trees(body, _read_integers(_require(values, "tree_sizes"), "tree_sizes"), features)
    _check_tail(body[end:])


def _check_trees(body: bytes, sizes: list[int], features: int) -> int:
    """Check each tree, and return where the last one ends."""
    begin = 0
    for number, size in enumerate(sizes):
        block = body[begin : begin + size] if size > 0 else b""
        title = f"Tree={number}\n".encode()
        # LightGBM reads a tree up to its first empty line, whatever its size says.
        inner, blank, _rest = block.removeprefix(title).partition(b"\n\n")
        if len(block) != size or not block.startswith(title) or not blank:
            raise ValueError(f"tree {number} is not where tree_sizes says")
        _check_tree(_read_lines(inner), features, number)
        begin += size
    return begin


def _check_tree(tree: Mapping[str, str], features: int, number: int) -> None:
    leaves = _read_count(tree, "num_leaves", most=_LARGEST)
    nodes = leaves - 1
    if leaves < 1 or tree.get("is_linear", "0") != "0":
        raise ValueError(f"tree {number} has no leaf, or linear leaves")
    _check_floats(tree, "leaf_value", leaves)
    if nodes == 0:
        return  # LightGBM reads nothing else of a tree with a single leaf
    _check_floats(tree, "threshold", nodes)
    for key, count in [*((key, nodes) for key in _NODE_ARRAYS), *((key, leaves) for key in _LEAF_ARRAYS)]:
        if key in tree:
            _check_floats(tree, key, count)
    if not all(0 <= feature < features for feature in _read_array(tree, "split_feature", nodes)):
        raise ValueError(f"tree {number} splits by a column that does not exist")
    _check_children(_read_array(tree, "left_child", nodes), _read_array(tree, "right_child", nodes), number)
    _check_categories(tree, _read_array(tree, "decision_type", nodes), number)


def _check_children(left: list[int], right: list[int], number: int) -> None:
    """Check that the nodes form one tree: each node but the first, and each leaf (`~leaf`), is the child of one earlier node."""
    nodes = len(left)
    wanted = [*range(-nodes - 1, 0), *range(1, nodes)]
    later = all(child < 0 or child > node for side in (left, right) for node, child in enumerate(side))
    if sorted([*left, *right]) != wanted or not later:
        raise ValueError(f"the nodes of tree {number} form no tree")


def _check_categories(tree: Mapping[str, str], kinds: list[int], number: int) -> None:
    """Check that a split by categories names a set of categories of its tree."""
    count = _read_count(tree, "num_cat", most=_LARGEST)
    bounds = _read_array(tree, "cat_boundaries", count + 1) if count else [0]
    sets = _read_integers(_require(tree, "cat_threshold"), "cat_threshold") if count else []
    thresholds = list(map(float, tree["threshold"].split(" ")))
    used = [threshold for threshold, kind in zip(thresholds, kinds, strict=True) if kind & _CATEGORICAL]
    if bounds[0] != 0 or bounds != sorted(bounds) or bounds[-1] != len(sets):
        raise ValueError(f"the categories of tree {number} are not those that its boundaries name")
    if not all(0 <= kind < 16 for kind in kinds) or not all(0 <= index < count for index in used):
        raise ValueError(f"tree {number} splits by categories that it does not have")


def _check_tail(tail: bytes) -> None:
    """Check what follows the trees: how much each column counted, the settings of the training, and pandas' categories."""
    lines = tail.decode().split("\n")
    if lines[0] != "end of trees":
        raise ValueError("its trees do not end")
    if lines.count("parameters:") != 1 or lines.count("end of parameters") != 1:
        raise ValueError("the settings of its training do not begin or end")
    inner = lines[lines.index("parameters:") + 1 : lines.index("end of parameters")]
    if not all(_PARAMETER.fullmatch(line) for line in inner if line):
        raise ValueError("a setting of its training cannot be read")
    last = next((line for line in reversed(lines) if line), "")
    if last != "pandas_categorical:null" and not re.fullmatch(r"pandas_categorical:\[[^\n]*\]", last):
        raise ValueError("its end is missing")


def _read_lines(block: bytes) -> dict[str, str]:
    """Return the values of `key=value` lines. Raises ValueError for another line, or for a key that occurs twice."""
    values: dict[str, str] = {}
    for line in filter(None, block.decode().split("\n")):
        key, equals, value = line.partition("=")
        if not equals or key in values or (key != "feature_names" and "=" in value):
            raise ValueError(f"its line {line[:40]!r} cannot be read")
        values[key] = value
    return values


def _require(values: Mapping[str, str], key: str) -> str:
    if key not in values:
        raise ValueError(f"its {key} is missing")
    return values[key]


def _read_count(values: Mapping[str, str], key: str, *, most: int) -> int:
    (count,) = _read_integers(_require(values, key), key)
    if not 0 <= count <= most:
        raise ValueError(f"its {key} is {count}")
    return count


def _read_integers(text: str, key: str) -> list[int]:
    words = text.split(" ")
    if not all(map(_INTEGER.fullmatch, words)):
        raise ValueError(f"its {key} are not whole numbers")
    return list(map(int, words))


def _read_array(values: Mapping[str, str], key: str, count: int) -> list[int]:
    numbers = _read_integers(_require(values, key), key)
    _refuse_length(key, numbers, count)
    return numbers


def _check_floats(values: Mapping[str, str], key: str, count: int) -> None:
    text = _require(values, key)
    if "_" in text:  # Python reads 1_000 as a number
        raise ValueError(f"its {key} are not numbers")
    numbers = list(map(float, text.split(" ")))
    _refuse_length(key, numbers, count)
    if key in _FOLLOWED and any(map(math.isnan, numbers)):
        raise ValueError(f"its {key} are not numbers")


def _refuse_length(key: str, numbers: Sized, count: int) -> None:
    if len(numbers) != count:
        raise ValueError(f"its {key} are {len(numbers)} numbers, not {count}")
