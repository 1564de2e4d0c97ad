"""Where data may be read from: a file of the project, an object in Cloud Storage, a table in BigQuery. Nothing else.

Every refusal tells its reason: absolute paths and `~` differ between machines, `..` leaves the project, and a web address could
be that of the cloud's metadata server.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mlspec.spec.faults import ProblemAndHint, nearest_word
from mlspec.spec.fields import TableFormat
from mlspec.spec.object_address import is_object_address, parse_object_address
from mlspec.spec.table_files import NAMES, named_format

EXAMPLE = "such as data/sales.csv, gs://bucket/sales/*.parquet or bq://project.dataset.table"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_DRIVE = re.compile(r"[A-Za-z]:")
# https://cloud.google.com/storage/docs/buckets#naming and https://cloud.google.com/bigquery/docs/tables#table_naming
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_TABLE = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]\.[A-Za-z0-9_]{1,1024}\.[A-Za-z0-9_-]{1,1024}")
_WEB = ("http", "https", "ftp")
_KNOWN = ("gs", "bq")
_ALIASES = {"s3": "gs", "gcs": "gs", "bigquery": "bq"}


def address_problem(uri: str, table_format: TableFormat | None = None) -> ProblemAndHint | None:
    """Return what is wrong with an address and what to do about it, or None. Without a format the file's name has to say it."""
    problem = _form_problem(uri)
    if problem or table_format or uri.startswith("bq://") or named_format(uri):
        return problem
    return f"expected a name that ends in {NAMES}", f"write the key format beside it, or name a file {EXAMPLE}"


def _form_problem(uri: str) -> ProblemAndHint | None:
    if is_object_address(uri):
        return _object_problem(uri)
    if uri.startswith("bq://"):
        good = _TABLE.fullmatch(uri.removeprefix("bq://"))
        return None if good else ("expected bq://project.dataset.table", "such as bq://acme-prod.sales.weekly")
    scheme = _SCHEME.match(uri)
    return _scheme_problem(scheme[1].lower()) if scheme else _first_problem(_OF_A_PATH, uri)


def folder_problem(path: str) -> ProblemAndHint | None:
    """Return why a path cannot be a folder of the project, and what to do about it, or None."""
    return _first_problem(_OF_A_FOLDER, path.removesuffix("/"))


def _scheme_problem(name: str) -> ProblemAndHint:
    problem = f"addresses that begin with {name}: are not read"
    if name == "file":
        return problem, "write the path itself, relative to the project's root: data/sales.csv"
    if name in _WEB:
        return problem, "download the file into the project, or put it in a bucket: gs://bucket/object"
    suggestion = _ALIASES.get(name) or nearest_word(name, _KNOWN) or (name if name in _KNOWN else None)
    return problem, f"did you mean {suggestion}://?" if suggestion else EXAMPLE


def _object_problem(address: str) -> ProblemAndHint | None:
    bucket, name = parse_object_address(address)
    if not _BUCKET.fullmatch(bucket) or not name:
        return "expected gs://bucket/object", "such as gs://acme-sales/weekly/*.parquet"
    return _first_problem(_OF_A_NAME, name)


AddressRule = tuple[Callable[[str], bool], str, str]

_DOWN: tuple[AddressRule, ...] = (
    (lambda name: any(part in ("", ".", "..") for part in name.split("/")),
     ".., . and empty parts are not allowed in a path", "write the path from the project's root, or from the bucket"),
    (lambda name: "\\" in name, "expected / between folders", "write / for \\"),
    (lambda name: "%" in name, "% is not allowed: it is not decoded", "write the character itself, or rename the file"),
    (lambda name: name != name.strip(), "it begins or ends with a space", "remove the space"),
)  # fmt: skip
_OF_A_NAME: tuple[AddressRule, ...] = (
    *_DOWN,
    (lambda name: "?" in name or "[" in name, "* is the only wildcard", "use *"),
    (lambda name: "**" in name or "*" in name.rpartition("/")[0],
     "* is allowed in the file's name only", "put the files in one folder"),
)  # fmt: skip
_RELATIVE = "write it relative to the project's root"
_OF_THE_PROJECT: tuple[AddressRule, ...] = (
    (lambda path: path.startswith(("/", "\\")) or bool(_DRIVE.match(path)),
     "absolute paths are not allowed: they differ between machines", _RELATIVE),
    (lambda path: path.startswith("~"), "~ is not allowed: it differs between machines", _RELATIVE),
    (lambda path: path.startswith("-"), "a path must not begin with a hyphen: tools read it as an option", "rename it"),
    (lambda path: ":" in path or "|" in path,
     "colons and bars are not allowed: some systems do not allow them in file names", "rename it"),
)  # fmt: skip
_OF_A_PATH = (*_OF_THE_PROJECT, *_OF_A_NAME)
_OF_A_FOLDER: tuple[AddressRule, ...] = (
    *_OF_THE_PROJECT,
    *_DOWN,
    (
        lambda path: any(char in path for char in "*?["),
        "wildcards are not allowed in the name of a folder",
        "write its name",
    ),
)


def _first_problem(rules: tuple[AddressRule, ...], text: str) -> ProblemAndHint | None:
    return next(((problem, hint) for broken, problem, hint in rules if broken(text)), None)
