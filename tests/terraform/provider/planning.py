"""What the provider knows while it plans, and what it makes up when it applies."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.terraform import provider_rules
from tests.terraform.provider.values import UNKNOWN, Values, same
from tests.terraform.rules import Rules, Template

ATTRIBUTION = "goog-terraform-provisioned"


def project_number(project: str) -> int:
    """The number that a project would have: always the same for the same id, always twelve digits."""
    return 10**11 + int(hashlib.sha256(project.encode()).hexdigest(), 16) % (9 * 10**11)


@dataclass
class Settings:
    """The provider's own configuration."""

    values: Values = field(default_factory=dict)

    def get(self, name: str) -> Any:
        value = self.values.get(name)
        return None if value is UNKNOWN else value


@dataclass(frozen=True)
class Kind:
    """A type: its schema and its rules."""

    name: str
    block: Mapping[str, Any]
    rules: Rules

    @property
    def noun(self) -> str:
        return "".join(word.title() for word in self.name.removeprefix("google_").split("_"))

    def has(self, attribute: str) -> bool:
        return attribute in self.block["attributes"]


def plan(kind: Kind, settings: Settings, prior: Values | None, proposed: Values) -> Values:
    """The planned state: defaults, what is computed already, and the rest unknown."""
    planned = dict(proposed)
    for path, default in kind.rules.defaults.items():
        put_default(planned, path.split("."), default)
    for name in kind.rules.kept:
        if not planned.get(name):
            planned[name] = UNKNOWN if prior is None else prior.get(name)
    for name in kind.rules.write_only:
        planned[name] = None
    planned = unknowns(kind.block, planned, prior, fresh=prior is None)
    for name, value in surroundings(kind, settings):
        if planned.get(name) is UNKNOWN and value is not None:
            planned[name] = value
    labels(kind, settings, prior, planned)
    facts = Known(kind, settings, planned)
    for name, template in kind.rules.planned.items():
        if planned.get(name) is UNKNOWN:
            planned[name] = facts.resolve(template)
    return planned


def put_default(value: Any, steps: list[str], default: Any) -> None:
    if isinstance(value, list):
        for element in value:
            put_default(element, steps, default)
    elif isinstance(value, dict) and len(steps) > 1:
        put_default(value.get(steps[0]), steps[1:], default)
    elif isinstance(value, dict) and value.get(steps[0]) is None:
        value[steps[0]] = default


def unknowns(block: Mapping[str, Any], values: Any, prior: Any, *, fresh: bool) -> Any:
    """What the configuration leaves to the service becomes unknown where there is no value from before."""
    if not isinstance(values, dict):
        return values
    result = dict(values)
    for name, attribute in block["attributes"].items():
        if result.get(name) is None and attribute.get("computed") and fresh:
            result[name] = UNKNOWN
    for name, nested in block["block_types"].items():
        elements = result.get(name)
        if not isinstance(elements, list):
            continue
        # Core has carried values over into a list by place, and into a set by likeness: what is null there is new.
        before = (prior or {}).get(name) or [] if nested["nesting_mode"] == "list" else []
        before = before if isinstance(before, list) else []
        result[name] = [
            unknowns(
                nested["block"], element, before[place] if place < len(before) else None, fresh=place >= len(before)
            )
            for place, element in enumerate(elements)
        ]
    return result


def surroundings(kind: Kind, settings: Settings) -> Iterable[tuple[str, Any]]:
    """What comes from the provider's own configuration when a resource does not say it."""
    yield "project", settings.get("project")
    yield "deletion_policy", settings.get("deletion_policy") or "DELETE"
    for name in ("region", "location", "zone"):
        if kind.has(name):
            yield name, settings.get(name) or settings.get("region")


def labels(kind: Kind, settings: Settings, prior: Values | None, planned: Values) -> None:
    """Labels of the resource over the provider's default ones; labels that others set are left alone."""
    before = prior or {}
    if kind.has("terraform_labels"):
        own = planned.get("labels") or {}
        known = own is not UNKNOWN and UNKNOWN not in own.values()
        mine = {**(settings.get("default_labels") or {}), **own} if known else {}
        wanted = settings.get("add_terraform_attribution_label") is not False
        proactive = settings.get("terraform_attribution_label_addition_strategy") == "PROACTIVE"
        if wanted and (prior is None or proactive or ATTRIBUTION in (before.get("terraform_labels") or {})):
            mine[ATTRIBUTION] = "true"
        planned["terraform_labels"] = mine if known else UNKNOWN
        planned["effective_labels"] = others(before, "labels") | mine if known else UNKNOWN
    if kind.has("effective_annotations"):
        own = planned.get("annotations") or {}
        planned["effective_annotations"] = UNKNOWN if own is UNKNOWN else {**own}


def others(before: Values, what: str) -> Values:
    mine = before.get(f"terraform_{what}") or {}
    return {key: value for key, value in (before.get(f"effective_{what}") or {}).items() if key not in mine}


def replacements(kind: Kind, prior: Values, planned: Values) -> list[str]:
    """The attributes whose change needs a new resource."""
    found = []
    for path in ("project", *kind.rules.force_new, *provider_rules.fixed_paths(kind.name)):
        top = path.partition(".")[0]
        old, new = prior.get(top), planned.get(top)
        if same(old, new):
            continue
        if top == path or new is UNKNOWN or leaves(old, path) != leaves(new, path):
            found.append(top)
    for name, too_much in kind.rules.force_new_if.items():
        old, new = prior.get(name), planned.get(name)
        if old != new and (new is UNKNOWN or too_much(old, new)):
            found.append(name)
    return list(dict.fromkeys(found))


def leaves(value: Any, path: str) -> list[Any]:
    rest = path.partition(".")[2].split(".")

    def walk(item: Any, steps: list[str]) -> list[Any]:
        if isinstance(item, list) and steps:
            return [leaf for element in item for leaf in walk(element, steps)]
        if steps and isinstance(item, dict):
            return walk(item.get(steps[0]), steps[1:])
        return [item] if item else []

    return walk(value, rest)


class Known:
    """Looks names up in a resource, for the templates of the rules."""

    def __init__(self, kind: Kind, settings: Settings, values: Values, extra: Mapping[str, Any] | None = None):
        self.kind, self.settings, self.values, self.extra = kind, settings, values, extra or {}

    def __call__(self, name: str) -> Any:
        if name in self.extra:
            return self.extra[name]
        value = self.values.get(name)
        if value is None or value is UNKNOWN:
            template = self.kind.rules.planned.get(name, self.kind.rules.computed.get(name))
            if template is not None:
                return self.resolve(template)
            if name == "id":
                return self.resolve(self.kind.rules.id)
        if name == "number":
            project = self("project")
            return UNKNOWN if project is UNKNOWN else project_number(str(project))
        if value is None and name in ("project", "region", "location", "zone"):
            return self.settings.get(name) or (None if name == "project" else self.settings.get("region"))
        return value

    def resolve(self, template: Template | Any) -> Any:
        """The value of a template; unknown as long as one part is."""
        if callable(template):
            return template(self)
        if not isinstance(template, str):
            return template
        parts = {whole: self(name) for whole, name in re.findall(r"(\{(\w+)(?:\|last)?\})", template)}
        if UNKNOWN in parts.values():
            return UNKNOWN
        text = template
        for whole, value in parts.items():
            word = "" if value is None else str(value)
            text = text.replace(whole, word.rpartition("/")[2] if whole.endswith("|last}") else word)
        return text


def finish(kind: Kind, settings: Settings, planned: Values, *, exists: Callable[[str], bool]) -> Values:
    """A planned resource as the service would answer it: nothing unknown is left, and it has an id."""
    ordinal = 1
    while True:
        facts = Known(kind, settings, planned, made_up(kind, planned, ordinal))
        values = filled(kind.block, planned, facts, kind.rules)
        if planned.get("id") in (None, UNKNOWN):
            values["id"] = Known(kind, settings, values, facts.extra).resolve(kind.rules.id)
        if not kind.rules.server_named or planned.get("id") not in (None, UNKNOWN) or not exists(values["id"]):
            return values
        ordinal += 1


def made_up(kind: Kind, planned: Values, ordinal: int) -> Values:
    """What a service makes up: numbers that depend on the resource alone, so that two runs agree."""
    known = json.dumps(planned, sort_keys=True, default=str)
    digest = hashlib.sha256(f"{kind.name} {known} {ordinal}".encode()).hexdigest()
    return {
        "serial": str(10**18 + int(digest, 16) % (8 * 10**18)),
        "uuid": f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}",
        "hash": digest[:10],
        "ordinal": str(ordinal),
        "now": "2026-01-01T00:00:00Z",  # nothing may depend on when a test runs
    }


def filled(block: Mapping[str, Any], values: Values, facts: Known, rules: Rules, path: str = "") -> Values:
    """A block without unknowns."""
    result = dict(values)
    for name, attribute in block["attributes"].items():
        if result.get(name) is UNKNOWN and not (name == "id" and not path):
            result[name] = answer(path + name, attribute["type"], facts, rules)
    for name, nested in block["block_types"].items():
        elements = result.get(name)
        if elements is UNKNOWN:
            inner = nested["block"]["attributes"].items()
            blank = {key: UNKNOWN if inside.get("computed") else None for key, inside in inner}
            blank |= {key: [] for key in nested["block"]["block_types"]}
            elements = [{**blank, **element} for element in rules.kept.get(name, [])]
        if isinstance(elements, list):
            result[name] = [filled(nested["block"], element, facts, rules, f"{path}{name}.") for element in elements]
    return result


def answer(path: str, kind: Any, facts: Known, rules: Rules) -> Any:
    """What the service says for a computed attribute: by its rules, or something that shows where it comes from."""
    template = rules.planned.get(path, rules.computed.get(path))
    if template is not None:
        return facts.resolve(template)
    name = path.rpartition(".")[2]
    if kind == "string":
        return facts("now") if name.endswith(("_time", "_timestamp", "time_created", "updated")) else f"computed-{name}"
    if isinstance(kind, list):
        return {} if kind[0] == "map" else []
    return {"number": 0, "bool": False}.get(kind, "")
