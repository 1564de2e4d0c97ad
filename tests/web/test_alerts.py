"""What a server counts reaches the loop: a version whose predictions fail gives way, and nothing else moves it."""

from __future__ import annotations

from pathlib import Path

from mlspec.clock import utc_now
from tests.waiting import until
from tests.web.shop import ERRORS, SECOND, SHOPS, Shop, broken, serving

ONLINE = {"alerts": [ERRORS], "rollback": {"on": ["errors"], "cooldown": "1h"}}
CANARY = {"serve": "online", "rollout": {"strategy": "canary", "steps": [40, 100], "interval": "1h"}}
AT_ONCE = {"serve": "online", "rollout": {"strategy": "all-at-once"}}


def with_two_versions(folder: Path, deployment: dict[str, object]) -> tuple[Shop, str, str]:
    """A shop, its first version, and a second one that came in, two hours ago."""
    shop = Shop(folder, deployment=deployment, **ONLINE)
    shop.pass_time(hours=-2)
    shop.look()
    (first,) = shop.traffic
    shop.write(model=SECOND)
    shop.look()
    (second,) = set(shop.traffic) - {first}
    return shop, first, second


def asked(shop: Shop, before: str = "") -> list[int]:
    """Ask for each series eight times, of a server that then ends, and return the codes of the answers."""
    with serving(shop.root, before=before) as server:
        codes = [server.predict({"shop": name})[0] for name in SHOPS * 8]
        assert server.end() == 0
    return codes


def test_a_version_whose_predictions_fail_is_rolled_back_in_the_next_pass(tmp_path: Path) -> None:
    shop, first, second = with_two_versions(tmp_path, AT_ONCE)
    with serving(shop.root, before=broken(shop.model_of(second)), ready=False) as server:
        until(lambda: server.predict({"shop": "001"})[0] == 500)  # before it was loaded, it was not ready: 503
        assert {server.predict({"shop": name})[0] for name in SHOPS * 4} == {500}
        assert not server.ready()
        assert "this version cannot predict" in server.log
        assert server.end() == 0
    shop.now = utc_now()
    did = shop.look().actions
    assert any(line.startswith("rolled back: ") and "error_rate" in line for line in did), did
    assert shop.traffic == {first: 100}
    assert second in shop.target.observe_forecast("demand").ledger.quarantined_versions
    assert set(asked(shop, broken(shop.model_of(second)))) == {200}


def test_a_canary_is_judged_by_what_it_answered_itself(tmp_path: Path) -> None:
    shop, first, second = with_two_versions(tmp_path, CANARY)
    codes = asked(shop, broken(shop.model_of(second)))
    assert {code: codes.count(code) > 0 for code in (200, 500)} == {200: True, 500: True}
    own = {each.version: (each.requests, each.errors) for each in shop.target.load_request_counts("demand", "")}
    assert own[first][1] == 0
    assert own[second][0] == own[second][1] > 0
    shop.now = utc_now()
    shop.look()
    assert shop.traffic == {first: 100}
    assert "RolloutAborted" in {event.reason for event in shop.target.load_events("demand")}


def test_a_canary_that_answers_well_goes_on_and_one_that_nobody_asks_waits(tmp_path: Path) -> None:
    shop, _, second = with_two_versions(tmp_path, CANARY)
    shop.now = utc_now()
    shop.look()
    assert shop.traffic[second] == 40
    assert set(asked(shop)) == {200}
    shop.now = utc_now()
    shop.look()
    assert shop.traffic == {second: 100}
