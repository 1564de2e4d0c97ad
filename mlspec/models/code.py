"""The code of a model of your own: which files it is, or which package, and the digest that a version's lineage has of it.

It is found without being run. The files are the one that holds the class and those of the project that it imports, directly or by
another. They are copied into the process that runs them and into the model file; nothing else of the project can be imported there.
So the digest covers all that a version's model runs, and a rollback runs the code that the version was trained with.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mlspec.errors import SpecError
from mlspec.models.entry_points import find_entry

GROUP = "mlspec.candidates"  # the entry points of packages
METHODS = ("fit", "predict", "save", "load")
MOST_FILES, MOST_BYTES = 500, 8 * 2**20
_SAFE_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*\.py")
_NAME_LENGTH = 40  # of a digest that is shown


@dataclass(frozen=True)
class ModelCode:
    """The code of one class. `import_name` is what Python imports: `models.promo:PromoModel`.

    `files` are the project's, by path, with line ends as \\n; none for the class of a package, whose name and version is `package`.
    """

    import_name: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    package: str = ""

    @property
    def digest(self) -> str:
        """The sha256 of the files' names and bytes, or of the package's name, version and class."""
        parts = {path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()}
        value = {"files": parts} if parts else {"package": self.package, "class": self.import_name}
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

    @property
    def class_name(self) -> str:
        """The name of the class."""
        return self.import_name.partition(":")[2]

    @property
    def main_file(self) -> str:
        """The path of the file that holds the class; empty for a package."""
        path = self.import_name.partition(":")[0].replace(".", "/")
        return next((name for name in (f"{path}.py", f"{path}/__init__.py") if name in self.files), "")

    def describe_place(self, method: str = "") -> str:
        """Return where a method, or the class, stands: `models/promo.py:31`; for a package its name, version and class."""
        if not self.main_file:
            return f"{self.package} ({self.import_name})"
        class_node = _find_class(ast.parse(self.files[self.main_file]), self.class_name)
        node = class_node and (_methods_of(class_node).get(method) or class_node)
        return f"{self.main_file}:{node.lineno}" if node else self.main_file


def check_paths(paths: Iterable[str]) -> str | None:
    """Return the first path that no module of a project has, or None: what comes from a model file is written to a folder."""
    return next((path for path in paths if not _SAFE_PATH.fullmatch(path)), None)


def find_model_code(root: Path, reference: str) -> ModelCode:
    """Return the code that a `class` of a spec names: a file of the project at `root`, or the entry point of a package.

    Nothing of it is run. Raises SpecError if it cannot be found, leaves the project, or cannot be read as Python.
    """
    if ":" not in reference:
        return _find_entry_point(reference)
    module = reference.partition(":")[0]
    top = module.partition(".")[0]
    if _is_foreign(top):
        owner = "mlspec itself" if top == "mlspec" else "Python's standard library"
        raise SpecError(f"'{top}' is a module of {owner}", hint="give the folder or the file another name")
    file = _module_file(root, module)
    if file is None:
        path = module.replace(".", "/") + ".py"
        raise SpecError(f"there is no file {path}", hint=_near_files(root, path))
    code = ModelCode(reference, _collect_files(root, file))
    _require_class(code)
    return code


def _is_foreign(top: str) -> bool:
    """Return whether a module of this name is Python's or mlspec's own, whatever file the project has."""
    return top in sys.stdlib_module_names or top == "mlspec"


def parameter_names(code: ModelCode) -> frozenset[str] | None:
    """Return the names that the class's `__init__` takes; None where they cannot be seen, or any is taken."""
    if not code.main_file:
        return None
    node = _find_class(ast.parse(code.files[code.main_file]), code.class_name)
    if node is None or node.decorator_list or node.keywords:
        return None
    init = _methods_of(node).get("__init__")
    if init is None:
        return frozenset() if _has_no_bases(node) else None
    if init.args.kwarg is not None:
        return None
    return frozenset(argument.arg for argument in (*init.args.args[1:], *init.args.kwonlyargs))


def _find_entry_point(name: str) -> ModelCode:
    entry = find_entry(GROUP, name, "install the package, or name a class of the project: models.promo:PromoModel")
    return ModelCode(entry.import_name, package=entry.package)


def _module_file(root: Path, module: str) -> Path | None:
    """Return the project's file of a module; None if it has none. Raises SpecError if it leads out of the project."""
    place = root.joinpath(*module.split("."))
    names = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    try:
        file = next((path for path in names if path.is_file()), None)
    except PermissionError as error:
        raise SpecError(f"{module} cannot be looked for: {error}", hint="correct the folder's permissions") from error
    except OSError:  # such as a name that no file can have
        return None
    if file is not None and not file.resolve().is_relative_to(root.resolve()):
        raise SpecError(
            f"{file.relative_to(root).as_posix()} leads out of the project", hint="copy the file into the project"
        )
    return file


def _near_files(root: Path, path: str) -> str:
    from difflib import get_close_matches

    folder = (root / path).parent
    inside = folder.is_dir() and folder.resolve().is_relative_to(root.resolve())
    names = [file.relative_to(root).as_posix() for file in sorted(folder.glob("*.py"))] if inside else []
    near = get_close_matches(path, names, 1)
    return f"did you mean {near[0]}?" if near else "paths start at the project's root, beside specs/"


def _collect_files(root: Path, first: Path) -> dict[str, bytes]:
    """Return a file and all modules of the project that it imports, by path, sorted."""
    files: dict[str, bytes] = {}
    waiting = [first, *_parent_packages(root, first)]
    while waiting:
        file = waiting.pop()
        path = file.relative_to(root).as_posix()
        if path in files:
            continue
        files[path] = _read_source(file, path)
        if len(files) > MOST_FILES or sum(map(len, files.values())) > MOST_BYTES:
            raise SpecError(
                f"{first.relative_to(root).as_posix()} imports more than {MOST_FILES} files or {MOST_BYTES // 2**20} MiB",
                hint="make a package of it, and name its entry point",
            )
        for module in _imported_modules(_parse_source(files[path], path), path):
            found = None if _is_foreign(module.partition(".")[0]) else _module_file(root, module)
            if found is not None:
                waiting += [found, *_parent_packages(root, found)]
    return dict(sorted(files.items()))


def _parent_packages(root: Path, file: Path) -> list[Path]:
    """Return the __init__.py files that Python runs before a module."""
    folders = [folder for folder in file.parents if folder.is_relative_to(root) and folder != root]
    return [folder / "__init__.py" for folder in folders if (folder / "__init__.py").is_file()]


def _read_source(file: Path, path: str) -> bytes:
    if not _SAFE_PATH.fullmatch(path):
        raise SpecError(f"{path} is no path of a module", hint="use ASCII letters, digits and underscores")
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}", hint="correct the file's permissions") from error
    return data.replace(b"\r\n", b"\n")  # a checkout may change line ends, which change nothing


def _parse_source(data: bytes, path: str) -> ast.Module:
    try:
        return ast.parse(data, path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        why = getattr(error, "msg", None) or str(error)
        place = f"{path}:{line}" if line else path
        raise SpecError(f"{place}: {type(error).__name__}: {why}", hint="correct the file") from error


def _imported_modules(tree: ast.Module, path: str) -> Iterator[str]:
    """Yield the dotted names of all modules that a file may import, wherever the statement stands."""
    package = list(PurePosixPath(path).parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _prefixes(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - (node.level - 1)] if node.level else []
            base = [*above, *(node.module.split(".") if node.module else [])]
            yield from _prefixes(base)
            for alias in node.names:
                yield ".".join([*base, alias.name])


def _prefixes(parts: Sequence[str]) -> Iterator[str]:
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def _require_class(code: ModelCode) -> None:
    """Raise SpecError if the file has no such name, or a class that stands there lacks a method."""
    tree = ast.parse(code.files[code.main_file])
    node = _find_class(tree, code.class_name)
    if node is None:
        if code.class_name in _bound_names(tree):
            return
        classes = [item.name for item in tree.body if isinstance(item, ast.ClassDef)]
        there = f"it has {', '.join(classes)}" if classes else "it has none"
        raise SpecError(f"{code.main_file} has no class '{code.class_name}'; {there}", hint="correct `class`")
    place, methods = f"{code.main_file}:{node.lineno}", _methods_of(node)
    lacking = [name for name in METHODS if name not in methods] if _has_no_bases(node) else []
    if lacking:
        raise SpecError(
            f"{place}: class {node.name} has no method {', '.join(lacking)}",
            hint="mlspec.models.DemandModel says what each method does",
        )
    load = methods.get("load")
    if load is not None and not load.decorator_list:
        raise SpecError(f"{code.main_file}:{load.lineno}: {node.name}.load is no class method", hint="add @classmethod")


def _find_class(tree: ast.Module, name: str) -> ast.ClassDef | None:
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)


def _methods_of(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}


def _has_no_bases(node: ast.ClassDef) -> bool:
    """Return whether nothing that does something is inherited: the protocol's own methods do nothing."""
    return all(ast.unparse(base).rpartition(".")[2] in ("DemandModel", "object") for base in node.bases)


def _bound_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names
