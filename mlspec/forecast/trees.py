"""Stores boosted trees as bytes that cannot run code. The same trees give the same bytes.

scikit-learn models are stored by skops, which loads only types of a trusted list. LightGBM models are stored in LightGBM's text
format. The archive has no timestamps, and the memory addresses that skops writes are replaced by sequential numbers.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlspec.errors import DamagedModel, MissingExtra, ModelError
from mlspec.forecast.tree_text import check_tree_text
from mlspec.models.storage import renumber_ids

# A class that histogram boosting needs and skops does not trust by default. It holds only arrays and numbers.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
LARGEST_BYTES = 2**30
# What LightGBM's text says of the machines of a training: network addresses, threads. The values of one thread replace it.
_MACHINES = ((re.compile(r"^\[machines: .*\]$", re.MULTILINE), "[machines: ]"),
             (re.compile(r"^\[local_listen_port: .*\]$", re.MULTILINE), "[local_listen_port: 12400]"),
             (re.compile(r"^\[num_threads: .*\]$", re.MULTILINE), "[num_threads: 1]"))  # fmt: skip


def dump_trees(model: Any, library: str) -> bytes:
    """Return a fitted model's bytes."""
    if library == "lightgbm":
        booster = getattr(model, "booster_", model)  # of an estimator, or itself
        return _strip_machines(str(booster.model_to_string())).encode()
    import skops.io

    model._bin_mapper.n_threads = 1  # noqa: SLF001  (how many made the bins is not of the model)
    return renumber_ids(skops.io.dumps(model))


def _strip_machines(trees: str) -> str:
    for line, plain in _MACHINES:
        trees = line.sub(plain, trees)
    return trees


def load_trees(data: bytes, library: str) -> Any:
    """Return the model that `dump_trees` wrote. Raises ModelError if `data` is no such model."""
    return _load_text(data) if library == "lightgbm" else _load_skops(data)


def _load_text(data: bytes) -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtra("lightgbm", "lightgbm") from error
    try:
        check_tree_text(data)
    except ValueError as error:  # also a text that is not UTF-8
        raise damaged_model_error(f"its trees cannot be read: {error}") from error
    try:
        return lightgbm.Booster(model_str=data.decode())
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise damaged_model_error("its trees cannot be read") from error


def _load_skops(data: bytes) -> Any:
    import skops.io
    from sklearn.ensemble import HistGradientBoostingRegressor

    unpack_archive(data)  # checks the sizes before skops unpacks anything
    try:
        foreign = set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED)
        if foreign:
            raise damaged_model_error(f"it contains {', '.join(sorted(foreign))}, which no model of mlspec contains")  # noqa: TRY301
        model = skops.io.loads(data, trusted=TRUSTED)
    except ModelError:
        raise
    except Exception as error:  # skops and numpy raise many kinds of errors on a damaged file
        raise damaged_model_error("its trees cannot be read") from error
    if not isinstance(model, HistGradientBoostingRegressor):
        raise damaged_model_error("it contains no boosted trees")
    _refuse_broken_nodes(model)
    return model


def _refuse_broken_nodes(model: Any) -> None:
    """Refuse trees of scikit-learn whose nodes lead nowhere: its compiled code follows them without a check.

    Children come after their node, as the code that grows a tree numbers them; mlspec's models split by no category.
    """
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    try:
        columns = int(model.n_features_in_)
        for predictor in (tree for trees_of_one in model._predictors for tree in trees_of_one):  # noqa: SLF001
            nodes = predictor.nodes
            if nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
                raise damaged_model_error("its nodes have another form")
            inner = nodes[nodes["is_leaf"] == 0]
            first = (nodes["is_leaf"] == 0).nonzero()[0]
            children = [inner[side].astype("int64") for side in ("left", "right")]
            sound = all(((side > first) & (side < len(nodes))).all() for side in children)
            in_range = ((inner["feature_idx"] >= 0) & (inner["feature_idx"] < columns)).all()
            if not sound or not in_range or nodes["is_categorical"].any():
                raise damaged_model_error("its nodes form no tree")
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise damaged_model_error("its trees cannot be read") from error


@contextmanager
def refuse_other_columns() -> Iterator[None]:
    """Turn a library's error about the number of columns of a forecast into a ModelError."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ == "LightGBMError" or "features" in str(error):
            raise damaged_model_error("it was trained on other columns than those of this forecast") from error
        raise


def unpack_archive(data: bytes) -> dict[str, bytes]:
    """Return the parts of a zip by name. Raises ModelError if it is not a zip, is damaged, or would unpack to too many bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(info.file_size for info in packed.infolist()) > LARGEST_BYTES:
                raise damaged_model_error(f"it unpacks to more than {LARGEST_BYTES // 2**30} GiB")
            return {info.filename: packed.read(info) for info in packed.infolist()}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise damaged_model_error("it is not a complete archive") from error


def damaged_model_error(why: str) -> DamagedModel:
    """Return the error for a damaged or foreign model file."""
    return DamagedModel(
        f"the model file cannot be trusted: {why}", hint="restore the file, or train again: mlspec apply"
    )
