"""The forms of actions, and what carries them out: routes that exist only where a server allows actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlspec.engine.rollback_preview import RollbackPreview
from mlspec.errors import MlspecError, UsageError
from mlspec.render.action_page import (
    ACTION_TEXTS,
    ActionForm,
    RollbackPart,
    ServedSide,
    render_action_done,
    render_action_form,
)
from mlspec.render.fleet_page import render_problem
from mlspec.render.page_frame import PageFrame, live_frame
from mlspec.web.actions import ACTIONS, ActionRunner, read_form, read_order
from mlspec.web.change_facts import change_part
from mlspec.web.form_token import FormTokens
from mlspec.web.page_answers import PageWish, error_status, html_response, read_wish
from mlspec.web.page_source import PageSource
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
    limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    async def form(self, request: Request) -> Response:
        """Answer with the form, and its token. That of a rollback has computed what would change: one at a time."""
        try:
            name, action = self._find_action(request)
        except ClientError as error:
            return self._refusal_page(request, error)
        return await run_sync(partial(self._form_page, request, name, action), limiter=self.limiter)

    async def act(self, request: Request) -> Response:
        """Carry out what a form asks for."""
        try:
            self._find_action(request)
            fields = await read_form(request)
            return await run_sync(partial(self._result_page, request, fields))
        except ClientError as error:
            return self._refusal_page(request, error)

    def _refusal_page(self, request: Request, error: ClientError) -> Response:
        """Return the page that says why a form was not accepted: a person reads it, in a browser."""
        name, action = request.path_params["name"], request.path_params["action"]
        wish = read_wish(request, self.language)
        frame = live_frame(wish.reader, kept=wish.kept)
        known = {"title": ACTION_TEXTS[action][0], "forecast": name} if self._is_action(name, action) else {}
        page = render_problem(error.message, "", frame, wish.reader, suffix=wish.suffix, **known)
        answer = html_response(page, wish.reader, error.code)
        answer.headers.update(error.headers)
        return answer

    def _form_page(self, request: Request, name: str, action: str) -> Response:
        wish = read_wish(request, self.language)
        frame = live_frame(wish.reader, kept=wish.kept)
        token = self.tokens.make(_subject(name, action), self.source.clock())
        alerts = self.source.alert_names(name) if action == "silence" else ()
        try:
            preview = self._preview(request, name) if action == "rollback" else None
        except MlspecError as error:
            return _problem_page(error, frame, wish, name, action)
        form = ActionForm(token, alerts, preview)
        page = render_action_form(name, action, form, frame, wish.reader, suffix=wish.suffix)
        return html_response(page, wish.reader)

    def _preview(self, request: Request, name: str) -> RollbackPart:
        text = request.query_params.get("to", "")
        if text and not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise UsageError(f"'{text[:20]}' is no number of a release", hint="choose one in the form")
        return rollback_part(self.run.preview_rollback(name, int(text) if text else None))

    def _result_page(self, request: Request, fields: dict[str, str]) -> Response:
        name, action = self._find_action(request)
        wish = read_wish(request, self.language)
        frame = live_frame(wish.reader, kept=wish.kept)
        if not self.tokens.is_valid(fields.get("token", ""), _subject(name, action), self.source.clock()):
            raise ClientError("the form is older than an hour, or not this server's: open it again", 403)
        try:
            done = self.run.carry_out(read_order(name, action, fields))
        except MlspecError as error:
            return _problem_page(error, frame, wish, name, action)
        page = render_action_done(
            name, action, done.sentence, frame, wish.reader, is_over=done.is_over, suffix=wish.suffix
        )
        return html_response(page, wish.reader, 200 if done.is_over else 202)

    def _find_action(self, request: Request) -> tuple[str, str]:
        """Return the forecast and the action of a path. Raises ClientError if there is no such thing."""
        name, action = request.path_params["name"], request.path_params["action"]
        if not self._is_action(name, action):
            raise ClientError("there is no such action", 404)
        return name, action

    def _is_action(self, name: str, action: str) -> bool:
        return action in ACTIONS and name in self.source.names()


def _subject(name: str, action: str) -> str:
    return f"{action}\n{name}"


def _problem_page(error: MlspecError, frame: PageFrame, wish: PageWish, name: str, action: str) -> Response:
    page = render_problem(
        error.message,
        error.hint or "",
        frame,
        wish.reader,
        suffix=wish.suffix,
        title=ACTION_TEXTS[action][0],
        forecast=name,
    )
    return html_response(page, wish.reader, error_status(error))


def rollback_part(preview: RollbackPreview) -> RollbackPart:
    """Return what the form shows of a preview."""
    changes = change_part(preview.series, preview.changes) if preview.changes else None
    before = ServedSide(preview.serves, preview.serving_release, preview.serving.candidate, preview.serving.metrics)
    after = ServedSide(
        preview.version.version, preview.release.release, preview.version.candidate, preview.version.metrics
    )
    releases = [(release.release, release.version) for release in preview.releases]
    return RollbackPart(before, after, releases, preview.meaning, changes, preview.problem)
