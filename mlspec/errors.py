"""Every error that a person can meet, and the exit codes of all commands.

One class per *next step of the reader*. An error carries a sentence (what is wrong, and where) and a `hint` (what to do).
The command line turns them into words and an exit code in one place; any other exception is a defect of mlspec.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command, as the contract fixes them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CHANGES = 2  # `plan --detailed-exitcode`, as terraform's
    NOT_WELL = 3
    PARTIAL = 4
    LOCKED = 75
    INTERRUPTED = 130
    TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM came. Not an Exception, so that no `except Exception` swallows it."""


class MlspecError(Exception):
    """Something in the reader's world has to change before the command can succeed.

    `message` says what is wrong and where; `hint` says what to do about it.
    """

    exit_code: Exit = Exit.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the class and what it holds, so that an error goes from one process to another whatever its own call takes."""
        return _rebuild_error, (type(self), self.message, self.hint)


def _rebuild_error(kind: type[MlspecError], message: str, hint: str | None) -> MlspecError:
    error = kind.__new__(kind, message)
    MlspecError.__init__(error, message, hint=hint)
    return error


class UsageError(MlspecError):
    """The call itself is wrong: a name that does not exist, options that exclude each other."""

    exit_code = Exit.USAGE


class SpecError(MlspecError):
    """A spec or project file cannot be accepted: correct the file."""


class DataError(MlspecError):
    """The data breaks its contract, or cannot be read: correct the data, or the contract in the spec."""


class ModelError(MlspecError):
    """A model cannot be fitted or loaded as the spec asks."""


class StateError(MlspecError):
    """The recorded state cannot be trusted or written: foreign, newer, truncated, read-only, disk full."""


class StalePlan(MlspecError):
    """A saved plan no longer describes what would happen: plan again."""


class Refused(MlspecError):
    """A guard refuses what no one can have meant, or what needs a yes."""


class TargetError(MlspecError):
    """The target answered no, or is not there."""


class MissingExtra(MlspecError):
    """An optional part of mlspec is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        from mlspec.installation import install_command

        super().__init__(
            f"this command needs the package '{module}', which is not installed",
            hint=install_command(extra),
        )


class Defect(MlspecError):
    """Something failed that mlspec does not expect: nothing that the reader can correct."""


class GateClosed(MlspecError):
    """The gate kept a new version out; what served before still serves."""

    exit_code = Exit.NOT_WELL


class StoppedPartWay(MlspecError):
    """A step failed or a signal came after something was done; the next run goes on from there."""

    exit_code = Exit.PARTIAL


class LockHeld(MlspecError):
    """Another run holds the lock; the message names who, where and since when."""

    exit_code = Exit.LOCKED
