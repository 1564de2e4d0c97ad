"""The rules by the package that they are of: a rule of `mlspec/plan/…` stands in `plan.py`."""

from __future__ import annotations

from tests.mutations.mutation import Mutation
from tests.mutations.rules import (
    api,
    cli,
    engine,
    forecast,
    jobs,
    models,
    plan,
    render,
    spec,
    state,
    targets,
    top_level,
    web,
)

MUTATIONS: tuple[Mutation, ...] = tuple(
    mutation
    for rules in (api, cli, engine, forecast, jobs, models, plan, render, spec, state, targets, top_level, web)
    for mutation in rules.MUTATIONS
)
