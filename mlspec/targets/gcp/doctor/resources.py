"""Checks a project's resources (buckets, key, image, Composer, topics, secrets) that `infra/` and rendered Terraform create."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mlspec.spec.object_address import bucket_address, is_object_address, parse_object_address
from mlspec.state.finding import Finding, ForeignSource
from mlspec.targets.gcp.doctor.probe import PLATFORM, TIMEOUT, GoogleProbe, get_job, run_check
from mlspec.targets.gcp.jobs.loop_job import LOOP_JOB

_IMAGE = re.compile(r"([a-z0-9-]+)-docker\.pkg\.dev/([^/]+)/([^/]+)/([^@:]+)(?:@(sha256:[0-9a-f]{64})|:([\w.-]+))")
_REGISTRY = "https://artifactregistry.googleapis.com/v1"
_NAME_IT = (
    "export TF_VAR_image=$(gcloud artifacts docker images list {at} --sort-by=~UPDATE_TIME --limit=1"
    " --format='value(format(\"{{0}}@{{1}}\", package, version))')"
)
FIRST_IMAGE_PROJECT = "cloudrun"  # Google's, with whose sample infra/reconcile.tf creates the loop's job


def check_bucket(probe: GoogleProbe, name: str) -> Finding:
    """Return whether a bucket of the platform exists in the region and keeps versions."""

    def check() -> Finding:
        cloud_bucket = probe.clients.storage.get_bucket(name, timeout=TIMEOUT, retry=None)
        if cloud_bucket.location.lower() != probe.place.region:
            problem = f"it is in {cloud_bucket.location}, not in {probe.place.region}, and a bucket's location is fixed"
            mend = (
                f"copy its objects elsewhere, remove it, then run: {PLATFORM}"  # no ready command: it would delete data
            )
            return Finding("platform", f"bucket {name}", "missing", problem, mend)
        if not cloud_bucket.versioning_enabled:
            mend = f"gcloud storage buckets update {bucket_address(name)} --versioning"
            return Finding("platform", f"bucket {name}", "missing", "it keeps no earlier versions", mend)
        return Finding("platform", f"bucket {name}", "ok", f"in {probe.place.region}, with versions")

    return run_check("platform", f"bucket {name}", check, PLATFORM)


def check_key(probe: GoogleProbe) -> Finding:
    """Return whether the encryption key exists and is enabled."""
    name = probe.place.key
    *_, ring, _, short = name.split("/")
    mend = (
        f"gcloud kms keys versions create --primary --key={short} --keyring={ring} --location={name.split('/')[3]}"
        f" --project={name.split('/')[1]}"
    )

    def check() -> Finding:
        crypto_key = probe.clients.keys.get_crypto_key(name=name, retry=None, timeout=TIMEOUT)
        state = crypto_key.primary.state.name if crypto_key.primary.name else "missing"
        if state != "ENABLED":
            return Finding("platform", f"key {short}", "missing", f"its primary version is {state}", mend)
        return Finding("platform", f"key {short}", "ok", "enabled")

    return run_check("platform", f"key {short}", check, PLATFORM)


def check_image(probe: GoogleProbe, named: str | None) -> Finding:
    """Return whether the image of the pipeline's steps, `named` or the loop's, exists in its registry."""
    place = probe.place
    mend = _NAME_IT.format(at=f"{place.region}-docker.pkg.dev/{place.project}/mlspec/step")

    def check_named(image: str) -> Finding:
        parts = _IMAGE.fullmatch(image)
        if not parts:
            said = "it is not an Artifact Registry image with a digest or tag"
            return Finding("forecasts", "image", "unknown", said, mend)
        probe.get_json(f"{_REGISTRY}/{_image_path(parts)}")
        return Finding("forecasts", "image", "ok", parts[5] or parts[6])

    def check_loop() -> Finding:
        image = get_job(probe, LOOP_JOB).template.template.containers[0].image
        parts = _IMAGE.fullmatch(image)
        if parts and parts[2] == FIRST_IMAGE_PROJECT:
            return Finding("forecasts", "image", "missing", "no build has given the loop's job an image yet", mend)
        return run_check("forecasts", "image", lambda: check_named(image), mend)

    if named:
        return run_check("forecasts", "image", lambda: check_named(named), mend)
    return run_check("forecasts", "image", check_loop, PLATFORM)


def _image_path(parts: re.Match[str]) -> str:
    """Return the name of an image by digest, or of a tag, in Artifact Registry's API."""
    region, project, repository, name, digest, tag = parts.groups()
    inside = name.replace("/", "%2F")
    last = f"dockerImages/{inside}@{digest}" if digest else f"packages/{inside}/tags/{tag}"
    return f"projects/{project}/locations/{region}/repositories/{repository}/{last}"


def check_composer(probe: GoogleProbe, floor: Sequence[int]) -> Finding:
    """Return whether Composer's environment runs, reads the platform's bucket, and has a new enough Airflow."""
    place = probe.place
    name = f"projects/{place.project}/locations/{place.region}/environments/mlspec"

    def check() -> Finding:
        environment = probe.clients.environments.get_environment(name=name, retry=None, timeout=TIMEOUT)
        problem = _environment_problem(environment, floor, place.bucket("dags"))
        if problem:
            return Finding("platform", "Composer", "missing", *problem)
        return Finding("platform", "Composer", "ok", environment.config.software_config.image_version)

    return run_check("platform", "Composer", check, PLATFORM)


def _environment_problem(environment: Any, floor: Sequence[int], dags: str) -> tuple[str, str] | None:
    """Return what is wrong with an environment and how to fix it; None if it is correct."""
    _, project, _, region, _, name = environment.name.split("/")
    where = f"{name} --location={region} --project={project}"
    version, bucket = environment.config.software_config.image_version, environment.config.dag_gcs_prefix
    if environment.state.name != "RUNNING":
        return f"it is {environment.state.name}", f"gcloud composer environments describe {where}"
    if airflow_version(version) < tuple(floor):
        problem = f"{version or 'its image'} is older than Airflow {'.'.join(map(str, floor))}, which the DAGs need"
        return problem, f"gcloud composer environments list-upgrades {where}"
    if not is_object_address(bucket) or parse_object_address(bucket).bucket != dags:
        return f"its DAGs are in {bucket or 'no bucket'}, not in {bucket_address(dags)}", PLATFORM
    return None


def airflow_version(image_version: str) -> tuple[int, ...]:
    """Return the Airflow version of a Composer image: `composer-3-airflow-3.2.2-build.1` is 3.2.2."""
    matched = re.search(r"airflow-([0-9]+(?:\.[0-9]+)*)", image_version)
    return tuple(int(part) for part in matched[1].split(".")) if matched else ()


def check_topic(probe: GoogleProbe, name: str) -> Finding:
    """Return whether a Pub/Sub topic exists."""
    project = probe.place.project

    def check() -> Finding:
        probe.get_json(f"https://pubsub.googleapis.com/v1/projects/{project}/topics/{name}")
        return Finding("notices", f"topic {name}", "ok", "exists")

    own = PLATFORM if name == "mlspec-alerts" else f"mlspec apply --target {probe.place.target}"
    return run_check("notices", f"topic {name}", check, own)


def check_secret(probe: GoogleProbe, name: str) -> Finding:
    """Return whether a secret has a value. Does not read the value."""
    project = probe.place.project
    mend = f"gcloud secrets versions add {name} --data-file=- --project={project}"

    def check() -> Finding:
        parent = f"projects/{project}/secrets/{name}"
        secret_versions = probe.clients.secrets.list_secret_versions(parent=parent, retry=None, timeout=TIMEOUT)
        newest = next(iter(secret_versions), None)  # the newest comes first; `latest` reads it
        if newest is None or newest.state.name != "ENABLED":
            return Finding("notices", f"secret {name}", "missing", "its newest version is not enabled", mend)
        return Finding("notices", f"secret {name}", "ok", "has a value")

    return run_check("notices", f"secret {name}", check, f"mlspec apply --target {probe.place.target} && {mend}")


def tell_foreign_source(source: ForeignSource) -> Finding:
    """Return what has to be granted in another project. Whether it is, only that project's owner can see."""
    said = "it is in another project: mlspec can grant nothing there, and its owner has to let the forecast's accounts read it"
    return Finding("sources", source.name, "unknown", said, " && ".join(source.commands))
