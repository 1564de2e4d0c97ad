"""mlspec: demand forecasts as YAML, from spec file to governed forecast.

`mlspec.open` opens a project for use from Python; `mlspec.api` lists all that is public, and `mlspec.errors` has the errors. The
import of this package alone imports nothing else: the command line and the server start through it.
"""

TYPE_CHECKING = False  # as typing.TYPE_CHECKING, without the import
if TYPE_CHECKING:
    import os

    from mlspec import api as api
    from mlspec import errors as errors

__all__ = ["__version__", "api", "errors", "open"]

try:
    from mlspec._version import __version__
except ImportError:  # a checkout that was never installed, or the archive of the redeploy function
    __version__ = "0.0"


def open(path: "str | os.PathLike[str]" = ".", *, target: str = "local") -> "api.ProjectHandle":  # noqa: A001  (as gzip.open)
    """Open the project at `path`: the nearest folder with mlspec.yaml, there or above. `target` names one of its targets.

    Nothing is read from the target yet, and nothing is written. Raises UsageError if there is no project or no such target,
    SpecError if mlspec.yaml is invalid.
    """
    from mlspec.api.project import open_project

    return open_project(path, target=target)


def __getattr__(name: str) -> object:
    """Import `mlspec.api` or `mlspec.errors` when it is first used."""
    if name in ("api", "errors"):
        import importlib

        return importlib.import_module(f"mlspec.{name}")
    raise AttributeError(f"module 'mlspec' has no attribute '{name}'")
