"""Hints that name the nearest word: of a column that two fields name, and of a series that is not there."""

from __future__ import annotations

from mlspec.spec.faults import did_you_mean_column, hint_on_series

KNOWN = {"Loja": ["Moema", "São Paulo", "Moema"], "Produto": ["Café 500g", "Açúcar 1kg", "Café 500g"]}


def test_a_column_that_is_named_unlike_elsewhere_is_told_with_that_place() -> None:
    """The misspelt name may be the other one: a target 'Venda' must not make somebody rename the check of 'Vendas'."""
    said = did_you_mean_column("Vendas", {"Venda": "dataset.target", "Preço": "dataset.covariates.known"})
    assert said == "did you mean 'Venda', as in dataset.target? If 'Vendas' is right, correct it there"
    assert did_you_mean_column("x", {"Venda": "dataset.target"}) == "known: Venda"


def test_a_series_is_found_without_its_accents_and_capitals() -> None:
    assert hint_on_series({"Produto": "cafe 500g"}, KNOWN, "vendas") == "did you mean Produto=Café 500g?"
    assert hint_on_series({"Loja": "sao paulo", "Produto": "Café 500g"}, KNOWN, "v") == "did you mean Loja=São Paulo?"


def test_two_columns_in_one_option_are_told_apart() -> None:
    assert "--series of its own" in hint_on_series({"Loja": "Moema,Produto=Café 500g"}, KNOWN, "vendas")


def test_series_that_are_far_from_all_names_are_looked_up_in_the_list() -> None:
    where = "`mlspec forecast vendas --output csv` prints all series"
    assert hint_on_series({"Loja": "Recife"}, KNOWN, "vendas") == where
    assert hint_on_series({"Loja": "Moema", "Produto": "Café 500g"}, KNOWN, "vendas") == where
