"""Boosted trees as bytes that cannot run code, the same bytes for the same trees.

scikit-learn's go through skops, which builds only types of a list that we trust; LightGBM's are its own text format. The
archive has no clock in it, and skops' memory addresses are replaced by running numbers.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Any

from mlspec.errors import MissingExtra, ModelError

# What skops does not know by itself and a histogram booster needs: one class, arrays and numbers inside.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
LARGEST_BYTES = 2**30
_ADDRESS = re.compile(r'(?<="__id__": )[0-9]+|(?<=")[0-9]+(?=\.npy")')
# Where those listened who learned together, in LightGBM's own words: it is not of the model, and put back as it is without them.
_NETWORK = ((re.compile(r"^\[machines: .*\]$", re.MULTILINE), "[machines: ]"),
            (re.compile(r"^\[local_listen_port: .*\]$", re.MULTILINE), "[local_listen_port: 12400]"))  # fmt: skip
_EPOCH = (1980, 1, 1, 0, 0, 0)


def dump_trees(model: Any, library: str) -> bytes:
    """Return a fitted model's bytes."""
    if library == "lightgbm":
        return _strip_network(str(model.booster_.model_to_string())).encode()
    import skops.io

    return _renumber_ids(skops.io.dumps(model))


def _strip_network(trees: str) -> str:
    for line, plain in _NETWORK:
        trees = line.sub(plain, trees)
    return trees


def load_trees(data: bytes, library: str) -> Any:
    """Return the model that `dump` wrote; it has `predict`. Raises ModelError when `data` is not that."""
    return _load_text(data) if library == "lightgbm" else _load_skops(data)


def _load_text(data: bytes) -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtra("lightgbm", "lightgbm") from error
    try:
        return lightgbm.Booster(model_str=data.decode())
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
        raise damaged_model_error("its trees cannot be read") from error


def _load_skops(data: bytes) -> Any:
    import skops.io
    from sklearn.ensemble import HistGradientBoostingRegressor

    unpack_archive(data)  # sizes first: nothing is unpacked before
    try:
        foreign = set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED)
        if foreign:
            raise damaged_model_error(f"it asks for {', '.join(sorted(foreign))}, which no model of mlspec holds")  # noqa: TRY301
        model = skops.io.loads(data, trusted=TRUSTED)
    except ModelError:
        raise
    except Exception as error:  # skops and numpy raise whatever a damaged file leads them to
        raise damaged_model_error("its trees cannot be read") from error
    if not isinstance(model, HistGradientBoostingRegressor):
        raise damaged_model_error("it holds no boosted trees")
    return model


def pack_archive(parts: dict[str, bytes]) -> bytes:
    """Return a zip of named parts, in order, without a clock."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in parts.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, data, compresslevel=6)
    return out.getvalue()


def unpack_archive(data: bytes) -> dict[str, bytes]:
    """Return the parts of a zip by name. Raises ModelError when it is none, is damaged, or would unpack to too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(info.file_size for info in packed.infolist()) > LARGEST_BYTES:
                raise damaged_model_error(f"it unpacks to more than {LARGEST_BYTES // 2**30} GiB")
            return {info.filename: packed.read(info) for info in packed.infolist()}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise damaged_model_error("it is no whole archive") from error


def damaged_model_error(why: str) -> ModelError:
    """Return the error for a model file that is not as mlspec wrote it."""
    return ModelError(f"the model file cannot be trusted: {why}", hint="restore the file, or train again: mlspec apply")


def _renumber_ids(data: bytes) -> bytes:
    parts = unpack_archive(data)
    numbers: dict[str, str] = {}
    schema = _ADDRESS.sub(
        lambda address: numbers.setdefault(address[0], str(len(numbers))), parts.pop("schema.json").decode()
    )
    arrays = {f"{numbers[name.removesuffix('.npy')]}.npy": content for name, content in parts.items()}
    return pack_archive(
        {"schema.json": schema.encode()} | {name: arrays[name] for name in sorted(arrays, key=_array_number)}
    )


def _array_number(name: str) -> int:
    return int(name.removesuffix(".npy"))
