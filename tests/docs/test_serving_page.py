"""The answer on the page about serving is what the server says of the forecast of the README."""

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
from tests.web.shop import serving

PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")


@pytest.mark.no_cover
@pytest.mark.xdist_group("docs README.md")
def test_the_answer_that_the_page_shows_is_the_servers(play: Callable[[str], Ended]) -> None:
    asked = re.search(r"^curl .*?:(?:8080)(\S+) \\\n(.*)$", PAGE, re.MULTILINE)
    (shown,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert asked
    folder, names = play("README.md")
    names = replace(names, exact=False)  # the page rounds, whatever `ACCEPT` asks of sessions
    with serving(folder, "demand") as server:
        body = shlex.split(asked[2])[1].encode()
        status, _, answer = server.ask("POST", asked[1], body, content_type="application/json")
    assert status == 200
    shown, answer = (json.dumps(json.loads(text)) for text in (shown, answer))
    assert holds(shown, answer, names, utc_now()), f"the page shows {shown}, and the server answered {answer}"
