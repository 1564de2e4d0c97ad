"""The provider: one method for each call of Terraform."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from tests.terraform import provider_rules, references
from tests.terraform.provider.cloud import Cloud, Fault, Resource
from tests.terraform.provider.messages import message
from tests.terraform.provider.planning import Kind, Known, Settings, finish, plan, replacements
from tests.terraform.provider.values import UNKNOWN, Values, pack, unpack
from tests.terraform.rules import DataRules, Rules, api_problems, validation_problems

NESTING = {"single": 1, "list": 2, "set": 3}
DOING = {"create": "creating", "update": "updating", "delete": "deleting", "read": "reading"}

# Which class each call comes with.
REQUESTS = {
    "GetMetadata": "Empty",
    "GetSchema": "Empty",
    "PrepareProviderConfig": "PrepareRequest",
    "Configure": "ConfigureRequest",
    "ValidateResourceTypeConfig": "ValidateRequest",
    "ValidateDataSourceConfig": "ValidateRequest",
    "UpgradeResourceState": "UpgradeRequest",
    "ReadResource": "ReadRequest",
    "PlanResourceChange": "PlanRequest",
    "ApplyResourceChange": "ApplyRequest",
    "ImportResourceState": "ImportRequest",
    "ReadDataSource": "DataRequest",
    "Stop": "Empty",
}


def decode(value: Any) -> Any:
    if value.msgpack:
        return unpack(value.msgpack)
    return json.loads(value.json) if value.json else None


def encode(value: Any) -> Any:
    return message("DynamicValue", msgpack=pack(value))


def error(summary: str, attribute: str = "") -> Any:
    found = message("Diagnostic", severity=1, summary=summary)
    if attribute:
        found.attribute.steps.add(attribute_name=attribute.partition(".")[0])
    return found


def block_message(block: Mapping[str, Any], rules: Rules | None = None, path: str = "") -> Any:
    """A block of the schema as the protocol writes it."""
    sensitive = rules.sensitive if rules else ()
    write_only = rules.write_only if rules else ()
    result = message("Block")
    for name, attribute in sorted(block["attributes"].items()):
        result.attributes.add(
            name=name,
            type=json.dumps(attribute["type"]).encode(),
            sensitive=path + name in sensitive,
            write_only=path + name in write_only,
            **{flag: True for flag in ("required", "optional", "computed") if attribute.get(flag)},
        )
    for name, nested in sorted(block["block_types"].items()):
        result.block_types.add(
            type_name=name,
            block=block_message(nested["block"], rules, f"{path}{name}."),
            nesting=NESTING[nested["nesting_mode"]],
            min_items=nested.get("min_items", 0),
            max_items=nested.get("max_items", 0),
        )
    return result


class Refused(Exception):
    """Google's API, or the provider before it asks, says no."""


class ProviderSchema:
    """What a provider accepts. All clouds of a process share one: every run of Terraform asks for the whole of it."""

    def __init__(self, blocks: Mapping[str, Any], rules: Mapping[str, Rules]):
        self.kinds = {name: Kind(name, block, rules[name]) for name, block in blocks["resources"].items()}
        self.data: Mapping[str, Any] = blocks["data"]
        self._provider: Mapping[str, Any] = blocks["provider"]

    @cached_property
    def answer(self) -> bytes:
        """The whole of it, as the protocol writes it."""

        def entry(name: str, block: Any, rules: Rules | None = None) -> Any:
            return message("SchemaEntry", key=name, value=message("Schema", block=block_message(block, rules)))

        found = message(
            "SchemaResponse",
            provider=message("Schema", block=block_message(self._provider)),
            resources=[entry(name, kind.block, kind.rules) for name, kind in self.kinds.items()],
            data_sources=[entry(name, block) for name, block in self.data.items()],
            capabilities=message("Capabilities", get_provider_schema_optional=True),
        )
        return bytes(found.SerializeToString())


class Provider:
    """hashicorp/google, or google-beta: the same with a few more types."""

    def __init__(self, schema: ProviderSchema, data: Mapping[str, DataRules], cloud: Cloud):
        self.schema, self.cloud = schema, cloud
        self.kinds = schema.kinds
        self.data_rules = data
        self.settings = Settings()

    # What there is

    def GetMetadata(self, _request: Any) -> Any:  # noqa: N802  (the names of the methods are the protocol's)
        return message(
            "MetadataResponse",
            capabilities=message("Capabilities", get_provider_schema_optional=True),
            resources=[message("Named", type_name=name) for name in self.kinds],
            data_sources=[message("Named", type_name=name) for name in self.schema.data],
        )

    def GetSchema(self, _request: Any) -> bytes:  # noqa: N802
        return self.schema.answer

    def PrepareProviderConfig(self, request: Any) -> Any:  # noqa: N802
        return message("PrepareResponse", prepared_config=request.config)

    def Configure(self, request: Any) -> Any:  # noqa: N802
        self.settings = Settings(decode(request.config) or {})
        return message("Diagnostics")

    def ValidateResourceTypeConfig(self, request: Any) -> Any:  # noqa: N802
        values = decode(request.config) or {}
        kept = list(validation_problems(self.kinds[request.type_name].rules, values))
        found = {path for path, _ in kept}
        kept += [(path, said) for path, said in provider_rules.problems(request.type_name, values) if path not in found]
        return message("Diagnostics", diagnostics=[error(sentence, attribute) for attribute, sentence in kept])

    def ValidateDataSourceConfig(self, _request: Any) -> Any:  # noqa: N802
        return message("Diagnostics")

    # What Terraform remembers against what there is

    def UpgradeResourceState(self, request: Any) -> Any:  # noqa: N802
        return message("UpgradeResponse", upgraded_state=encode(json.loads(request.raw_state.json)))

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        kind, state = self.kinds[request.type_name], decode(request.current_state)
        fault = self.cloud.fault(kind.name, "read", state["id"])
        if fault:
            refused = error(f"Error when reading or editing {kind.noun} {state['id']!r}: {fault.error}")
            return message("ReadResponse", new_state=request.current_state, diagnostics=[refused])
        try:
            self.cloud.authorize("read", kind.name, state)
        except Refused as refused:
            summary = f"Error when reading or editing {kind.noun} {state['id']!r}: {refused}"
            return message("ReadResponse", new_state=request.current_state, diagnostics=[error(summary)])
        live = self.cloud.find(kind.name, state["id"])
        return message(
            "ReadResponse", new_state=encode(live and self.state(kind, live, state)), private=request.private
        )

    def ImportResourceState(self, request: Any) -> Any:  # noqa: N802
        kind, live = self.kinds[request.type_name], self.cloud.find(request.type_name, request.id)
        if live is None:
            return message(
                "ImportResponse", diagnostics=[error(f"Cannot import non-existent remote object {request.id}")]
            )
        found = message("Imported", type_name=kind.name, state=encode(self.state(kind, live, {})))
        return message("ImportResponse", imported=[found])

    @staticmethod
    def state(kind: Kind, live: Resource, before: Values) -> Values:
        """A resource of the cloud as the state has it: every attribute, and nothing that is only ever written."""
        blank: Values = dict.fromkeys(kind.block["attributes"])
        blank |= {
            name: None if nested["nesting_mode"] == "single" else []
            for name, nested in kind.block["block_types"].items()
        }
        hidden = dict.fromkeys(kind.rules.write_only)
        timeouts = {"timeouts": before["timeouts"]} if "timeouts" in before else {}
        return {**blank, **{name: value for name, value in live.values.items() if name in blank}, **hidden, **timeouts}

    def ReadDataSource(self, request: Any) -> Any:  # noqa: N802
        rules, block = self.data_rules[request.type_name], self.schema.data[request.type_name]
        config: Values = decode(request.config) or {}
        kind = Kind(request.type_name, block, Rules(id=rules.id, computed=rules.computed))
        facts = Known(kind, self.settings, config)
        id_ = facts.resolve(rules.id)
        live: Values = {}
        if rules.lives_in:
            found = self.cloud.find(rules.lives_in, id_)
            if found is None:
                return message("DataResponse", diagnostics=[error(f"{rules.lives_in} {id_!r} not found: Error 404")])
            live = found.values
        state = dict(config)
        for name in block["attributes"]:
            if state.get(name) is None:
                said = facts.resolve(rules.computed[name]) if name in rules.computed else live.get(name)
                state[name] = id_ if name == "id" else self.settings.get(name) if said is None else said
        return message("DataResponse", state=encode(state))

    # What Terraform wants

    def PlanResourceChange(self, request: Any) -> Any:  # noqa: N802
        kind, prior, proposed = self.kinds[request.type_name], decode(request.prior), decode(request.proposed)
        response = message("PlanResponse", private=request.private, legacy=True)
        if proposed is None:
            response.planned.CopyFrom(encode(None))
            return response
        planned = plan(kind, self.settings, prior, proposed)
        if kind.has("project") and planned.get("project") is UNKNOWN and self.settings.get("project") is None:
            response.diagnostics.append(error("Failed to retrieve project, err: project: required field is not set"))
        response.diagnostics.extend(error(sentence) for check in kind.rules.plan_checks for sentence in check(planned))
        if prior is not None:
            for name in replacements(kind, prior, planned):
                response.requires_replace.add().steps.add(attribute_name=name)
        response.planned.CopyFrom(encode(planned))
        return response

    def ApplyResourceChange(self, request: Any) -> Any:  # noqa: N802
        kind, prior, planned = self.kinds[request.type_name], decode(request.prior), decode(request.planned)
        operation = "delete" if planned is None else "create" if prior is None else "update"
        try:
            if planned is None:
                state, faults = self.delete(kind, prior), []
            else:
                state, faults = self.write(kind, operation, planned, decode(request.config) or {})
        except Refused as refused:
            text = str(refused)
            summary = text if text.startswith("cannot") else f"Error {DOING[operation]} {kind.noun}: {text}"
            return message("ApplyResponse", new_state=request.prior, diagnostics=[error(summary)], legacy=True)
        return message(
            "ApplyResponse", new_state=encode(state), private=request.private, diagnostics=faults, legacy=True
        )

    def write(self, kind: Kind, operation: Any, planned: Values, config: Values) -> tuple[Values | None, Iterable[Any]]:
        """Create or update; what is left in the state, and what went wrong although something was made."""
        with self.cloud.lock:
            values = finish(
                kind, self.settings, planned, exists=lambda id_: self.cloud.find(kind.name, id_) is not None
            )
            id_ = values["id"]
            live = self.cloud.find(kind.name, id_)
            fault = self.cloud.fault(kind.name, operation, id_)
            if fault and (fault.leaves == "nothing" or operation == "update"):
                raise Refused(fault.error)
            self.cloud.authorize(operation, kind.name, values)
            problems = api_problems(kind.rules, values)
            if problems:
                raise Refused(f"googleapi: Error 400: {'; '.join(problems)}, badRequest")
            if why := references.refusal(kind.name, operation, id_, values, self.cloud):
                raise Refused(why)
            if operation == "create" and live is not None and not kind.rules.adopts:
                raise Refused(
                    f"googleapi: Error 409: Resource already exists in the project (resource={id_})., alreadyExists"
                )
            if operation == "update" and live is None:
                raise Refused(f"googleapi: Error 404: {id_} not found., notFound")
            secret = {name: config.get(name) for name in kind.rules.write_only}
            stored = {name: value for name, value in {**values, **secret}.items() if name != "timeouts"}
            self.cloud.save(Resource(kind.name, id_, stored, live.contents if live else 0))
            self.cloud.note(operation, kind.name, id_)
        return (None if fault and fault.leaves == "orphan" else values), self.afterwards(kind, fault)

    @staticmethod
    def afterwards(kind: Kind, fault: Fault | None) -> list[Any]:
        return [error(f"Error waiting to create {kind.noun}: {fault.error}")] if fault else []

    def delete(self, kind: Kind, prior: Values) -> None:
        fault = self.cloud.fault(kind.name, "delete", prior["id"])
        if fault:
            raise Refused(fault.error)
        if prior.get("deletion_protection") is True:
            raise Refused(
                f"cannot destroy {kind.noun} without setting deletion_protection=false and running `terraform apply`"
            )
        if prior.get("deletion_policy") == "PREVENT":
            raise Refused(
                f'cannot destroy {kind.noun} without setting deletion_policy="DELETE" and running `terraform apply`'
            )
        self.cloud.authorize("delete", kind.name, prior)
        live = self.cloud.find(kind.name, prior["id"])
        if live is None or prior.get("deletion_policy") == "ABANDON" or kind.rules.stays:
            return
        if live.contents and kind.rules.held and not prior.get(kind.rules.freed_by or ""):
            raise Refused(kind.rules.held.format(id=live.id))
        self.cloud.remove(live)
        self.cloud.note("delete", kind.name, live.id)

    def Stop(self, _request: Any) -> Any:  # noqa: N802
        return message("StopResponse")
