"""The messages of Terraform's plugin protocol 5, as far as they are used here.

Written as a table, not generated: field numbers are the protocol's own (tfplugin5.proto), names are shortened, and a
message with the same fields as another shares its class. On the wire only the numbers count.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# Message: field=number type, ...   (a * repeats the field)
TABLE = """
DynamicValue: msgpack=1 bytes, json=2 bytes
Step: attribute_name=1 string, element_key_string=2 string, element_key_int=3 int64
AttributePath: steps=1 Step*
Diagnostic: severity=1 int32, summary=2 string, detail=3 string, attribute=4 AttributePath
RawState: json=1 bytes
Attribute: name=1 string, type=2 bytes, required=4 bool, optional=5 bool, computed=6 bool, sensitive=7 bool, write_only=10 bool
NestedBlock: type_name=1 string, block=2 Block, nesting=3 int32, min_items=4 int64, max_items=5 int64
Block: version=1 int64, attributes=2 Attribute*, block_types=3 NestedBlock*
Schema: version=1 int64, block=2 Block
Capabilities: plan_destroy=1 bool, get_provider_schema_optional=2 bool
SchemaEntry: key=1 string, value=2 Schema
Empty:
Named: type_name=1 string
MetadataResponse: capabilities=1 Capabilities, diagnostics=2 Diagnostic*, data_sources=3 Named*, resources=4 Named*
SchemaResponse: provider=1 Schema, resources=2 SchemaEntry*, data_sources=3 SchemaEntry*, capabilities=6 Capabilities
PrepareRequest: config=1 DynamicValue
PrepareResponse: prepared_config=1 DynamicValue, diagnostics=2 Diagnostic*
UpgradeRequest: type_name=1 string, version=2 int64, raw_state=3 RawState
UpgradeResponse: upgraded_state=1 DynamicValue, diagnostics=2 Diagnostic*
ValidateRequest: type_name=1 string, config=2 DynamicValue
Diagnostics: diagnostics=1 Diagnostic*
ConfigureRequest: terraform_version=1 string, config=2 DynamicValue
ReadRequest: type_name=1 string, current_state=2 DynamicValue, private=3 bytes
ReadResponse: new_state=1 DynamicValue, diagnostics=2 Diagnostic*, private=3 bytes
PlanRequest: type_name=1 string, prior=2 DynamicValue, proposed=3 DynamicValue, config=4 DynamicValue, private=5 bytes
PlanResponse: planned=1 DynamicValue, requires_replace=2 AttributePath*, private=3 bytes, diagnostics=4 Diagnostic*, legacy=5 bool
ApplyRequest: type_name=1 string, prior=2 DynamicValue, planned=3 DynamicValue, config=4 DynamicValue, private=5 bytes
ApplyResponse: new_state=1 DynamicValue, private=2 bytes, diagnostics=3 Diagnostic*, legacy=4 bool
ImportRequest: type_name=1 string, id=2 string
Imported: type_name=1 string, state=2 DynamicValue, private=3 bytes
ImportResponse: imported=1 Imported*, diagnostics=2 Diagnostic*
DataRequest: type_name=1 string, config=2 DynamicValue
DataResponse: state=1 DynamicValue, diagnostics=2 Diagnostic*
StopResponse: error=1 string
"""


def build() -> dict[str, Any]:
    """A class for each line of the table."""
    file = descriptor_pb2.FileDescriptorProto(name="plugin.proto", package="plugin", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for line in TABLE.split("\n"):
        name, _, fields = line.partition(":")
        if not name:
            continue
        message = file.message_type.add(name=name)
        for text in filter(None, (part.strip() for part in fields.split(","))):
            left, kind = text.split(" ")
            field_name, number = left.split("=")
            label = kinds.LABEL_REPEATED if kind.endswith("*") else kinds.LABEL_OPTIONAL
            field = message.field.add(name=field_name, number=int(number), label=label)
            kind = kind.rstrip("*")
            if kind[0].islower():
                field.type = getattr(kinds, f"TYPE_{kind.upper()}")
            else:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".plugin.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"plugin.{message.name}"))
        for message in file.message_type
    }


MESSAGES = build()


def message(name: str, **fields: Any) -> Any:
    """A message of the table."""
    return MESSAGES[name](**fields)
