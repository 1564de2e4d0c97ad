"""`mlspec check-model`: tries a model of the project's own on the project's data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.project import find_root, load_specs
from mlspec.cli.table import format_table
from mlspec.cli.target import open_here
from mlspec.clock import utc_now
from mlspec.errors import Exit, UsageError
from mlspec.spec import LoadedSpecs, ResolvedSpec
from mlspec.spec.candidates import Custom
from mlspec.spec.digest import resolved_json
from mlspec.spec.metrics import MAIN
from mlspec.temporary_folder import temporary_folder


@click.command(short_help="Try a model of your own on the project's data, in seconds.")
@click.argument("model", metavar="CLASS")
@click.argument("name", required=False, shell_complete=complete_names)
@options.target
@options.output("text", "json")
def command(model: str, name: str | None, target: str, output: str) -> int:
    """Fit, save, load and forecast with a model of your own, twice, on ten series of a forecast's data and one window.

    CLASS is as in a spec: module:Class of a file of the project, or the name of an entry point. NAME is a forecast; the one that
    lists CLASS, or the only one, if left out. The parameters are those of its candidate with this class. Nothing is recorded.
    """
    loaded = load_specs([Path("specs")], target)
    spec = _choose_spec(loaded, model, name)
    trial = _try_on_target(spec, model, target)
    if output == "json":
        click.echo(json.dumps({"forecast": spec.name, **trial.facts}, indent=2, allow_nan=False))
    else:
        _print_trial(spec.name, trial.facts)
    return Exit.DONE if trial.ok else Exit.FAILED


def _choose_spec(loaded: LoadedSpecs, model: str, name: str | None) -> ResolvedSpec:
    specs = loaded.specs
    if name is not None:
        specs = tuple(spec for spec in specs if spec.name == name)
    elif len(specs) > 1:
        specs = tuple(spec for spec in specs if _find_custom(spec, model) is not None) or specs
    if len(specs) == 1:
        return specs[0]
    known = ", ".join(spec.name for spec in loaded.specs[:10]) or "none"
    if not specs:
        raise UsageError(
            f"there is no valid spec of '{name or 'any forecast'}'; there is: {known}", hint="mlspec validate"
        )
    raise UsageError(f"several forecasts could be meant: {known}", hint=f"name one: mlspec check-model {model} NAME")


def _find_custom(spec: ResolvedSpec, model: str) -> Custom | None:
    candidates = spec.forecast.model.candidates
    listed = () if isinstance(candidates, str) else candidates
    return next((each for each in listed if isinstance(each, Custom) and each.class_ == model), None)


def _try_on_target(spec: ResolvedSpec, model: str, target: str) -> Any:
    from mlspec.jobs import require_models

    require_models()
    from mlspec.jobs.model_check import try_model

    candidate = _find_custom(spec, model) or _as_candidate(model)
    root, opened = find_root(), open_here(target)
    with temporary_folder() as folder:
        local_spec, base = opened.fetch_source(spec.forecast, root, folder)
        return try_model(local_spec, resolved_json(local_spec), candidate, root, base, utc_now().isoformat())


def _as_candidate(model: str) -> Custom:
    from pydantic import ValidationError

    try:
        return Custom.model_validate({"kind": "custom", "class": model})
    except ValidationError as error:
        raise UsageError(
            f"'{printable(model[:80])}' is no class",
            hint="write module:Class, such as models.promo:PromoModel, or an entry point",
        ) from error


def _print_trial(name: str, facts: dict[str, Any]) -> None:
    shown = f"{facts['series']} series of {name}, {facts['periods']:,} periods, forecast from {facts['cutoff']}"
    click.echo(f"{printable(facts['place'])} on {printable(shown)}")
    click.echo(
        format_table(
            ("step", "ok", "seconds"),
            [(s["name"], "yes" if s["ok"] else "no", s["seconds"]) for s in facts["steps"]],
            indent=2,
        )
    )
    if facts["error"]:
        click.echo(f"no: {printable(facts['error'])}")
        return
    code = facts["package"] or ", ".join(facts["files"])
    saved = facts["saved"]
    click.echo(f"  its code: {printable(code)} (sha256 {facts['digest'][:10]})")
    click.echo(f"  saved: {saved['bytes']:,} bytes in {saved['files']} file{'s' if saved['files'] != 1 else ''}")
    click.echo(f"  quantiles of its own: {', '.join(facts['quantiles']) or 'none, so past errors give them'}")
    if facts["score"] is not None:
        other = facts["score_of_seasonal_naive"]
        click.echo(f"  {MAIN.title} of this window: {facts['score']:.1%}; seasonal-naive {other:.1%}")
    click.echo("yes: it fits, saves, loads and forecasts, and twice the same")
