"""Secret Manager."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.rules import Rules, durations, matches

SECRET_MANAGER = {
    "google_secret_manager_secret": Rules(
        id="projects/{project}/secrets/{secret_id}",
        force_new=("secret_id", "replication"),
        defaults={"deletion_protection": False},
        computed={"name": "projects/{number}/secrets/{secret_id}", "expire_time": ""},
        exactly_one=(("replication.auto", "replication.user_managed"),),
        conflicts=(("expire_time", "ttl"),),
        api_checks=(
            checks.secret,
            matches(secret_id=r"[A-Za-z0-9_-]{1,255}"),
            durations(3600, 3_153_600_000, "rotation.rotation_period"),
            durations(86_400, 8_640_000, "version_destroy_ttl"),
        ),
    ),
    "google_secret_manager_secret_version": Rules(
        id="{secret}/versions/{version}",
        force_new=("secret", "secret_data", "secret_data_wo_version", "is_secret_data_base64"),
        defaults={"enabled": True, "is_secret_data_base64": False},
        computed={"version": "{ordinal}", "name": "{secret}/versions/{version}", "destroy_time": ""},
        sensitive=("secret_data", "secret_data_wo"),
        write_only=("secret_data_wo",),
        exactly_one=(("secret_data", "secret_data_wo"),),
        needs={"secret_data_wo": ("secret_data_wo_version",)},
        server_named=True,
    ),
}
