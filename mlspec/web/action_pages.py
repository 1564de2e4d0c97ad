"""The forms of actions, and what carries them out: routes that exist only where a server allows actions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlspec.errors import MlspecError, UsageError
from mlspec.render.action_page import render_action
from mlspec.render.fleet_page import render_problem
from mlspec.render.page_frame import live_frame
from mlspec.web.actions import ACTIONS, ActionRunner, read_form, read_order
from mlspec.web.form_token import FormTokens
from mlspec.web.page_source import PageSource
from mlspec.web.pages import html_response, read_wish
from mlspec.web.problem import ClientError


def action_routes(source: PageSource, run: ActionRunner, language: str | None = None) -> list[Route]:
    """Return the routes of the actions, which `run` carries out."""
    pages = _ActionPages(source, run, language, FormTokens())
    path = "/forecasts/{name}/actions/{action}"
    return [Route(path, pages.form, methods=["GET"]), Route(path, pages.act, methods=["POST"])]


@dataclass(frozen=True, slots=True)
class _ActionPages:
    """A form and its answer, for every action."""

    source: PageSource
    run: ActionRunner
    language: str | None
    tokens: FormTokens

    async def form(self, request: Request) -> Response:
        """Answer with the form, and its token."""
        return await run_sync(self._form_page, request)

    async def act(self, request: Request) -> Response:
        """Carry out what a form asks for."""
        self._find_action(request)
        fields = await read_form(request)
        return await run_sync(partial(self._result_page, request, fields))

    def _form_page(self, request: Request) -> Response:
        name, action = self._find_action(request)
        wish = read_wish(request, self.language)
        frame = live_frame(wish.reader, kept=wish.kept)
        alerts = self.source.alert_names(name) if action == "silence" else ()
        token = self.tokens.make(_subject(name, action), self.source.clock())
        page = render_action(name, action, frame, wish.reader, token=token, alerts=alerts, suffix=wish.suffix)
        return html_response(page, wish.reader)

    def _result_page(self, request: Request, fields: dict[str, str]) -> Response:
        name, action = self._find_action(request)
        wish = read_wish(request, self.language)
        frame = live_frame(wish.reader, kept=wish.kept)
        if not self.tokens.is_valid(fields.get("token", ""), _subject(name, action), self.source.clock()):
            raise ClientError("the form is older than an hour, or not this server's: open it again", 403)
        try:
            done = self.run(read_order(name, action, fields))
        except MlspecError as error:
            page = render_problem(error.message, error.hint or "", frame, wish.reader, suffix=wish.suffix)
            return html_response(page, wish.reader, 400 if isinstance(error, UsageError) else 409)
        page = render_action(name, action, frame, wish.reader, done=done, suffix=wish.suffix)
        return html_response(page, wish.reader)

    def _find_action(self, request: Request) -> tuple[str, str]:
        """Return the forecast and the action of a path. Raises ClientError if there is no such thing."""
        name, action = request.path_params["name"], request.path_params["action"]
        if action not in ACTIONS or name not in self.source.names():
            raise ClientError("there is no such action", 404)
        return name, action


def _subject(name: str, action: str) -> str:
    return f"{action}\n{name}"
