"""The server's end: what is under way is finished, what was counted is kept, and what is said is words."""

from __future__ import annotations

import json
import signal
import socket
import threading
from pathlib import Path

import pytest

from mlspec.errors import Exit
from mlspec.web.server import open_socket
from tests.waiting import PATIENCE, until
from tests.web.shop import SHOPS, Shop, serving

pytestmark = pytest.mark.xdist_group("serve-end")  # one shop
BODY = json.dumps({"instances": [{"shop": "001"}]}).encode()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    found = Shop(tmp_path_factory.mktemp("end"))
    found.look()
    return found


def counted(shop: Shop) -> tuple[int, int, int]:
    """Requests, errors and answers by latency, in all."""
    found = shop.target.load_request_counts("demand", "")
    return (
        sum(each.requests for each in found),
        sum(each.errors for each in found),
        sum(sum(each.took) for each in found),
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_and_every_request_is_on_record(shop: Shop, number: signal.Signals) -> None:
    requests_before, errors_before, _ = counted(shop)
    with serving(shop.root) as server:

        def ask() -> None:
            for name in SHOPS:
                assert server.predict({"shop": name})[0] == 200

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert server.predict({"shop": "nowhere"})[0] == 400
        assert server.end(number) == 0
        assert f"ended by {number.name}" in server.log
    requests, errors, took = counted(shop)
    assert (requests - requests_before, errors - errors_before, took) == (4 * len(SHOPS), 0, requests)


def test_a_second_ctrl_c_drops_the_running_requests_and_its_exit_code_says_so(shop: Shop) -> None:
    with serving(shop.root) as server, socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
        head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
        client.sendall(head.encode() + BODY[:5])
        assert server.ask("GET", "/healthz")[0] == 200  # by now the head of the other was read
        server.process.send_signal(signal.SIGINT)
        until(lambda: refuses(server.port))
        assert server.end(signal.SIGINT) == Exit.INTERRUPTED
        assert "ended by" not in server.log


def test_a_request_under_way_is_finished_and_no_new_one_is_taken(shop: Shop) -> None:
    with serving(shop.root) as server, socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
        head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
        client.sendall(head.encode() + BODY[:5])
        assert server.ask("GET", "/healthz")[0] == 200  # by now the head of the other was read
        server.process.terminate()
        until(lambda: refuses(server.port))
        client.sendall(BODY[5:])
        got = b"".join(iter(lambda: client.recv(65536), b""))
        assert got.startswith(b"HTTP/1.1 200")
        assert server.process.wait(PATIENCE) == 0


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionError:
        return True
    return False


def test_a_minute_that_is_over_is_on_record_while_the_server_runs(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.look()
    clock = (
        "import mlspec.cli.target as t\nimport itertools, datetime\n"
        "ticks = itertools.count()\n"
        "t.timestamp = lambda: (datetime.datetime(2024, 3, 1) + datetime.timedelta(seconds=20 * next(ticks))).isoformat() + 'Z'"
    )
    with serving(shop.root, before=clock) as server:
        assert server.predict({"shop": "001"})[0] == 200
        until(lambda: counted(shop)[0] == 1)
        server.process.kill()


def test_what_the_state_does_not_take_is_kept_and_handed_on_later(shop: Shop) -> None:
    before = counted(shop)[0]
    fails = """
from mlspec.errors import StateError
from mlspec.targets.local.target import LocalTarget
from mlspec.web import counts

counts._minute_start = lambda at: at  # every second is a minute
real, left = LocalTarget.add_request_counts, [2]
def add_request_counts(self, minutes):
    left[0] -= 1
    if left[0] >= 0:
        raise StateError('the disk is full')
    real(self, minutes)
LocalTarget.add_request_counts = add_request_counts
"""
    with serving(shop.root, before=fails) as server:
        assert server.predict({"shop": "001"})[0] == 200
        until(lambda: counted(shop)[0] == before + 1)
        assert server.log.count("the disk is full") == 1
        assert server.end() == 0


def test_no_answer_waits_for_an_acknowledgement_of_its_head() -> None:
    with (
        open_socket("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as taken,
    ):
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
