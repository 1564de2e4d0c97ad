"""What every page has: its language and clocks, its style and scripts, and a policy that allows nothing else.

A page is either a file that needs nothing but a browser, or a page of the server. Both come from one set of templates.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from mlspec.assets import asset_folder
from mlspec.render.environment import jinja_environment
from mlspec.render.reader import Language, Reader
from mlspec.spec.metrics import Metric

# The files of pages, by the name in an address.
ASSETS = {
    "pages.css": "pages.css",
    "pages.js": "pages.js",
    "uplot.css": "vendor/uplot.css",
    "uplot.js": "vendor/uplot.js",
}
# A page of the server loads from the server alone, and runs and shows nothing that stands in the page itself.
LIVE_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a page: its address, its text, and the language of the page behind it if that is another one."""

    address: str
    text: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class PageFrame:
    """The part of a page that is not its content. `kept` are parameters of its address that a form keeps."""

    language: Language
    zone: str
    live: bool = False
    at: str = ""
    alerts: int = 0
    utc: bool = False
    switches: Sequence[Link] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)
    policy: str = ""


def file_frame(reader: Reader, *, with_scripts: bool = True) -> PageFrame:
    """Return the frame of a page that is one file: everything stands in it, and its policy allows exactly that."""
    texts = {name: asset_text(name) for name in ASSETS if with_scripts or name == "pages.css"}
    scripts, styles = (
        " ".join(_digest(text) for name, text in texts.items() if name.endswith(ending)) or "'none'"
        for ending in (".js", ".css")
    )
    policy = f"default-src 'none'; script-src {scripts}; style-src {styles}; base-uri 'none'; form-action 'none'"
    # Our own files, which hold no text of a user.
    assets = {name: Markup(text) for name, text in texts.items()}  # noqa: S704
    return PageFrame(reader.language, reader.zone, assets=assets, policy=policy)


def live_frame(reader: Reader, **parts: Any) -> PageFrame:
    """Return the frame of a page of the server. The address of a file changes with its content, so that it may be kept."""
    addresses = {name: f"/assets/{name}?{asset_version(name)}" for name in ASSETS}
    return PageFrame(reader.language, reader.zone, live=True, assets=addresses, **parts)


def render_page(template: str, frame: PageFrame, reader: Reader, **facts: Any) -> str:
    """Return a page from its template, with the functions that write in the reader's own form."""
    return jinja_environment().get_template(f"pages/{template}.html.j2").render(
        page=frame,
        say=reader.say,
        number=reader.number,
        whole=reader.whole,
        percent=reader.percent,
        signed=reader.signed,
        period=reader.period,
        moment=reader.moment,
        span=reader.span,
        figure=lambda metrics, metric: metric_figure(reader, metrics, metric),
        **facts,
    )  # fmt: skip


def metric_figure(reader: Reader, metrics: Mapping[str, float | None], metric: Metric) -> str:
    """Return a metric's figure for a table; a dash where the metrics that were recorded have none."""
    value = metrics.get(metric.name)
    return reader.percent(value) if metric.unit == "share" else reader.number(value)


def json_block(value: Any) -> Markup:
    """Return JSON for a script element that is data: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704


@lru_cache(maxsize=8)
def asset_text(name: str) -> str:
    """Return a file of the pages. Raises KeyError if there is none of that name."""
    return (asset_folder("templates") / "pages" / ASSETS[name]).read_text(encoding="utf-8")


@lru_cache(maxsize=8)
def asset_version(name: str) -> str:
    """Return a short digest of a file of the pages."""
    return hashlib.sha256(asset_text(name).encode()).hexdigest()[:12]


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
