"""Cloud KMS."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.rules import Rules, matches

KMS = {
    "google_kms_key_ring": Rules(
        id="projects/{project}/locations/{location}/keyRings/{name}",
        force_new=("name", "location"),
        api_checks=(matches(name=r"[a-zA-Z0-9_-]{1,63}"),),
        stays=True,
    ),
    "google_kms_crypto_key": Rules(
        id="{key_ring}/cryptoKeys/{name}",
        force_new=("name", "key_ring", "purpose", "import_only", "destroy_scheduled_duration", "crypto_key_backend"),
        defaults={"purpose": "ENCRYPT_DECRYPT", "version_template.protection_level": "SOFTWARE"},
        computed={"destroy_scheduled_duration": "2592000s", "import_only": False, "crypto_key_backend": ""},
        kept={"version_template": [{"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protection_level": "SOFTWARE"}]},
        enums={"purpose": ("ENCRYPT_DECRYPT", "ASYMMETRIC_SIGN", "ASYMMETRIC_DECRYPT", "MAC", "RAW_ENCRYPT_DECRYPT")},
        validate_checks=(checks.kms_rotation,),
        api_checks=(checks.kms_key, matches(name=r"[a-zA-Z0-9_-]{1,63}")),
        stays=True,
    ),
}
