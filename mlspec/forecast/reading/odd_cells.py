"""What people write into a cell in place of a number or a date, and what to do about it. None of it is read as a value."""

from __future__ import annotations

import re

_TOTAL = re.compile(r"(?:sub|grand)?[ -]?(?:total|totais|suma|soma|sum|summe|gesamt)\b.*", re.IGNORECASE | re.DOTALL)
_FORMULA_ERROR = re.compile(r"#(?:DIV/0|REF|VALUE|VALOR|NAME|NOME|NUM|NULL|NULO|CALC|SPILL)[!?]?", re.IGNORECASE)
_ABSENT = frozenset({"n/d", "nd", "n.d.", "s/d", "s/n", "n/i", "(null)", "\\n", "?", "...", "…", "tbd", "k.a."})
_DASHES = frozenset({"-", "--", "–", "—"})
_WITH_UNIT = re.compile(r"[-+]?[0-9][0-9.,' \u00a0\u202f]*(?P<unit>[^\W\d_]{1,12}\.?)")
_WITH_PERCENT = re.compile(r"[-+]?[0-9][0-9.,]*[ \u00a0\u202f]*%")
# Signs and codes of currencies that files are looked through for. Another one can be named.
CURRENCIES = (
    "R$",
    "US$",
    "$",
    "€",
    "£",
    "¥",
    "BRL",
    "EUR",
    "USD",
    "GBP",
    "CHF",
    "MXN",
    "ARS",
    "CLP",
    "COP",
    "zł",
    "kr",
)
_WITH_CURRENCY = re.compile(
    r"[-+(]?\s*(?:(?P<before>{0})\s*[-+]?[0-9].*|[-+]?[0-9.,' \u00a0\u202f]+?\s*(?P<behind>{0})[-)]?)".format(
        "|".join(map(re.escape, CURRENCIES))
    ),
    re.DOTALL,
)


def find_currency(text: str) -> str | None:
    """Return the currency that stands beside the digits of a text, or None."""
    match = _WITH_CURRENCY.fullmatch(text.strip())
    return match and (match["before"] or match["behind"])


def explain_total(text: str) -> str | None:
    """Return what is wrong with a cell that labels a total, or None."""
    return "labels a total: remove this row from the file" if _TOTAL.fullmatch(text.strip()) else None


def explain_odd_number(text: str) -> str | None:
    """Return what a cell holds that stands where a number belongs, and what to do; None if nobody knows."""
    text = text.strip()
    currency = find_currency(text)
    if currency is not None:
        return f'is an amount of money: write currency: "{currency}" in dataset.source'
    if _FORMULA_ERROR.fullmatch(text):
        return "is the error of a formula: correct the formula, or leave the cell empty"
    if text in _DASHES:
        return "is a dash, not a number: write 0, or leave the cell empty where nobody knows the value"
    if text.lower() in _ABSENT:
        return "is not a number: leave the cell empty where nobody knows the value"
    if _WITH_PERCENT.fullmatch(text):
        return "is a percentage, not a number: remove the sign %"
    unit = _WITH_UNIT.fullmatch(text)
    return f"is a number with '{unit['unit']}' behind it: remove that" if unit else explain_total(text)
