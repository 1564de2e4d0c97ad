"""A container, on this machine: a program that a test named for an image, really run, with what the job adds to it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.gcp.standin.forked import Fork


@dataclass(frozen=True)
class Hook:
    """What runs in place of images that match `image`, a regular expression: a program, to which the job adds its words.

    It sees the environment that leads clients to the stand-in, PATH and HOME, then `env`, then what the job sets. Where `code` is
    given, this Python runs instead of `command`, in a fork of a process that has imported mlspec and Google's clients.
    """

    image: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    cwd: str | None = None
    code: str = ""


@dataclass
class Run:
    """One program, from its start on."""

    open: Callable[[], subprocess.Popen[bytes] | Fork | None]
    is_time: Callable[[], bool]
    output: Path
    errors: Path
    told: bool = False
    """Whether its log has been written."""
    process: subprocess.Popen[bytes] | Fork | None = None
    opened: bool = False
    stopped: bool = False
    """Whether it was ended before its time to start."""

    def look(self) -> None:
        """Start the program, if it is time and it has not been started."""
        if not self.opened and not self.stopped and self.is_time():
            self.opened, self.process = True, self.open()

    @property
    def said(self) -> str:
        """What was run, and all that it wrote: to stdout, then to stderr."""
        return "".join(path.read_text(errors="replace") for path in (self.output, self.errors))

    @property
    def lines(self) -> tuple[list[str], list[str]]:
        """What it wrote to stdout and to stderr, without the line that says what was run."""
        first, second = (path.read_text(errors="replace").splitlines() for path in (self.output, self.errors))
        return first[1:], second

    @property
    def done(self) -> bool:
        """Whether it has ended; a container without a program ends at once."""
        self.look()
        return self.stopped or (self.opened and (self.process is None or self.process.poll() is not None))

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return not self.stopped and (self.process is None or self.process.poll() == 0)

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it, as Linux does with what takes more memory than it may."""
        return self.exit_code in {-signal.SIGKILL, 128 + signal.SIGKILL}

    @property
    def exit_code(self) -> int:
        """What it ended with."""
        if self.stopped:
            return -signal.SIGKILL
        return 0 if self.process is None else int(self.process.wait())

    def kill(self) -> None:
        """End it and all that it started."""
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> None:
        """End it and all that it started by a signal, and wait until it is over."""
        self.stopped = not self.opened
        if self.process is not None and self.process.poll() is None:
            try:
                os.killpg(self.process.pid, how)
            except ProcessLookupError:  # it has ended, or leads no group yet
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.process.pid, how)
            self.process.wait()


class Commands:
    """The hooks of one cloud and all that they started."""

    def __init__(
        self, folder: Path, environment: dict[str, str], start_of: Callable[[Sequence[str]], Callable[[], bool]]
    ) -> None:
        self.folder, self._start_of = folder, start_of
        self._environment = {**{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}, **environment}
        self.account_file: Callable[[str], Path] | None = None
        self.hooks: list[Hook] = []
        self.runs: list[Run] = []

    def start(self, image: str, words: Sequence[str], env: dict[str, str], account: str = "") -> Run:
        """Run what stands for an image, when it is time, under the account that its job names.

        Without a hook nothing runs, and it went well.
        """
        if account and self.account_file:
            env = {**env, "GOOGLE_APPLICATION_CREDENTIALS": str(self.account_file(account))}
        hook = next((each for each in reversed(self.hooks) if re.search(each.image, image)), None)
        folder = self.folder / str(len(self.runs) + 1)
        folder.mkdir(parents=True)
        for name in ("output.txt", "errors.txt"):
            (folder / name).touch()
        words = list(words)
        run = Run(
            lambda: self._open(hook, words, env, folder) if hook else None,
            self._start_of(words),
            folder / "output.txt",
            folder / "errors.txt",
        )
        run.look()
        self.runs.append(run)
        return run

    def _open(
        self, hook: Hook, words: Sequence[str], env: dict[str, str], folder: Path
    ) -> subprocess.Popen[bytes] | Fork:
        argv = [*hook.command, *words]
        own = {**self._environment, **hook.env, **env}
        with (folder / "output.txt").open("wb") as output, (folder / "errors.txt").open("wb") as wrong:
            output.write(f"$ {shlex.join(argv)}\n".encode())
            output.flush()
            if hook.code:
                places = (Path(hook.cwd or folder), folder / "output.txt", folder / "errors.txt")
                return Fork(hook.code, words, own, *places)
            return subprocess.Popen(
                argv, cwd=hook.cwd or folder, env=own, stdin=subprocess.DEVNULL, stdout=output, stderr=wrong,
                start_new_session=True,
            )  # fmt: skip

    def started(self) -> bool:
        """Say whether there was a program."""
        return any(run.process is not None or not run.opened for run in self.runs)

    def close(self) -> None:
        """End all that still runs."""
        for run in self.runs:
            run.kill()
