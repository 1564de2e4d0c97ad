"""All errors for users, and the exit codes of all commands.

There is one class for each kind of action that the user has to take next. An error has a message (what is wrong, and where) and
a `hint` (what to do). The command line prints it and exits with its code, in one place. Any other exception is a defect of
mlspec.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command. They are part of the interface."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CHANGES = 2  # `plan --detailed-exitcode`, as terraform's
    NOT_WELL = 3
    PARTIAL = 4
    LOCKED = 75
    MAY_PASS = 75  # of `step`: the same call may succeed later, as sysexits.h's EX_TEMPFAIL says
    INTERRUPTED = 130
    TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM arrived. It is not an Exception, so that no `except Exception` catches it."""


class MlspecError(Exception):
    """The user has to change something before the command can succeed.

    `message` says what is wrong and where; `hint` says what to do about it.
    """

    exit_code: Exit = Exit.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the class, message and hint, so that an error can pass between processes whatever its constructor takes."""
        return _rebuild_error, (type(self), self.message, self.hint)

    @property
    def sentence(self) -> str:
        """The message, with the hint behind it where there is one: for a place that has one line."""
        return f"{self.message}: {self.hint}" if self.hint else self.message


def with_subject(error: MlspecError, subject: str) -> MlspecError:
    """Return an error of the same class whose message begins with its subject, such as the name of a forecast."""
    return _rebuild_error(type(error), f"{subject}: {error.message}", error.hint)


def _rebuild_error(kind: type[MlspecError], message: str, hint: str | None) -> MlspecError:
    error = kind.__new__(kind, message)
    MlspecError.__init__(error, message, hint=hint)
    return error


class UsageError(MlspecError):
    """The command is wrong: a name that does not exist, options that exclude each other."""

    exit_code = Exit.USAGE


class NotFound(UsageError):
    """What was named in the right form does not exist: a forecast, a series, a release, a cutoff."""


class SpecError(MlspecError):
    """A spec or project file is invalid: correct the file."""


class DataError(MlspecError):
    """The data breaks its contract, or cannot be read: correct the data, or the contract in the spec."""


class ModelError(MlspecError):
    """A model cannot be fitted or loaded as the spec asks."""


class DamagedModel(ModelError):
    """A model file is damaged, or mlspec did not write it."""


class BrokenModel(ModelError):
    """A model of the project's own raised, took too long, ended its process, or returned what is no forecast."""


class BrokenMetric(ModelError):
    """A metric of a package raised, or returned what is no value of it: correct the package."""


class StateError(MlspecError):
    """The recorded state cannot be read or written: from another project, from a newer mlspec, truncated, read-only, disk full."""


class StateUnreachable(StateError):
    """The recorded state cannot be used at this moment: its server restarts, or another program has locked it. Try again later."""


class BrokenTarget(StateError):
    """The code of a package's target raised, or returned what it may not: correct the package."""


class StalePlan(MlspecError):
    """A saved plan no longer matches what apply would do: plan again."""


class Refused(MlspecError):
    """A guard refuses the action: it is surely a mistake, or it needs an approval that was not given."""


class TargetError(MlspecError):
    """The target refused a request, or it cannot be reached."""


class TargetUnreachable(TargetError):
    """The target cannot be reached at this moment, or is overloaded. Try again later."""


class LostProcess(TargetError):
    """A process ended before its result: it was killed, or the memory ran out. Another try may succeed."""


# What may pass by itself: nobody has to change anything.
UNREACHABLE = (StateUnreachable, TargetUnreachable)


class MissingExtra(MlspecError):
    """An optional part of mlspec is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        from mlspec.installation import install_command

        super().__init__(
            f"this command needs the package '{module}', which is not installed",
            hint=install_command(extra),
        )


class Defect(MlspecError):
    """An unexpected failure inside mlspec, which the user cannot correct."""


class GateClosed(MlspecError):
    """The gate rejected a new version; the version that served before still serves."""

    exit_code = Exit.NOT_WELL


class StoppedPartWay(MlspecError):
    """A step failed or a signal arrived after some work was recorded; the next run continues from there."""

    exit_code = Exit.PARTIAL


class LockHeld(MlspecError):
    """Another run holds the lock; the message names its holder, host and start."""

    exit_code = Exit.LOCKED


class Superseded(LockHeld):
    """The loop was given another image since this run began: a run with that image works on the forecast instead."""


class WorkStalled(MlspecError):
    """Work that failed is not tried again until an input changes, or a person starts it again with `mlspec resume`."""


class WorkWaits(MlspecError):
    """Work that failed is tried again later, and not yet."""

    exit_code = Exit.MAY_PASS


class WorkUnderWay(MlspecError):
    """Long work runs outside of this process: it was started just now, or runs already. A later pass asks whether it is over.

    It is no failure. `kind` and `name` say what runs at the service, `what` says it to a person, `mark` is known before the start
    and finds the work if its name was lost, and `limit` is the number of seconds after which it is cancelled.
    """

    exit_code = Exit.MAY_PASS

    def __init__(self, *, kind: str, name: str, mark: str, what: str, limit: float) -> None:
        super().__init__(
            f"waiting for {what}, which runs as {name}", hint="run the same command again to go on with it"
        )
        self.kind, self.name, self.mark, self.what, self.limit = kind, name, mark, what, limit


# An input has to change first, or a person has to decide: the same call fails again.
_PERMANENT = (
    DataError, ModelError, SpecError, MissingExtra, Refused, StalePlan, UsageError, GateClosed, WorkStalled,
)  # fmt: skip


def may_pass(error: MlspecError) -> bool:
    """Return whether the same work may succeed later although nothing is changed. The loop and a DAG retry it only then."""
    return not isinstance(error, _PERMANENT)
