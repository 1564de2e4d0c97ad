"""The answers on the page about serving are what the server says of the forecast of the README."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace

import pytest

from mlspec.clock import utc_now
from tests.docs.conftest import Ended
from tests.docs.figures import holds
from tests.docs.sessions import ROOT
from tests.web.shop import Server, serving

PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
# A request that the page shows, and the answer below it.
PAIRS = re.findall(r"^(curl (?:(?!^```).)*?)^```\n\n```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
# What is another one in each answer.
_OWN = re.compile(r'(?<="id": ")[^"]*|(?<="created_at": )[0-9]+')


@pytest.mark.no_cover
@pytest.mark.xdist_group("docs README.md")
def test_the_answers_that_the_page_shows_are_the_servers(play: Callable[[str], Ended]) -> None:
    folder, names = play("README.md")
    names = replace(names, exact=False)  # the page rounds, whatever `ACCEPT` asks of sessions
    assert len(PAIRS) == 2
    with serving(folder, "demand") as server:
        answers = [ask(server, command) for command, _ in PAIRS]
    for (_, shown), answer in zip(PAIRS, answers, strict=True):
        ours, theirs = (_OWN.sub("", json.dumps(json.loads(text))) for text in (shown, answer))
        assert holds(ours, theirs, names, utc_now()), f"the page shows {ours}, and the server answered {theirs}"


def ask(server: Server, command: str) -> bytes:
    """Send the request of a curl command to a server, and return the answer."""
    words = shlex.split(command)
    (address,) = (word for word in words if word.startswith("localhost:8080"))
    body = words[words.index("-d") + 1].encode()
    status, _, answer = server.ask(
        "POST", address.removeprefix("localhost:8080"), body, content_type="application/json"
    )
    assert status == 200, answer
    return answer
