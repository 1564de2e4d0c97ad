"""Write `fields.txt` anew: what Google's API definitions say of single fields, for the methods of `methods.py`.

The installed clients are generated from the same definitions and lose this: proto-plus keeps no options of fields. By hand, where
grpcio-tools is installed, in a checkout of github.com/googleapis/googleapis:

    python -m grpc_tools.protoc -I. --include_imports --descriptor_set_out=all.pb $(git ls-files '*/aiplatform/v1/*.proto' ...)
    python -m tests.gcp.standin.rules.read_protos all.pb COMMIT
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.api import field_behavior_pb2 as behavior
from google.api import resource_pb2
from google.protobuf import descriptor_pb2

from tests.gcp.standin.rules.fields import FILE
from tests.gcp.standin.rules.methods import METHODS

_HEAD = """\
# What Google's API definitions say of single fields (google.api.field_behavior, google.api.resource), and of nothing else.
# Source: github.com/googleapis/googleapis at {commit}. Written by `python -m tests.gcp.standin.rules.read_protos`.
# method NAME REQUEST / field MESSAGE FIELD BEHAVIORS [>TYPE: a name of this type, ^TYPE: of a parent of it] / resource TYPE PATTERN
"""
_NESTED = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE


class Definitions:
    """The messages, methods and resources of a set of files."""

    def __init__(self, found: Any) -> None:
        self.messages: dict[str, Any] = {}
        self.methods: dict[str, str] = {}
        self.patterns: dict[str, list[str]] = {}
        for file in found.file:
            for one in file.options.Extensions[resource_pb2.resource_definition]:
                self.patterns.setdefault(one.type, []).extend(one.pattern)
            for message in file.message_type:
                self._add(file.package, message)
            for service in file.service:
                for method in service.method:
                    self.methods[f"{file.package}.{service.name}.{method.name}"] = method.input_type[1:]

    def _add(self, above: str, message: Any) -> None:
        name = f"{above}.{message.name}"
        self.messages[name] = message
        resource = message.options.Extensions[resource_pb2.resource]
        if resource.type:
            self.patterns.setdefault(resource.type, []).extend(resource.pattern)
        for nested in message.nested_type:
            self._add(name, nested)

    def below(self, name: str, seen: set[str]) -> None:
        """Add the names of all messages that one may hold."""
        if name in self.messages and name not in seen:
            seen.add(name)
            for field in self.messages[name].field:
                if field.type == _NESTED:
                    self.below(field.type_name[1:], seen)


def lines(found: Definitions) -> Iterator[str]:
    """Yield the lines of the file."""
    seen: set[str] = set()
    types: set[str] = set()
    for name in sorted(METHODS.keys() & found.methods.keys()):
        yield f"method {name} {found.methods[name]}"
        found.below(found.methods[name], seen)
    for name in sorted(seen):
        for field in found.messages[name].field:
            kinds = [
                behavior.FieldBehavior.Name(each)
                for each in field.options.Extensions[behavior.field_behavior]
                if each not in (behavior.OPTIONAL, behavior.UNORDERED_LIST)
            ]
            reference = field.options.Extensions[resource_pb2.resource_reference]
            kind = reference.type or reference.child_type
            known = kind in found.patterns and "*" not in found.patterns[kind]
            if kinds or known:
                types |= {kind} if known else set()
                name_of = f" {'>' if reference.type else '^'}{kind}" if known else ""
                yield f"field {name} {field.name} {','.join(sorted(kinds)) or '-'}{name_of}"
    for kind in sorted(types & found.patterns.keys()):
        for pattern in dict.fromkeys(found.patterns[kind]):
            yield f"resource {kind} {pattern}"


def main(definitions: str, commit: str) -> None:
    """Write the file."""
    found = Definitions(descriptor_pb2.FileDescriptorSet.FromString(Path(definitions).read_bytes()))
    FILE.write_text(_HEAD.format(commit=commit) + "".join(f"{line}\n" for line in lines(found)))


if __name__ == "__main__":
    main(*sys.argv[1:])
