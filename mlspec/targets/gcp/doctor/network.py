"""Checks the network of the jobs: they have no public address, and reach Google by Private Google Access alone."""

from __future__ import annotations

from typing import Any

from mlspec.state.finding import Finding
from mlspec.targets.gcp.doctor.probe import PLATFORM, GoogleProbe, get_job, run_check
from mlspec.targets.gcp.jobs.loop_job import LOOP_JOB

_COMPUTE = "https://compute.googleapis.com/compute/v1"


def check_network(probe: GoogleProbe) -> Finding:
    """Return whether the subnetwork of the loop's job has Private Google Access. It may be another project's."""
    place = probe.place

    def check() -> Finding:
        interfaces = get_job(probe, LOOP_JOB).template.template.vpc_access.network_interfaces
        if not interfaces:
            return Finding("platform", "network", "missing", f"the job {LOOP_JOB} is in no network", PLATFORM)
        name = interfaces[0].subnetwork
        if "/" not in name:
            name = f"projects/{place.project}/regions/{place.region}/subnetworks/{name}"
        subnetwork: Any = probe.get_json(f"{_COMPUTE}/{name}")
        if not subnetwork.get("privateIpGoogleAccess"):
            _, project, _, region, _, short = name.split("/")
            mend = f"gcloud compute networks subnets update {short} --enable-private-ip-google-access --region={region}"
            said = f"{short} has no Private Google Access, so no job reaches Google"
            return Finding("platform", "network", "missing", said, f"{mend} --project={project}")
        return Finding("platform", "network", "ok", f"{name.rpartition('/')[2]}, with Private Google Access")

    return run_check("platform", "network", check, PLATFORM)
