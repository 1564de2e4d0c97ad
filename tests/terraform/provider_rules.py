"""Keeps what the source of Google's provider asks of attributes, beyond its schema: `provider_rules.txt`, type by type.

`read_provider.py` writes that file. The rules are those of Terraform's plugin SDK (github.com/hashicorp/terraform-plugin-sdk,
helper/schema/schema.go): of a nested block they hold where the block is there.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.terraform.provider.values import UNKNOWN, Values, each, given

FILE = Path(__file__).with_name("provider_rules.txt")
SOURCE = "github.com/hashicorp/terraform-provider-google"
COMBINATIONS = ("ConflictsWith", "RequiredWith", "ExactlyOneOf", "AtLeastOneOf")
VALUES = ("ValidateFunc", "ValidateDiagFunc")
# Types whose source is put together from several files, or is not the resource's own: `resource_rules` has their rules.
WITHOUT = {
    "google_logging_project_sink", "google_logging_project_exclusion", "google_project_iam_audit_config",
    "google_project_service_identity",
}  # fmt: skip
# Checks that are functions of a type's own file; `resource_rules` keeps the same rule.
BY_HAND = {
    "ValidateWorkloadIdentityPoolId", "ValidateWorkloadIdentityPoolProviderId", "labelKeyValidator", "validateBigQueryTableSchema",
    "validateComposerEnvironmentEnvVariables", "validateComposerEnvironmentPypiPackages", "validateDatasetId",
    "validateDefaultTableExpirationMs", "validateHttpHeaders", "validateProjectServiceService",
    "validateKmsCryptoKeyRotationPeriod", "validateServiceAccountRelativeNameOrEmail", "validateComposerInternalIpv4CidrBlock",
    "func", "verify.ValidateRFC6996Asn", "validateRecordNameTrailingDot",
}  # fmt: skip
Said = Mapping[str, Any]


def with_rules(kind: str) -> bool:
    """Say whether the file has to hold a type; members of roles are all alike, and made by one function."""
    return kind not in WITHOUT and not kind.endswith("_iam_member")


@cache
def provider_rules() -> Mapping[str, Mapping[str, Said]]:
    """Return what the file says, by type and path."""
    found: dict[str, dict[str, Said]] = {}
    for line in FILE.read_text().splitlines():
        if not line.startswith("#"):
            kind, path, said = line.split(" ", 2)
            found.setdefault(kind, {})[path] = json.loads(said)
    return found


@cache
def fixed_paths(kind: str) -> tuple[str, ...]:
    """Return what cannot change in place."""
    return tuple(path for path, said in provider_rules().get(kind, {}).items() if said.get("ForceNew"))


def _json(value: Any) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _base64(value: Any) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _network(value: Any) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return "/" in value


_DURATION = r"-?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+"
_GCE = r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?"
# A check by its name in the source: the value, then what the check is called with.
CHECKS: Mapping[str, Callable[..., bool]] = {
    "validation.FloatAtLeast": lambda value, low: float(value) >= low,
    "validation.IntAtLeast": lambda value, low: value >= low,
    "validation.IntBetween": lambda value, low, high: low <= value <= high,
    "validation.IsCIDR": _network,
    "validation.StringInSlice": lambda value, allowed, loose: (
        value in allowed or (bool(loose) and value.lower() in map(str.lower, allowed))
    ),
    "validation.StringIsJSON": _json,
    "validation.StringLenBetween": lambda value, low, high: low <= len(value) <= high,
    "validation.StringIsNotEmpty": bool,
    "verify.OrEmpty": lambda value, inner: not value or holds(inner, value),
    "verify.ValidateBase64String": _base64,
    "verify.ValidateDuration": lambda value: bool(re.fullmatch(_DURATION, value)),
    "verify.ValidateNonNegativeDuration": lambda value: bool(re.fullmatch(_DURATION, value)) and value[0] != "-",
    "verify.ValidateEnum": lambda value, allowed: value in allowed,
    "verify.ValidateGCEName": lambda value: bool(re.fullmatch(_GCE, value)),
    "verify.ValidateIAMCustomRoleID": lambda value: bool(re.fullmatch(r"[a-zA-Z0-9_.]{3,64}", value)),
    "verify.ValidateIpCidrRange": _network,
    "verify.ValidateRFC1035Name": lambda value, low, high: (
        bool(re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", value)) and low <= len(value) <= high
    ),
    "verify.ValidateRegexp": lambda value, pattern: bool(re.search(pattern, value)),
}


def holds(check: list[Any], value: Any) -> bool:
    """Say whether a value passes a check of the source; one of `BY_HAND` is kept elsewhere."""
    name, *arguments = check
    return name in BY_HAND or CHECKS[name](value, *arguments)


def problems(kind: str, values: Values) -> Iterator[tuple[str, str]]:
    """Yield what the provider refuses before it plans: the attribute, and a sentence."""
    for path, said in provider_rules().get(kind, {}).items():
        above = path.rpartition(".")[0]
        if above and not given(values, above):
            continue
        yield from ((path, sentence) for sentence in _combination(path, said, values))
        for key in VALUES:
            for value in each(values, path) if key in said else ():
                if not holds(said[key], value):
                    yield path, f"{said[key][0]}: the provider refuses {value!r} for {path}: {said[key][1:]}"


def _combination(path: str, said: Said, values: Values) -> Iterator[str]:
    for other in said.get("ConflictsWith", ()) if given(values, path) else ():
        if given(values, other):
            yield f'"{path}": conflicts with {other}'
    missing = [other for other in said.get("RequiredWith", ()) if not given(values, other)]
    if missing and given(values, path):
        yield f'"{path}": all of `{",".join([path, *said["RequiredWith"]])}` must be specified'
    for key, most in (("ExactlyOneOf", 1), ("AtLeastOneOf", 99)):
        group = sorted({path, *said.get(key, ())}) if said.get(key) else []  # the SDK counts the attribute itself in
        if group and not 1 <= sum(given(values, name) for name in group) <= most:
            yield f'"{path}": {"one" if most == 1 else "at least one"} of `{",".join(group)}` must be specified'
    for block, number in _counts(path, values):
        if number > said.get("MaxItems", number) or number < said.get("MinItems", 0):
            yield f"{block}: {number} blocks, at least {said.get('MinItems', 0)} and at most {said.get('MaxItems', 'any')}"


def _counts(path: str, values: Values) -> Iterator[tuple[str, int]]:
    """Yield how many items stand in each place of a path; an empty block list that may be left out is none."""
    above, _, last = path.rpartition(".")
    for holder in each(values, above) if above else [values]:
        for one in holder if isinstance(holder, list) else [holder]:
            found = one.get(last) if isinstance(one, dict) else None
            if isinstance(found, list) and found and UNKNOWN not in found:
                yield path, len(found)
