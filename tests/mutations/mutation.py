"""One rule of the package, and how it is broken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule, the `file` of the package and the text `old` in it, what stands there instead, and the tests that have to notice."""

    rule: str
    file: str
    old: str
    new: str
    named: str

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests that have to notice, as pytest takes them."""
        return tuple(self.named.split())
