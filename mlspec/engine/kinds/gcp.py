"""The parts of a target on Google Cloud: one project and region, with infrastructure that terraform makes.

Only this module combines the Google Cloud parts of `plan`, `render`, `spec` and `targets`. It imports each where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mlspec.engine.context import Spec
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.gcp.settings import GcpTargetSettings
from mlspec.state.finding import Finding
from mlspec.targets.cache import cache_folder

if TYPE_CHECKING:
    from mlspec.engine.infrastructure import TerraformRunner
    from mlspec.render.rendering import InfrastructureRenderer
    from mlspec.targets.gcp.pinned_view import PinnedView
    from mlspec.targets.gcp.serving_view import ServingView
    from mlspec.targets.gcp.target import GcpTarget

_IMAGES = ("TF_VAR_image", "MLSPEC_IMAGE")  # terraform's variable, and the loop's job's variable


def location(name: str, settings: GcpTargetSettings) -> GcpLocation:
    """Return the location of the target on Google Cloud."""
    return GcpLocation(name, settings.project, settings.region, settings.kms_key)


def open_gcp(name: str, settings: GcpTargetSettings, root: Path) -> GcpTarget:
    """Return the target, without any request to it."""
    from mlspec.targets.gcp.target import GcpTarget

    return GcpTarget(location(name, settings), working_folder(name, settings, root), protect=settings.protect)


def open_serving_view(name: str, settings: GcpTargetSettings, root: Path, forecasts: Sequence[str]) -> ServingView:
    """Return the target as a server of these forecasts can read it: Vertex AI starts it with an account for these only."""
    from mlspec.targets.gcp.serving_view import ServingView

    return ServingView(location(name, settings), working_folder(name, settings, root), forecasts)


def open_pinned_view(
    name: str, settings: GcpTargetSettings, root: Path, forecast: str, version: str, artifact: str
) -> PinnedView:
    """Return one version of a forecast, from the files at `artifact`: what a container of its endpoint serves."""
    from mlspec.targets.gcp.clients import Clients
    from mlspec.targets.gcp.pinned_view import open_pinned_view

    folder = working_folder(name, settings, root) / "served" / forecast / version
    record = open_serving_view(name, settings, root, [forecast])
    return open_pinned_view(Clients(settings.project, settings.region), artifact, folder, record, version=version)


def working_folder(_name: str, settings: GcpTargetSettings, _root: Path) -> Path:
    """Return the folder on this machine for copies of files."""
    return cache_folder() / settings.project


def make_renderer(name: str, settings: GcpTargetSettings) -> InfrastructureRenderer:
    """Return the function that renders the target's Terraform."""
    from mlspec.render.gcp.terraform import GcpTerraform

    return GcpTerraform(location(name, settings))


def make_runner(settings: GcpTargetSettings, tell: Callable[[str], None], lock_timeout: float) -> TerraformRunner:
    """Return the runner of the rendered Terraform; `lock_timeout` in seconds.

    If no image is named, that of the loop's job is taken.
    """
    from mlspec.targets.gcp.clients import Clients
    from mlspec.targets.gcp.jobs.loop_job import LoopJob
    from mlspec.targets.gcp.record.bucket import Bucket
    from mlspec.targets.gcp.terraform import runner

    @cache
    def find_image() -> str:
        with closing(Clients(settings.project, settings.region)) as clients:
            return LoopJob(clients).image()

    def has_state(folder: str) -> bool:
        with closing(Clients(settings.project, settings.region)) as clients:
            bucket = Bucket(clients, location("", settings).bucket("state"))
            return bucket.find_object(f"terraform/{folder}/default.tfstate") is not None

    return runner.TerraformCli(runner.allowed_environment_here(), tell, lock_timeout, find_image, has_state)


def needed_extras(_settings: GcpTargetSettings) -> tuple[str, ...]:
    """Return the extras of mlspec that the target needs."""
    return ("gcp",)


def cost_sentences(specs: Sequence[Spec], _trained: Sequence[str], series: Mapping[str, int]) -> tuple[str, ...]:
    """Return the rough cost of each forecast, and the limits of its endpoint."""
    from mlspec.plan.gcp import cost, endpoint

    return tuple(
        sentence
        for spec in specs
        for sentence in (
            *cost.cost_sentences(spec.name, spec.forecast, series.get(spec.name)),
            *endpoint.endpoint_sentences(spec.name, spec.forecast),
        )
    )


def check_gcp(
    name: str,
    settings: GcpTargetSettings,
    root: Path,
    specs: Sequence[Spec],
    environment: Mapping[str, str],
) -> Iterator[Finding]:
    """Yield which of the specs' needs the project meets."""
    from mlspec.plan.gcp.requirements import cloud_requirements
    from mlspec.targets.gcp.doctor.checks import check_up

    place = location(name, settings)
    image = next(filter(None, map(environment.get, _IMAGES)), None)
    yield from check_up(place, cloud_requirements([spec.forecast for spec in specs], place), root, image)
