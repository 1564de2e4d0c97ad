"""The pages of a new project are in Portuguese where the person's locale or the data file is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mlspec.plan.starting_language import WrittenForm, propose_language


def form(decimal: str = ",", date_format: str = "%d/%m/%Y", currency: str | None = None, *columns: str) -> WrittenForm:
    return WrittenForm(decimal, date_format, currency, columns or ("tag", "menge"))


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"LANG": "pt_BR.UTF-8"}, "LANG is pt_BR.UTF-8"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "pt_BR"}, "LC_ALL is pt_BR"),
        ({"LANG": "C", "LC_MESSAGES": "pt_PT@euro"}, "LC_MESSAGES is pt_PT@euro"),
        ({"LANG": "pt_BR.UTF-8", "LC_ALL": "en_US.UTF-8"}, None),
        ({"LANG": "pt_BR.UTF-8", "LC_ALL": ""}, "LANG is pt_BR.UTF-8"),  # an empty variable is none
        ({"LANG": "ptolemaic"}, None),
        ({}, None),
    ],
)
def test_a_locale_says_in_which_language_a_person_reads(environment: Mapping[str, str], reason: str | None) -> None:
    found = propose_language(environment, None)
    assert (found and found.reason) == reason
    assert found is None or (found.language, found.is_sure) == ("pt-BR", True)


@pytest.mark.parametrize(
    ("written", "is_sure"),
    [
        (form(), False),
        (form(",", "%d/%m/%Y", None, "Data", "Código da Loja"), True),
        (form(",", "%d/%m/%Y", None, "dia", "PREÇO"), True),
        (form(".", "iso", "R$"), True),
        (form(",", "iso"), None),
        (form(".", "%d/%m/%Y", None, "vendas"), None),
        (form(",", "%m/%d/%Y"), None),
    ],
)
def test_a_file_with_decimal_commas_and_days_first_is_portuguese_if_its_words_are(
    written: WrittenForm, is_sure: bool | None
) -> None:
    found = propose_language({"LANG": "C.UTF-8"}, written)
    assert (found and found.is_sure) == is_sure


def test_who_reads_another_language_is_not_offered_portuguese_for_decimal_commas_alone() -> None:
    assert propose_language({"LANG": "de_DE.UTF-8"}, form()) is None
    assert propose_language({"LANG": "en_GB.UTF-8"}, form()) is not None
