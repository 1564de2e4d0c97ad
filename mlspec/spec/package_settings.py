"""The settings of targets that installed packages bring: what mlspec.yaml says, before the package has checked it, and after.

mlspec.yaml is read by commands that use another target, on machines without the package. So `Project` keeps such settings as they
are written. `engine.target_faults` has them checked by the package for the target that a command uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from mlspec.models.package_targets import offered_types
from mlspec.spec.error_messages import parts_in, tag_of
from mlspec.spec.faults import Path, Problem, nearest_word
from mlspec.spec.part import Part
from mlspec.spec.secrecy import is_secret_key, looks_secret


class PackageSettings(Part):
    """The settings of a target that a package brings. A package derives its own class, with a described field a setting.

    A secret is a field of the type `SecretName`: mlspec.yaml has its name, and `TargetPlace.read_secret` its value.
    """

    type: str = Field(description="Which kind of target this is.")
    protect: bool = Field(default=False, description="Ask for approval before every apply.")


@dataclass(frozen=True, slots=True)
class UncheckedSettings:
    """What mlspec.yaml says of a target whose type mlspec has not itself."""

    type: str
    values: Mapping[str, Any]


class PackageTypes:
    """Marks the union of mlspec's own settings: settings with another `type` are kept unchecked, for a package.

    A type that is probably a misspelling of one of mlspec's own is refused as before.
    """

    _own: tuple[str, ...] = ()  # the types of the union

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema that keeps settings of packages, and passes all others on."""
        self._own = tuple(tag for part in parts_in(source) if (tag := tag_of(part)))
        return core_schema.no_info_wrap_validator_function(self._accept, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the union, with the types of the packages that are installed here: an editor offers their names."""
        union, others = handler(schema), [name for name in offered_types() if name not in self._own]
        if not others:
            return union
        of_packages = {"type": "object", "properties": {"type": {"enum": others}}, "required": ["type"]}
        return {"anyOf": [union, of_packages]}

    def _accept(self, value: Any, handler: Any) -> Any:
        type_name = value.get("type") if isinstance(value, dict) else None
        if not isinstance(type_name, str) or type_name in self._own or nearest_word(type_name, self._own):
            return handler(value)
        return UncheckedSettings(type_name, value)


def package_folder(target: str) -> str:
    """Return the folder of a package's target on this machine, relative to the project's root: git and images leave it out."""
    return f".mlspec/targets/{target}"


def secret_problems(value: Any, path: Path) -> Iterator[Problem]:
    """Yield a problem for each text of unchecked settings that is a secret, by its form or by the name of its key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if inner not in (None, "") and is_secret_key(str(key)):
                message = f"the value of '{key}' would be a secret, which must not be written in a file"
                hint = f"name the secret, if the package's settings have a key for that: {key}_secret: NAME"
                yield Problem((*path, key), "secret", message, hint, on_key=True)
            else:
                yield from secret_problems(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from secret_problems(inner, (*path, index))
    elif isinstance(value, str) and looks_secret(value):
        message, hint = "this looks like a secret", "keep it in a secret store, and write its name here"
        yield Problem(path, "secret", message, hint)
