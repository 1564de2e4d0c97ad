"""Runs terraform on rendered files: reads what it would do, holding no lock, and does just that; or takes down what it made.

terraform sees an allow-listed environment: where it finds programs and settings, Google's credentials, and the variables of the
rendered files. Nothing of its output is shown but its own errors, because a plan may hold what must not be shown.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

from mlspec.errors import TargetError, Terminated
from mlspec.state.diagnostic import Diagnostic
from mlspec.state.resource import Json
from mlspec.targets.gcp.terraform import output

logger = logging.getLogger(__name__)
_KEPT = (
    "PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "TF_REATTACH_PROVIDERS", "TF_VAR_image",
)  # fmt: skip
_KEPT_PREFIXES = ("GOOGLE_", "CLOUDSDK_")
_SET = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
_PLAN = "plan.tfplan"
_ADOPTED = "adopted.tf.json"
_ONE_BY_ONE = ("-parallelism=1",)
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_IMAGE = (
    f"none@sha256:{'0' * 64}"  # where there is no job any more: the variable has to be given, and nothing is made of it
)
_INSTALL = (
    "install terraform 1.9 or newer (https://developer.hashicorp.com/terraform/install), or look at mlspec render"
)


def find_terraform() -> str:
    """Return terraform's path. Raises TargetError, saying how to get it, where there is none."""
    path = shutil.which("terraform")
    if path is None:
        raise TargetError("terraform is not installed, and the infrastructure is planned with it", hint=_INSTALL)
    return path


@dataclass(frozen=True, slots=True)
class TerraformCli:
    """terraform, with what it may see of the environment; `tell` is told what becomes of each resource.

    `lock_timeout`: seconds that it waits for whoever else works on the same state.
    """

    environment: Mapping[str, str]
    tell: Callable[[str], None]
    lock_timeout: float = 0.0

    def plan(self, folder: Path) -> Mapping[str, Json]:
        """Return terraform's plan for a folder of rendered files, as `terraform show -json` says it, and keep it there.

        Raises TargetError with terraform's own words where it cannot plan.
        """
        if not self.environment.get("TF_VAR_image") and (folder / "job.tf").is_file():
            raise TargetError(
                "the image of the pipeline's steps is not named",
                hint="export TF_VAR_image=REGION-docker.pkg.dev/PROJECT/mlspec/step@sha256:…, as Cloud Build printed it",
            )
        self._run_for_output(folder, "init", "-no-color")
        self._run_for_output(folder, "plan", "-no-color", "-lock=false", f"-out={_PLAN}")
        return self.show_plan(folder)

    def show_plan(self, folder: Path) -> Mapping[str, Json]:
        """Return the plan that the folder keeps, as `terraform show -json` says it."""
        value: Mapping[str, Json] = json.loads(self._run_for_output(folder, "show", "-json", "-no-color", _PLAN))
        return value

    def apply(self, folder: Path, *, slower: bool = False) -> tuple[Diagnostic, ...]:
        """Carry out the plan that the folder keeps, and return what went wrong; terraform refuses it where its state has moved.

        `slower`: one resource at a time.
        """
        return self._run_with_progress(folder, "apply", *(_ONE_BY_ONE if slower else ()), _PLAN)

    def plan_again(self, folder: Path, adopt: Mapping[str, str], *, slower: bool) -> Mapping[str, Json]:
        """Return a new plan, kept in place of the first, that also takes these resources into the state, by their ids."""
        blocks = [{"to": address, "id": id_} for address, id_ in adopt.items()]
        (folder / _ADOPTED).write_text(json.dumps({"import": blocks}), encoding="utf-8")
        self._run_for_output(
            folder, "plan", "-no-color", "-lock=false", *(_ONE_BY_ONE if slower else ()), f"-out={_PLAN}"
        )
        return self.show_plan(folder)

    def apply_error(self, folder: Path, errors: Sequence[Diagnostic], why: str | None) -> TargetError:
        """Return the error of an apply: terraform's words, and what helps; `why` says why it does not go on."""
        return output.terraform_error("apply", folder.name, errors, why)

    def wait(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def show_state(self, folder: Path) -> Mapping[str, Json]:
        """Return the folder's state, as `terraform show -json` says it. Raises TargetError where it cannot be read."""
        self._run_for_output(folder, "init", "-no-color")
        value: Mapping[str, Json] = json.loads(self._run_for_output(folder, "show", "-json", "-no-color"))
        return value

    def destroy(self, folder: Path, protected: Sequence[str], image: str | None) -> None:
        """Destroy all that the folder's state holds; first, protection is taken off `held`, and nothing else is changed.

        `image` is what the job keeps until then. Run again after an end part-way, it goes on from there.
        """
        variables = {"TF_VAR_protect": "false", "TF_VAR_image": image or _NO_IMAGE}
        if protected:
            self._run_or_raise(folder, "apply", *(f"-target={address}" for address in protected), variables=variables)
        self._run_or_raise(folder, "destroy", variables=variables)

    def _run_or_raise(self, folder: Path, *words: str, variables: Mapping[str, str]) -> None:
        if errors := self._run_with_progress(folder, *words, variables=variables):
            raise output.terraform_error(words[0], folder.name, errors)

    def _run_with_progress(
        self, folder: Path, command: str, *words: str, variables: Mapping[str, str] = _NOTHING
    ) -> tuple[Diagnostic, ...]:
        """Run a command that acts, tell what becomes of each resource, and return what went wrong."""
        reader = _OutputReader(self.tell)
        patience = f"-lock-timeout={self.lock_timeout:.0f}s"
        code = self._run_terraform(
            folder, [command, "-json", "-auto-approve", patience, *words], variables, reader.take_line
        )
        return reader.errors() if code else ()

    def _run_for_output(self, folder: Path, *words: str) -> str:
        """Run a command that looks, and return what it said. Raises TargetError."""
        out: list[str] = []
        error_lines: list[str] = []
        with tempfile.TemporaryFile("w+", encoding="utf-8") as apart:
            code = self._run_terraform(folder, words, _NOTHING, out.append, apart)
            apart.seek(0)
            error_lines = apart.readlines()
        if code:
            raise output.terraform_error(words[0], folder.name, [output.parse_text_error("".join(error_lines))])
        return "".join(out)

    def _run_terraform(
        self,
        folder: Path,
        words: Sequence[str],
        variables: Mapping[str, str],
        take_line: Callable[[str], None],
        errors: IO[str] | int = subprocess.STDOUT,
    ) -> int:
        """Run terraform, hand on each line as it comes, and return its exit code."""
        logger.debug("terraform %s in %s", " ".join(words), folder.name)
        # In a session of its own: a Ctrl-C reaches us, and we ask terraform once to end. Asked twice it would drop its state.
        with subprocess.Popen(
            [find_terraform(), *words], cwd=folder, env={**self.environment, **variables}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", start_new_session=True,
        ) as process:  # fmt: skip
            try:
                for output_line in process.stdout or ():
                    take_line(output_line)
            except BaseException:
                process.send_signal(signal.SIGINT)
                self.tell("  terraform ends what it has begun, and keeps its state: please wait")
                _wait_out(process)
                raise
        logger.debug("terraform %s in %s ended with %d", words[0], folder.name, process.returncode)
        return process.returncode


def _wait_out(process: subprocess.Popen[str]) -> None:
    """Wait until terraform has ended, however often somebody asks for less: one that nobody hears any more loses its state."""
    while process.poll() is None:
        with suppress(KeyboardInterrupt, Terminated):
            process.communicate()


class _OutputReader:
    """What a terraform that acts has said so far."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._errors, self._text = tell, list[Diagnostic](), list[str]()

    def take_line(self, text: str) -> None:
        """Take a line of JSON; any other is terraform's last word before it could speak so."""
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            self._text.append(text)
            return
        if error := output.parse_diagnostic(value):
            self._errors.append(error)
        if sentence := output.progress_sentence(value):
            self._tell(sentence)

    def errors(self) -> tuple[Diagnostic, ...]:
        """Return what went wrong."""
        return tuple(self._errors) or (output.parse_text_error("".join(self._text)),)


def allowed_environment(environment: Mapping[str, str], cache: Path | None) -> dict[str, str]:
    """Return what terraform may see. Providers are kept in `cache`, so that a hundred forecasts load one once."""
    passed_on = {key: value for key, value in environment.items() if key in _KEPT or key.startswith(_KEPT_PREFIXES)}
    return {**({"TF_PLUGIN_CACHE_DIR": str(cache)} if cache else {}), **passed_on, **_SET}


def allowed_environment_here() -> dict[str, str]:
    """Return what terraform may see of this process's environment."""
    return allowed_environment(os.environ, cache_folder())


def cache_folder() -> Path | None:
    """Return the folder for providers, made, below the user's cache; None where it cannot be: then each forecast loads its own."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlspec" / "terraform"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder
