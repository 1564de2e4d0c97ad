"""State that cannot be used, as it is newer, older or edited by hand, is refused with a hint."""

from __future__ import annotations

import pytest

from mlspec.errors import StateError
from mlspec.state.ledger import Ledger
from mlspec.state.observed import ObservedResource, Settlement
from mlspec.state.resource import Resource
from mlspec.targets.contract.fixtures import StorePlace, run_statements
from mlspec.targets.contract.nouns import T, event, version, write
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.record.schema import SCHEMA_VERSION


def test_a_newer_state_is_refused_with_the_way_out(target: LocalTarget, place: StorePlace) -> None:
    write(target)
    run_statements(place, f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE key = 'schema_version'")
    for use in (lambda: target.serial, lambda: write(target), target.migrate_schema):
        with pytest.raises(StateError, match="newer mlspec") as caught:
            use()
        assert caught.value.hint == "install a newer mlspec: see 'Install' in mlspec's README"


def made_older(place: StorePlace, target: LocalTarget) -> None:
    """Leave a state as schema 1 had it, with one version and one event."""
    target.record_settlement(Settlement("demand", version=version(), events=(event(),)), T)
    tables = ("ledgers", "outbox", "served")
    run_statements(
        place, *(f"DROP TABLE {table}" for table in tables), "UPDATE meta SET value = '1' WHERE key = 'schema_version'"
    )


def test_an_older_state_is_refused_then_upgraded_and_keeps_every_record(target: LocalTarget, place: StorePlace) -> None:
    made_older(place, target)
    for use in (lambda: target.load_versions("demand"), lambda: write(target)):
        with pytest.raises(StateError, match="older mlspec") as caught:
            use()
        assert "`mlspec migrate`" in (caught.value.hint or "")
    assert target.migrate_schema()
    assert (target.load_versions("demand"), target.load_events("demand"), target.serial) == (
        (version(),),
        (event(),),
        2,
    )
    target.record_settlement(Settlement("demand", ledger=Ledger(evaluated="x")), T)
    assert target.observe_forecast("demand").ledger.evaluated == "x"
    assert target.migrate_schema() is None


@pytest.mark.parametrize("edit", [
    "UPDATE resources SET facts = 'x'", "UPDATE ledgers SET record = '{'", "DROP TABLE ledgers",
    "DELETE FROM meta WHERE key = 'schema_version'", "UPDATE meta SET value = 'two' WHERE key = 'schema_version'",
])  # fmt: skip
def test_a_state_that_was_edited_by_hand_is_refused_in_words(target: LocalTarget, place: StorePlace, edit: str) -> None:
    target.record_settlement(
        Settlement("demand", resource=ObservedResource(Resource("data", "demand", {})), ledger=Ledger()), T
    )
    run_statements(place, edit)
    with pytest.raises(StateError) as caught:
        target.observe_forecast("demand")
    assert caught.value.hint
