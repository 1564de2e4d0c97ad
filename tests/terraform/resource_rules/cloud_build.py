"""Cloud Build, and the images that it makes: Artifact Registry, Binary Authorization."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.resource_rules.names import RFC1035
from tests.terraform.rules import Rules, matches

CLOUD_BUILD = {
    "google_cloudbuild_worker_pool": Rules(
        id="projects/{project}/locations/{location}/workerPools/{name}",
        force_new=("name", "location", "network_config", "private_service_connect"),
        computed={"uid": "{uuid}", "state": "RUNNING"},
        kept={"worker_config": [{"disk_size_gb": 100, "machine_type": "e2-medium", "no_external_ip": False}]},
        conflicts=(("network_config", "private_service_connect"),),
    ),
    "google_cloudbuildv2_connection": Rules(
        id="projects/{project}/locations/{location}/connections/{name}",
        force_new=("location", "name"),
    ),
    "google_cloudbuildv2_repository": Rules(
        id="projects/{project}/locations/{location}/connections/{parent_connection|last}/repositories/{name}",
        force_new=("location", "name", "parent_connection", "remote_uri"),
    ),
    "google_cloudbuild_trigger": Rules(
        id="projects/{project}/locations/{location}/triggers/{trigger_id}",
        force_new=("location",),
        defaults={"location": "global", "build.timeout": "600s"},
        computed={"trigger_id": "{uuid}", "name": "trigger-{hash}"},
        kept={"approval_config": [{"approval_required": False}]},
        exactly_one=(("build", "filename", "git_file_source"),),
        plan_checks=(checks.build_steps,),
        api_checks=(checks.build_account,),
        server_named=True,
    ),
    "google_artifact_registry_repository": Rules(
        id="projects/{project}/locations/{location}/repositories/{repository_id}",
        force_new=("repository_id", "location", "format", "kms_key_name", "mode"),
        defaults={"mode": "STANDARD_REPOSITORY"},
        computed={"name": "{repository_id}", "registry_uri": "{location}-docker.pkg.dev/{project}/{repository_id}"},
        kept={"vulnerability_scanning_config": []},
        api_checks=(matches(repository_id=RFC1035, format="DOCKER|MAVEN|NPM|PYTHON|APT|YUM|KFP|GO|GENERIC|RUBY"),),
        held="googleapi: Error 400: the repository {id} holds packages",
    ),
    "google_binary_authorization_policy": Rules(
        id="projects/{project}",
        enums={
            "default_admission_rule.evaluation_mode": ("ALWAYS_ALLOW", "REQUIRE_ATTESTATION", "ALWAYS_DENY"),
            "default_admission_rule.enforcement_mode": ("ENFORCED_BLOCK_AND_AUDIT_LOG", "DRYRUN_AUDIT_LOG_ONLY"),
            "global_policy_evaluation_mode": ("ENABLE", "DISABLE"),
        },
        computed={"global_policy_evaluation_mode": "DISABLE"},
        adopts=True,
    ),
    "google_binary_authorization_attestor": Rules(id="projects/{project}/attestors/{name}", force_new=("name",)),
    "google_container_analysis_note": Rules(
        id="projects/{project}/notes/{name}", force_new=("name",), computed={"kind": "ATTESTATION"}
    ),
}
