"""Imports the kind of target that a package brings, checks it, and says in words what its code does wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mlspec.errors import BrokenTarget, MlspecError, SpecError
from mlspec.log_context import without_known_secrets
from mlspec.models.entry_points import PackageEntry, import_object
from mlspec.models.package_failure import describe_failure
from mlspec.models.package_targets import find_type
from mlspec.spec.package_settings import PackageSettings
from mlspec.spec.secrecy import redact_secrets
from mlspec.targets.package.port import PackageTarget

_CORRECT = "correct the package, or install another version of it"
_LONGEST_COST = 200


@dataclass(frozen=True)
class LoadedTarget:
    """A kind of target that a package brings, and the entry point that names it."""

    entry: PackageEntry
    target: PackageTarget[Any]

    def __str__(self) -> str:
        """Return the type and the package, as messages begin."""
        return _describe_entry(self.entry)

    @contextmanager
    def tell_errors(self, what: str, unless: BaseException | None = None) -> Iterator[None]:
        """Turn what the package's code raises inside the block into a BrokenTarget. Errors of mlspec pass, and so does `unless`.

        `what` names the part of the package whose code runs, in the error's message.
        """
        try:
            yield
        except MlspecError:
            raise
        except (Exception, SystemExit) as error:
            if error is unless:
                raise
            raise self.broken(f"{what}: {_describe_error(error, self.entry)}") from error

    def broken(self, problem: str) -> BrokenTarget:
        """Return the error that says what is wrong with the package's code."""
        return BrokenTarget(f"{self}: {problem}", hint=_CORRECT)

    def refuse_type(self, what: str, value: object, expected: str) -> BrokenTarget:
        """Return the error that says that `what` returned a value of another type than `expected`."""
        return self.broken(f"{what} returned a value of the type {type(value).__name__}, and has to return {expected}")


def load_target(type_name: str, built_in: Collection[str]) -> LoadedTarget:
    """Return the kind of target that a package brings. Imports the package.

    Raises SpecError if no package has it, if one of its types has the name of one in `built_in`, if the package cannot be imported,
    or if what it brings is no kind of target.
    """
    return _load_entry(find_type(type_name, built_in))


@lru_cache(maxsize=64)
def _load_entry(entry: PackageEntry) -> LoadedTarget:
    what = _describe_entry(entry)
    try:
        target = import_object(entry)
    except (Exception, SystemExit) as error:
        raise SpecError(f"{what}: {_describe_error(error, entry)}", hint=_CORRECT) from error
    if not isinstance(target, PackageTarget):
        found = type(target).__name__
        message = (
            f"{what}: {entry.import_name} is of the type {found}, and has to be a mlspec.targets.package.PackageTarget"
        )
        raise SpecError(message, hint=_CORRECT)
    if problem := _find_problem(target):
        raise SpecError(f"{what}: {entry.import_name}: {problem}", hint=_CORRECT)
    return LoadedTarget(entry, target)


def _find_problem(target: PackageTarget[Any]) -> str | None:
    """Return what is wrong with the parts of a kind of target; None if nothing is."""
    parts: Any = target  # a package may have put anything into them
    if not (isinstance(parts.settings, type) and issubclass(parts.settings, PackageSettings)):
        return "settings has to be a class that is derived from PackageSettings"
    if not callable(parts.open_store):
        return "open_store has to be a function"
    if parts.check is not None and not callable(parts.check):
        return "check has to be a function"
    if not isinstance(parts.cost, str) or len(parts.cost) > _LONGEST_COST or not parts.cost.isprintable():
        return f"cost has to be a text of one line, with at most {_LONGEST_COST} characters"
    return None


def _describe_entry(entry: PackageEntry) -> str:
    return f"target type '{entry.name}' of {entry.package}"


def _describe_error(error: BaseException, entry: PackageEntry) -> str:
    """Return file, line, kind and text of an error of the package's code, without a secret."""
    return redact_secrets(without_known_secrets(describe_failure(error, entry.import_name)))
