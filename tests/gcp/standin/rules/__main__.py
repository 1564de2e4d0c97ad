"""Print what was checked, as a table: each method, its reference, and what Google refuses."""

from __future__ import annotations

from tests.gcp.standin.rules import fields, json_limits, kept, limits
from tests.gcp.standin.rules.methods import METHODS


def rules_of(method: str) -> list[tuple[str, str]]:
    """Return the rules of a method beyond single fields, in words and with their sources."""
    rows = [*limits.LIMITS, *json_limits.LIMITS, *kept.KEPT]
    return [(row.says, row.source) for row in rows if method in row.methods]


def main() -> None:
    """Print the table."""
    print("| method | reference | refused beyond single fields |\n| --- | --- | --- |")
    for method, reference in sorted(METHODS.items()):
        request = fields.facts().requests.get(method, "")
        page = f"{reference}, {request.rpartition('.')[2]}" if request else reference
        print(f"| `{method}` | {page} | {'; '.join(f'{says} ({source})' for says, source in rules_of(method))} |")


if __name__ == "__main__":
    main()
