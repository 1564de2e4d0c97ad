"""Runs terraform on rendered files: plans without a lock, applies exactly the saved plan, and destroys.

terraform gets only allow-listed environment variables: paths of programs and settings, Google's credentials, and the variables of
the rendered files. Only progress and terraform's errors are shown, because a plan may contain secret values.
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
from mlspec.plain_files import make_private_folder
from mlspec.state.diagnostic import Diagnostic
from mlspec.state.resource import Json
from mlspec.targets.cache import cache_path
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
_APART = "apart_override.tf.json"  # puts another backend in place of the folder's: terraform merges files of this name over others
_ONE_BY_ONE = ("-parallelism=1",)
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_IMAGE = f"none@sha256:{'0' * 64}"  # for a forecast without a job: the variable is required, but not used
_INSTALL = "install terraform 1.9 or newer (https://developer.hashicorp.com/terraform/install), or use `mlspec render`"


def find_terraform() -> str:
    """Return terraform's path. Raises TargetError with a hint if it is not installed."""
    path = shutil.which("terraform")
    if path is None:
        raise TargetError("terraform is not installed, and mlspec needs it for the infrastructure", hint=_INSTALL)
    return path


@dataclass(frozen=True, slots=True)
class TerraformCli:
    """Runs terraform. `environment` is terraform's whole environment; `tell` receives a progress line for each resource.

    `lock_timeout`: seconds to wait for the lock of the terraform state. `find_image` is called for a forecast with a job if the
    environment does not name the image of the steps. `has_state` says whether a folder of this name has a state: terraform creates
    an empty one where there is none, and a plan makes no write.
    """

    environment: Mapping[str, str]
    tell: Callable[[str], None]
    lock_timeout: float = 0.0
    find_image: Callable[[], str] | None = None
    has_state: Callable[[str], bool] | None = None

    def plan(self, folder: Path) -> Mapping[str, Json]:
        """Plan a folder of rendered files, save the plan there, and return it in the format of `terraform show -json`.

        Raises TargetError with terraform's message if the plan fails.
        """
        variables = self._image_variable(folder)
        if self.has_state is not None and _is_kept_in_bucket(folder) and not self.has_state(folder.name):
            (folder / _APART).write_text(json.dumps({"terraform": {"backend": {"local": {}}}}), encoding="utf-8")
        self._run_for_output(folder, "init", "-no-color")
        self._run_for_output(folder, "plan", "-no-color", "-lock=false", f"-out={_PLAN}", variables=variables)
        return self.show_plan(folder)

    def is_planned_apart(self, folder: Path) -> bool:
        """Return whether the plan was made without the folder's state, because there is none yet."""
        return (folder / _APART).exists()

    def show_plan(self, folder: Path) -> Mapping[str, Json]:
        """Return the folder's saved plan in the format of `terraform show -json`."""
        value: Mapping[str, Json] = json.loads(self._run_for_output(folder, "show", "-json", "-no-color", _PLAN))
        return value

    def apply(self, folder: Path, *, slower: bool = False) -> tuple[Diagnostic, ...]:
        """Apply the folder's saved plan and return the errors. terraform refuses a plan whose state has changed since.

        `slower`: one resource at a time.
        """
        return self._run_with_progress(folder, "apply", *(_ONE_BY_ONE if slower else ()), _PLAN)

    def plan_again(self, folder: Path, adopt: Mapping[str, str], *, slower: bool) -> Mapping[str, Json]:
        """Plan again with imports of these resources (id by address), and replace the saved plan. Return the new plan.

        A folder that was planned without a state gets one.
        """
        if self.is_planned_apart(folder):
            (folder / _APART).unlink()
            self._run_for_output(folder, "init", "-no-color", "-reconfigure")
        blocks = [{"to": address, "id": id_} for address, id_ in adopt.items()]
        (folder / _ADOPTED).write_text(json.dumps({"import": blocks}), encoding="utf-8")
        self._run_for_output(
            folder, "plan", "-no-color", "-lock=false", *(_ONE_BY_ONE if slower else ()), f"-out={_PLAN}",
            variables=self._image_variable(folder),
        )  # fmt: skip
        return self.show_plan(folder)

    def apply_error(self, folder: Path, errors: Sequence[Diagnostic], why: str | None) -> TargetError:
        """Return the error of an apply, with terraform's message and a hint. `why` is the reason for giving up."""
        return output.terraform_error("apply", folder.name, errors, why)

    def wait(self, seconds: float) -> None:
        """Wait for some seconds."""
        time.sleep(seconds)

    def show_state(self, folder: Path) -> Mapping[str, Json]:
        """Return the folder's state in the format of `terraform show -json`. Raises TargetError if it cannot be read."""
        self._run_for_output(folder, "init", "-no-color")
        value: Mapping[str, Json] = json.loads(self._run_for_output(folder, "show", "-json", "-no-color"))
        return value

    def destroy(self, folder: Path, protected: Sequence[str], image: str | None) -> None:
        """Destroy all resources in the folder's state. First remove the deletion protection of the addresses `protected`.

        `image` is the job's current image, so that the first apply does not change it. After an interruption, call it again.
        """
        variables = {"TF_VAR_protect": "false", "TF_VAR_image": image or _NO_IMAGE}
        if protected:
            self._run_or_raise(folder, "apply", *(f"-target={address}" for address in protected), variables=variables)
        self._run_or_raise(folder, "destroy", variables=variables)

    def _image_variable(self, folder: Path) -> Mapping[str, str]:
        """Return the variable for the image of a forecast's job, unless the environment has it or the folder has no job."""
        if self.environment.get("TF_VAR_image") or self.find_image is None or not (folder / "job.tf").is_file():
            return _NOTHING
        return {"TF_VAR_image": self.find_image()}

    def _run_or_raise(self, folder: Path, *words: str, variables: Mapping[str, str]) -> None:
        if errors := self._run_with_progress(folder, *words, variables=variables):
            raise output.terraform_error(words[0], folder.name, errors)

    def _run_with_progress(
        self, folder: Path, command: str, *words: str, variables: Mapping[str, str] = _NOTHING
    ) -> tuple[Diagnostic, ...]:
        """Run a command that changes resources, report its progress by `tell`, and return its errors."""
        reader = _OutputReader(self.tell)
        patience = f"-lock-timeout={self.lock_timeout:.0f}s"
        code = self._run_terraform(
            folder, [command, "-json", "-auto-approve", patience, *words], variables, reader.take_line
        )
        return reader.errors() if code else ()

    def _run_for_output(self, folder: Path, *words: str, variables: Mapping[str, str] = _NOTHING) -> str:
        """Run a command that only reads, and return its output. Raises TargetError."""
        out: list[str] = []
        error_lines: list[str] = []
        with tempfile.TemporaryFile("w+", encoding="utf-8") as apart:
            code = self._run_terraform(folder, words, variables, out.append, apart)
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
        """Run terraform, pass each output line to `take_line`, and return the exit code."""
        logger.debug("terraform %s in %s", " ".join(words), folder.name)
        # In a new session: Ctrl-C reaches only mlspec, which interrupts terraform once. A second interrupt would lose its state.
        with subprocess.Popen(
            [find_terraform(), *words], cwd=folder, env={**self.environment, **variables}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", start_new_session=True,
        ) as process:  # fmt: skip
            try:
                for output_line in process.stdout or ():
                    take_line(output_line)
            except BaseException:
                process.send_signal(signal.SIGINT)
                self.tell("  terraform is finishing its current changes and saving its state: please wait")
                _wait_out(process)
                raise
        logger.debug("terraform %s in %s ended with %d", words[0], folder.name, process.returncode)
        return process.returncode


def _is_kept_in_bucket(folder: Path) -> bool:
    """Return whether a folder's backend is a bucket. A project's own template may name another one, which mlspec does not know."""
    backend = folder / "backend.tf"
    return backend.is_file() and 'backend "gcs"' in backend.read_text(encoding="utf-8")


def _wait_out(process: subprocess.Popen[str]) -> None:
    """Wait until terraform has ended, also after further signals. If its output were closed, terraform would lose its state."""
    while process.poll() is None:
        with suppress(KeyboardInterrupt, Terminated):
            process.communicate()


class _OutputReader:
    """Collects the output of a terraform command that changes resources."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._errors, self._text = tell, list[Diagnostic](), list[str]()

    def take_line(self, text: str) -> None:
        """Read a line of JSON. A line of other text is an error from before terraform's JSON output began."""
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
        """Return the errors."""
        return tuple(self._errors) or (output.parse_text_error("".join(self._text)),)


def allowed_environment(environment: Mapping[str, str], cache: Path | None) -> dict[str, str]:
    """Return terraform's environment. `cache` stores providers, so that many forecasts download a provider once."""
    passed_on = {key: value for key, value in environment.items() if key in _KEPT or key.startswith(_KEPT_PREFIXES)}
    return {**({"TF_PLUGIN_CACHE_DIR": str(cache)} if cache else {}), **passed_on, **_SET}


def allowed_environment_here() -> dict[str, str]:
    """Return terraform's environment, from this process's environment."""
    return allowed_environment(os.environ, provider_cache_folder())


def provider_cache_folder() -> Path | None:
    """Create and return the folder of the provider cache. None if that fails; then each forecast downloads the providers."""
    try:
        folder = cache_path() / "terraform"
        make_private_folder(folder)
    except (OSError, RuntimeError):
        return None
    return folder
