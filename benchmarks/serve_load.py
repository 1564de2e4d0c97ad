"""An hour of load on `mlspec serve` at 80 % of its limit, while releases change and the processes that predict are killed.

Run: python benchmarks/serve_load.py --seconds 3600. Applies a small project with the real pipeline, serves it in its own process,
measures how many requests a second it answers at most, and then sends 80 % of that, in both contracts. Meanwhile another process
changes the data, trains versions, steps rollouts and rolls back; and some processes that compute predictions are killed.

An answer is wrong if one of its series differs in version, cutoff or a value from the batch forecasts of all releases that may have
served when it was asked. A release may be answered from until LAG seconds after the next one has replaced it: the server looks for
changes every second, and then predicts. Answers with an error are not wrong ones, and are counted by their status.

Exits 1 if an answer is wrong, or if an error other than those of a killed version (500) occurs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.examples import sales  # noqa: E402  (the tests' shop is beside the package)
from tests.web.shop import SHOPS, Shop, mlspec, serving  # noqa: E402

SHARE = 0.8  # of the limit
PROBE_SECONDS, PROBE_CONNECTIONS, CONNECTIONS = 10.0, 8, 64
PAUSE = 10.0  # seconds between two changes
LAG = 60.0
KILLED = 0.3  # share of the processes that predict
FIRST_DAYS = 42  # the example's history
CANARY = {"rollout": {"strategy": "canary", "steps": [50, 100], "interval": "1h"}}
KINDS: tuple[list[dict[str, Any]], ...] = (
    [{"kind": "croston"}],
    [{"kind": "seasonal-naive", "season": 7}],
    [{"kind": "theta", "season": 7}],
)
Row = tuple[str, str, tuple[float, ...]]  # version, cutoff, the values of all periods
Answered = Mapping[str, Row]  # by series


@dataclass(frozen=True)
class ReleaseState:
    """The batch forecast between two changes. `began` is when the change began that made it, `ended` when that was over."""

    began: float
    ended: float
    rows: Answered


# --- the process that changes releases


def change_releases(folder: Path, pipe: Connection) -> None:
    """Make the project, and change it between two words from the pipe. Sends a ReleaseState at first and after each change."""
    shop = Shop(folder, deployment=CANARY)
    began = time.monotonic()
    shop.look()
    number = 0
    with suppress(BrokenPipeError, EOFError):
        pipe.send(ReleaseState(began, time.monotonic(), batch_rows(shop)))
        pipe.recv()
        while not pipe.poll(PAUSE):
            number += 1
            began = time.monotonic()
            make_change(shop, number)
            pipe.send(ReleaseState(began, time.monotonic(), batch_rows(shop)))


def make_change(shop: Shop, number: int) -> None:
    """Change what serves: new data, a version in a canary, its next step, or a rollback in its place, in turns."""
    turn, round_ = number % 3, number // 3
    if turn == 0:
        (shop.root / "data/sales.csv").write_text(sales(days=FIRST_DAYS + round_, shops=SHOPS))
    elif turn == 1:
        shop.write(model={"candidates": KINDS[round_ % len(KINDS)], "seed": number})
    elif round_ % 4 == 3:
        done = mlspec(shop.root, "rollback", "demand", "--reason", "an exercise")
        assert done.returncode == 0, done.stderr
    shop.pass_time(hours=2)
    shop.look()


def batch_rows(shop: Shop) -> Answered:
    """Return the newest batch forecast by series."""
    found: dict[str, tuple[str, str, list[float]]] = {}
    for row in shop.forecast():
        values = [round(float(row[name]), 6) for name in ("mean", "q0.1", "q0.5", "q0.9")]
        found.setdefault(row["shop"], (row["version"], row["cutoff"], []))[2].extend(values)
    return {shop_name: (version, cutoff, tuple(values)) for shop_name, (version, cutoff, values) in found.items()}


# --- the judge


@dataclass
class Judge:
    """Counts answers; one that no known release explains is kept until the next release is known."""

    states: list[ReleaseState]
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    waiting: deque[tuple[float, float, Answered]] = field(default_factory=deque)
    longest_lag: float = 0.0

    def take(self, status: int, body: bytes, started: float, ended: float) -> None:
        """Judge one answer."""
        self.statuses[status] += 1
        if status == 200:
            rows = dict(read_rows(json.loads(body)))
            if not self.explains(rows, started, ended):
                self.waiting.append((started, ended, rows))

    def add(self, state: ReleaseState) -> None:
        """Take the batch forecast after another change, and judge anew what could not be explained."""
        self.states.append(state)
        again, self.waiting = self.waiting, deque()
        for started, ended, rows in again:
            if self.explains(rows, started, ended):
                continue
            if ended < state.began:
                self.wrong.append(f"{started:.1f}: {rows}")
            else:
                self.waiting.append((started, ended, rows))

    def finish(self) -> None:
        """Count as wrong what no release has explained. Every change is known now."""
        self.wrong += [f"{started:.1f}: {rows}" for started, _, rows in self.waiting]

    def explains(self, rows: Answered, started: float, ended: float) -> bool:
        """Return whether every series is answered as by a release that may have served then."""
        return all(self._explains_row(series, row, started, ended) for series, row in rows.items())

    def _explains_row(self, series: str, row: Row, started: float, ended: float) -> bool:
        replaced = float("inf")
        for state in reversed(self.states):
            if started > replaced + LAG:
                return False
            if state.began <= ended and state.rows[series] == row:
                self.longest_lag = max(self.longest_lag, started - replaced)
                return True
            replaced = state.ended
        return False


def refuse_blind_judge(judge: Judge) -> None:
    """Raise AssertionError unless the judge tells a right answer from those with another value, version or series."""
    (state,) = judge.states
    (one, (version, cutoff, values)), (other, _), *_ = state.rows.items()
    at = state.ended
    assert judge.explains({one: (version, cutoff, values)}, at, at)
    assert not judge.explains({one: (version, cutoff, (values[0] + 0.001, *values[1:]))}, at, at)
    assert not judge.explains({one: ("v0", cutoff, values)}, at, at)
    assert not judge.explains({other: (version, cutoff, values)}, at, at)


def read_rows(answer: Any) -> Iterator[tuple[str, Row]]:
    """Return the forecasts of an answer in either contract."""
    for one in answer.get("predictions", ()):
        values = [round(period[name], 6) for period in one["forecast"] for name in ("mean", "q0.1", "q0.5", "q0.9")]
        yield one["shop"], (one["version"], one["cutoff"], tuple(values))
    for output in answer.get("outputs", ()):
        (one,) = output["content"]
        columns = (one["mean_forecast"], *(one["quantiles"][quantile] for quantile in ("0.1", "0.5", "0.9")))
        values = [round(value, 6) for period in zip(*columns, strict=True) for value in period]
        yield one["name"], (one["version"], one["cutoff"], tuple(values))


# --- the load


def requests() -> tuple[bytes, ...]:
    """Return the requests that are sent in turns: one series in each contract, and all of them."""
    one, last = SHOPS[1], SHOPS[-1]
    named = {"type": "univariate_time_series", "name": last, "series": [], "frequency": "D"}
    options = {"horizon": 2, "quantiles": [0.1, 0.5, 0.9]}
    return (
        _post("/v1/models/demand:predict", {"instances": [{"shop": one}]}),
        _post("/v1/timeseries/forecast", {"model": "demand", "inputs": [named], "options": options}),
        _post("/v1/models/demand:predict", {"instances": [{"shop": shop} for shop in SHOPS]}),
    )


def _post(path: str, value: Any) -> bytes:
    body = json.dumps(value).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class LoadClient:
    """Sends requests on kept connections. One that the server closed, as it was idle, is opened anew and counted."""

    def __init__(self, port: int) -> None:
        self._port, self._idle, self.broken = port, list[tuple[asyncio.StreamReader, asyncio.StreamWriter]](), 0

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Return status and body."""
        while True:
            reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                body = await reader.readexactly(length)
            except (OSError, asyncio.IncompleteReadError):
                self.broken += 1
                writer.close()
                continue
            self._idle.append((reader, writer))
            return int(head.split(b" ", 2)[1]), body


async def find_limit(client: LoadClient) -> float:
    """Return how many requests a second are answered where each of a few connections asks again at once."""
    until, answered = time.monotonic() + PROBE_SECONDS, 0

    async def ask_again_and_again(first: int) -> None:
        nonlocal answered
        while time.monotonic() < until:
            status, body = await client.ask(requests()[(first + answered) % 3])
            assert status == 200, body
            answered += 1

    await asyncio.gather(*(ask_again_and_again(number) for number in range(PROBE_CONNECTIONS)))
    return answered / PROBE_SECONDS


async def send_load(
    client: LoadClient, judge: Judge, rate: float, seconds: float, pipe: Connection, server_pid: int
) -> tuple[list[float], int]:
    """Send at a constant rate, whatever the answers take. Returns the latencies from the planned moments, and what was killed."""
    latencies: list[float] = []
    bodies, places = requests(), asyncio.Semaphore(CONNECTIONS)
    start, killed = time.monotonic(), [0]
    helpers = [asyncio.create_task(read_states(judge, pipe)), asyncio.create_task(kill_workers(server_pid, killed))]

    async def ask_once(number: int, planned: float) -> None:
        async with places:
            began = time.monotonic()
            status, body = await client.ask(bodies[number % len(bodies)])
        ended = time.monotonic()
        latencies.append(ended - planned)
        judge.take(status, body, began, ended)

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            planned = start + number / rate
            if (pause := planned - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            group.create_task(ask_once(number, planned))
    for helper in helpers:
        helper.cancel()
    return latencies, killed[0]


async def read_states(judge: Judge, pipe: Connection) -> None:
    """Give the judge each batch forecast as soon as it is known."""
    while True:
        while pipe.poll():
            judge.add(pipe.recv())
        await asyncio.sleep(0.2)


async def kill_workers(server_pid: int, killed: list[int]) -> None:
    """Kill some of the processes that compute predictions: the children of the server's children."""
    seen: set[int] = set()
    chance = random.Random(7)
    while True:
        for worker in [worker for child in _children(server_pid) for worker in _children(child) if worker not in seen]:
            seen.add(worker)
            if chance.random() < KILLED:
                await asyncio.sleep(chance.uniform(0.0, 0.3))
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
                    killed[0] += 1
        await asyncio.sleep(0.05)


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    return []


def main() -> int:
    """Measure, print, and return 1 where an answer was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long the load lasts")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        own, theirs = multiprocessing.Pipe()
        changer = multiprocessing.get_context("spawn").Process(target=change_releases, args=(Path(folder), theirs))
        changer.start()
        theirs.close()
        judge = Judge([own.recv()])
        refuse_blind_judge(judge)
        with serving(Path(folder) / "shop", "demand") as server:
            client = LoadClient(server.port)
            limit = asyncio.run(find_limit(client))
            client = LoadClient(server.port)
            own.send("begin")
            print(
                f"the limit is {limit:.0f} requests a second; sending {SHARE * limit:.0f} for {seconds:.0f} s",
                flush=True,
            )
            latencies, killed = asyncio.run(send_load(client, judge, SHARE * limit, seconds, own, server.process.pid))
            lost = sum("ended with -9" in line and "failed a request" not in line for line in server.log.splitlines())
        own.send("end")
        with suppress(EOFError, ConnectionResetError):
            while True:
                judge.add(own.recv())
        changer.join()
    return print_result(judge, client, latencies, killed, lost)


def print_result(judge: Judge, client: LoadClient, latencies: list[float], killed: int, lost: int) -> int:
    """Print the figures, and return 1 unless all answers were right."""
    judge.finish()
    cuts = statistics.quantiles(latencies, n=1000)
    shown = [cuts[499], cuts[989], cuts[998], max(latencies)]
    statuses = ", ".join(f"{count:,} x {status}" for status, count in sorted(judge.statuses.items()))
    versions = {row[0] for state in judge.states for row in state.rows.values()}
    print(f"{len(latencies):,} answers ({statuses}); {client.broken} idle connections opened anew")
    print(f"{len(judge.states) - 1} changes of the release, {len(versions)} versions")
    print(f"{killed} processes killed while they predicted; {lost} times the second try was killed too")
    print(
        "latency in ms: median {:.0f}, 99 % {:.0f}, 99.9 % {:.0f}, longest {:.0f}".format(*(1e3 * cut for cut in shown))
    )
    print(f"a release was answered from until {max(judge.longest_lag, 0.0):.1f} s after the next one had replaced it")
    print(f"{'ok  ' if not judge.wrong else 'MISS'} {len(judge.wrong)} wrong answers")
    for text in judge.wrong[:3]:
        print(text[:300])
    return int(bool(judge.wrong) or bool(set(judge.statuses) - {200, 500}))


if __name__ == "__main__":
    sys.exit(main())
