"""Cloud Storage."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.provider.values import UNKNOWN
from tests.terraform.rules import Rules, matches

STORAGE = {
    "google_storage_bucket": Rules(
        id="{name}",
        force_new=("name", "location", "custom_placement_config", "hierarchical_namespace", "enable_object_retention"),
        force_new_if={"retention_policy": checks.unlocked},
        defaults={
            "force_destroy": False,
            "storage_class": "STANDARD",
            "retention_policy.is_locked": False,
            "soft_delete_policy.retention_duration_seconds": 604_800,
        },
        computed={
            "self_link": "https://www.googleapis.com/storage/v1/b/{name}",
            "url": "gs://{name}",
            "project_number": lambda facts: facts("number"),
            "public_access_prevention": "inherited",
            "uniform_bucket_level_access": False,
            "rpo": "DEFAULT",
            "logging.log_object_prefix": "{name}",
            "lifecycle_rule.condition.with_state": "",
        },
        kept={
            "soft_delete_policy": [{"effective_time": UNKNOWN, "retention_duration_seconds": 604_800}],
        },
        enums={
            "public_access_prevention": ("enforced", "inherited"),
            "rpo": ("ASYNC_TURBO", "DEFAULT"),
            "lifecycle_rule.action.type": ("Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"),
            "lifecycle_rule.condition.with_state": ("LIVE", "ARCHIVED", "ANY", ""),
        },
        patterns={"name": r"(?!goog)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"},
        api_checks=(
            checks.bucket_retention,
            matches(
                storage_class="STANDARD|NEARLINE|COLDLINE|ARCHIVE|MULTI_REGIONAL|REGIONAL",
                location=r"[A-Za-z]+(-[A-Za-z]+\d+)?|[A-Z]{2,4}\d?",
            ),
        ),
        held="Error trying to delete bucket {id} containing objects without `force_destroy` set to true",
        freed_by="force_destroy",
    ),
    "google_storage_bucket_object": Rules(
        id="{bucket}-{name}",
        force_new=("bucket", "name", "kms_key_name"),
        computed={
            "output_name": "{name}",
            "self_link": "https://www.googleapis.com/storage/v1/b/{bucket}/o/{name}",
            "media_link": "https://storage.googleapis.com/download/storage/v1/b/{bucket}/o/{name}?alt=media",
            "generation": lambda facts: int(facts("serial")) // 1000,
            "storage_class": "STANDARD",
        },
        sensitive=("content",),
        exactly_one=(("content", "source"),),
        adopts=True,
    ),
    "google_storage_managed_folder": Rules(
        id="{bucket}/{name}",
        force_new=("bucket", "name"),
        defaults={"force_destroy": False},
        computed={"self_link": "https://www.googleapis.com/storage/v1/b/{bucket}/managedFolders/{name}"},
        validate_checks=(checks.folder_name,),
        held="Error 409: the managed folder {id} holds objects",
        freed_by="force_destroy",
    ),
}
