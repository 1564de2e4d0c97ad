"""What Google's provider accepts: its schema, read out of an installed Python package.

`terraform providers schema` needs the provider's binary, and a registry to get it from. The package
`cdktn-provider-google` on PyPI carries the same facts: it is generated from that very schema, and its archive holds the
generated TypeScript, where each attribute says its type and whether it is required, optional or computed. Nothing of the
package is imported (that would start Node.js); the archive is read as text.

What the generator drops is written by hand in `resource_rules`: what is sensitive or write-only, defaults, what forces a
replacement. Lost for good are the most and the fewest items of a block where they are not 1.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

PACKAGE = "cdktn-provider-google"

Block = dict[str, Any]

SOURCE_MAP = re.compile(r"sourceMappingURL=data:application/json;base64,([A-Za-z0-9+/=]+)")
CLASS = re.compile(r"^export class (\w+) extends cdktn\.(\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
MEMBER = re.compile(
    r"^  // (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\s*$", re.MULTILINE
)
# `structToHclTerraform` repeats every argument with its kind: the only place that tells a block from an attribute.
RENDERER = re.compile(r"^export function (\w+)ToHclTerraform\(.*?\n\}\n", re.MULTILINE | re.DOTALL)
ARGUMENT = re.compile(
    r'^\s+(\w+): \{\s*value: .*?,\n\s*isBlock: (true|false),\s*type: "(\w+)",\s*storageClassType: "(\w+)",',
    re.MULTILINE | re.DOTALL,
)
COMPLEX = re.compile(r'private _\w+ = new ([\w.]+)\(this, "\w+"(?:, (true|false))?\)')

# How a getter reads its value, and so what type the provider said; the first that fits.
GETTERS: tuple[tuple[str, Any], ...] = (
    ("cdktn.Fn.tolist(this.getListAttribute", ["set", "string"]),
    ("cdktn.Token.asNumberList(cdktn.Fn.tolist(this.getNumberListAttribute", ["set", "number"]),
    ("this.getNumberListAttribute", ["list", "number"]),
    ("this.getListAttribute", ["list", "string"]),
    ("this.getStringMapAttribute", ["map", "string"]),
    ("this.getNumberMapAttribute", ["map", "number"]),
    ("this.getBooleanMapAttribute", ["map", "bool"]),
    ("this.getStringAttribute", "string"),
    ("this.getNumberAttribute", "number"),
    ("this.getBooleanAttribute", "bool"),
    ("this.getAnyMapAttribute", ["map", "dynamic"]),
    ("this.interpolationForAttribute", "dynamic"),
)
LIBRARY_CLASSES: dict[str, Any] = {
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
    "AnyMap": ["map", "dynamic"],
    "StringMapList": ["list", ["map", "string"]],
    "StringListList": ["list", ["list", "string"]],
    "BooleanList": ["list", "bool"],
    "NumberList": ["list", "number"],
    "StringListMap": ["map", ["list", "string"]],
}
SCALARS = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}


class Argument:
    """One argument as a renderer prints it: is it a block, in what collection, of which class."""

    def __init__(self, is_block: str, kind: str, storage: str):
        self.is_block, self.kind, self.storage = is_block == "true", kind, storage


def arguments(text: str) -> dict[str, Argument]:
    return {found[0]: Argument(*found[1:]) for found in ARGUMENT.findall(text)}


class Module:
    """The TypeScript of one resource or data source."""

    def __init__(self, text: str):
        self.text = text
        self.classes = {name: (base, body) for name, base, body in CLASS.findall(text)}
        self.renderers = {found[1].lower(): arguments(found[0]) for found in RENDERER.finditer(text)}

    def main(self, *bases: str) -> str | None:
        """The body of the class that stands for the resource itself."""
        return next((body for base, body in self.classes.values() if base in bases), None)

    @staticmethod
    def members(body: str) -> Iterator[tuple[str, dict[str, bool], str]]:
        """Name, flags and source text of each attribute of a class."""
        marks = list(MEMBER.finditer(body))
        ends = [mark.start() for mark in marks[1:]] + [len(body)]
        for mark, end in zip(marks, ends, strict=False):  # an empty class has no mark, and still an end
            flags = dict(
                zip(("computed", "optional", "required"), (word == "true" for word in mark.groups()[1:]), strict=True)
            )
            yield mark[1], {name: True for name, is_set in flags.items() if is_set}, body[mark.end() : end]

    def block(self, body: str, rendered: Mapping[str, Argument], above: tuple[str, ...] = ()) -> Block:
        """A class as Terraform's schema writes it: attributes, and blocks inside."""
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for name, flags, source in self.members(body):
            argument = rendered.get(name)
            nested = COMPLEX.search(source)
            if nested and not nested[1].startswith("cdktn."):
                inner = self.struct(nested[1], above)
                if argument and argument.is_block:
                    blocks[name] = nested_block(inner, argument, flags, alone=nested[1].endswith("OutputReference"))
                else:
                    fields = {field: inside["type"] for field, inside in inner["attributes"].items()}
                    attributes[name] = {"type": [collection(nested, argument), ["object", fields]], **flags}
            elif nested:
                attributes[name] = {"type": LIBRARY_CLASSES[nested[1].removeprefix("cdktn.")], **flags}
            else:
                attributes[name] = {"type": next((kind for call, kind in GETTERS if call in source), None), **flags}
            kind = attributes.get(name, {}).get("type")
            if argument and argument.kind == "set" and isinstance(kind, list) and kind[0] == "list":
                attributes[name]["type"] = ["set", kind[1]]
        return {"attributes": attributes, "block_types": blocks}

    def struct(self, name: str, above: tuple[str, ...]) -> Block:
        """The block that a nested class stands for; a class inside itself ends there."""
        struct = re.sub(r"(OutputReference|List|Map)$", "", name)
        if f"{struct}OutputReference" not in self.classes:
            struct = name
        if struct in above:
            return {"attributes": {}, "block_types": {}}
        body = self.classes.get(f"{struct}OutputReference", ("", ""))[1]
        return self.block(body, self.renderers.get(struct.lower(), {}), (*above, struct))


def collection(nested: re.Match[str], argument: Argument | None) -> str:
    """The collection that computed objects come in."""
    if nested[2] == "true" or (argument and argument.kind == "set"):
        return "set"
    return "map" if nested[1].endswith("Map") else "list"


def nested_block(inner: Block, argument: Argument, flags: Mapping[str, bool], *, alone: bool) -> Block:
    mode = {"struct": "single", "list": "list", "set": "set"}[argument.kind]
    block: Block = {"nesting_mode": mode, "block": inner}
    if mode != "single" and alone:
        block["max_items"] = 1
    if mode != "single" and flags.get("required"):
        block["min_items"] = 1
    return block


def provider_block(module: Module) -> Block:
    """The provider's own configuration: plain fields, so the interface tells what is optional."""
    body = module.main("TerraformProvider") or ""
    block: Block = {"attributes": {}, "block_types": {}}
    for name, argument in arguments(body).items():
        if argument.is_block:
            struct = argument.storage.removesuffix("List")
            fields = {
                field: {"type": plain(inner.storage), "optional": True}
                for field, inner in module.renderers[struct.lower()].items()
            }
            inner = {"attributes": fields, "block_types": {}}
            block["block_types"][name] = {"nesting_mode": "list", "max_items": 1, "block": inner}
        elif name != "alias":
            block["attributes"][name] = {"type": plain(argument.storage), "optional": True}
    return block


def plain(storage: str) -> Any:
    found = re.fullmatch(r"(string|number|boolean|any)(List|Map)?", storage)
    if found is None:
        raise ValueError(f"an unknown storage class: {storage}")
    scalar = SCALARS[found[1]]
    return [found[2].lower(), scalar] if found[2] else scalar


def folder_of(type_name: str, *, data: bool = False) -> str:
    """Where the archive keeps a type: google_pubsub_topic is in lib/pubsub-topic."""
    name = type_name if data else type_name.removeprefix("google_")
    return ("data-" if data else "") + name.replace("_", "-")


def sources(wanted: set[str]) -> dict[str, str]:
    """The TypeScript of the wanted folders of the archive."""
    archive = next(file for file in distribution(PACKAGE).files or () if file.name.endswith(".jsii.tgz"))
    found: dict[str, str] = {}
    with tarfile.open(Path(str(archive.locate())), "r|gz") as tar:
        for member in tar:
            parts = member.name.split("/")  # package/lib/pubsub-topic/index.js
            if len(parts) < 4 or parts[1] != "lib" or parts[2] not in wanted or not parts[-1].endswith(".js"):
                continue
            stream = tar.extractfile(member) or io.BytesIO()
            mapped = SOURCE_MAP.search(stream.read().decode())
            if mapped:
                texts = json.loads(base64.b64decode(mapped[1])).get("sourcesContent") or []
                found[parts[2]] = "\n".join([found.get(parts[2], ""), *texts])
    return found


def read(resources: Iterable[str], data_sources: Iterable[str]) -> dict[str, Any]:
    """The schema of the provider, of these resources and of these data sources."""
    places = {folder_of(name): name for name in resources} | {folder_of(name, data=True): name for name in data_sources}
    texts = sources({"provider", *places})
    missing = sorted(places[place] for place in set(places) - set(texts))
    if missing:
        raise LookupError(f"{PACKAGE} has no {', '.join(missing)}")
    schema: dict[str, Any] = {"provider": provider_block(Module(texts["provider"])), "resources": {}, "data": {}}
    for place, name in sorted(places.items()):
        module = Module(texts[place])
        body = module.main("TerraformResource", "TerraformDataSource")
        if body is None:
            raise LookupError(f"{PACKAGE}: {name} has no class of its own")
        block = module.block(body, arguments(body[body.find("synthesizeHclAttributes") :]))
        schema["data" if place.startswith("data-") else "resources"][name] = block
    return schema


def cached(folder: Path, resources: Iterable[str], data_sources: Iterable[str]) -> Path:
    """A file with the schema, written once for a version of the package, of this module and of the list of types.

    Several processes may want it at once: each writes its own file and renames it, so a reader never sees half of one.
    """
    wanted = [sorted(resources), sorted(data_sources)]
    key = json.dumps([distribution(PACKAGE).version, wanted]).encode() + Path(__file__).read_bytes()
    path = folder / f"google-{hashlib.sha256(key).hexdigest()[:16]}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
        with os.fdopen(handle, "w") as file:
            json.dump(read(*wanted), file, sort_keys=True)
        Path(name).replace(path)
    return path


def main() -> None:
    """`python -m tests.terraform.schema google_pubsub_topic`: what a type accepts, for whoever writes Terraform."""
    json.dump(read(sys.argv[1:], ())["resources"], sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
