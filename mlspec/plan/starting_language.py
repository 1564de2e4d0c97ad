"""Proposes the language of a new project's pages: Portuguese, where the person's locale or the data is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PORTUGUESE = "pt-BR"
# Names of columns that are Portuguese and of no other language that is written with decimal commas, without accents.
_WORDS = frozenset(
    [
        "cidade",
        "cidades",
        "descricao",
        "estoque",
        "faturamento",
        "loja",
        "lojas",
        "preco",
        "produto",
        "produtos",
        "promocao",
        "qtd",
        "qtde",
        "quantidade",
        "receita",
        "regiao",
        "venda",
        "vendas",
    ]
)
_NEUTRAL = ("", "C", "POSIX", "en")  # languages of a locale that tell nothing of the person's own
_REAL = ("R$", "BRL")


@dataclass(frozen=True, slots=True)
class LanguageProposal:
    """A language for `language` in mlspec.yaml, and why. `is_sure`: it is written, else it stands there as a comment."""

    language: str
    reason: str
    is_sure: bool

    @property
    def sentence(self) -> str:
        """What is said of it in mlspec.yaml."""
        if self.is_sure:
            return f"The language of pages and reports: {self.reason}."
        return f"The file has {self.reason}. Without the # before the next line, pages and reports are in Portuguese."


@dataclass(frozen=True, slots=True)
class WrittenForm:
    """How a data file is written: keys of `dataset.source`, and the names of its columns."""

    decimal: str
    date_format: str
    currency: str | None
    columns: tuple[str, ...]


def propose_language(environment: Mapping[str, str], form: WrittenForm | None) -> LanguageProposal | None:
    """Return the language that a new project's pages should have; None for English.

    `environment` has the variables of the locale, `form` is how the data file is written, if there is one. Decimal commas and days
    before months alone may be of another language, so that they are no more than a comment.
    """
    variable, locale = _messages_locale(environment)
    tongue = re.split("[_.@-]", locale)[0]
    if tongue == "pt":
        return LanguageProposal(PORTUGUESE, f"{variable} is {locale}", is_sure=True)
    if form is None:
        return None
    if form.currency in _REAL:
        return LanguageProposal(PORTUGUESE, f"the amounts are in {form.currency}", is_sure=True)
    if form.decimal != "," or not form.date_format.startswith("%d"):
        return None
    word = next((name for name in form.columns if _WORDS.intersection(_plain_words(name))), None)
    if word is not None:
        return LanguageProposal(PORTUGUESE, f"decimal commas, days before months, and the column {word}", is_sure=True)
    reason = "decimal commas and days before months"
    return LanguageProposal(PORTUGUESE, reason, is_sure=False) if tongue in _NEUTRAL else None


def _messages_locale(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that says in which language a person reads, and its value (POSIX.1-2017, 8.2)."""
    named = ((name, environment.get(name, "")) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next(((name, value) for name, value in named if value), ("", ""))


def _plain_words(name: str) -> Iterable[str]:
    """Return the words of a column's name, in small letters and without accents."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.split("[^a-z]+", plain)
