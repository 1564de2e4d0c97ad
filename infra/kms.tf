# One key for all data of the platform and its forecasts. It must be in the region of the encrypted data.

resource "google_kms_key_ring" "mlspec" {
  count    = var.kms_key == null ? 1 : 0
  project  = var.project_id
  location = var.region
  name     = "mlspec"

  lifecycle { prevent_destroy = true } # a key ring cannot be deleted, so its name cannot be used again
  depends_on = [google_project_service.api]
}

resource "google_kms_crypto_key" "mlspec" {
  count                      = var.kms_key == null ? 1 : 0
  name                       = "mlspec"
  key_ring                   = google_kms_key_ring.mlspec[0].id
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "7776000s" # 90 days
  destroy_scheduled_duration = "2592000s" # 30 days in which a destroyed version can be restored
  deletion_policy            = "PREVENT"

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = "SOFTWARE"
  }

  lifecycle { prevent_destroy = true } # without the key, the data is lost
}

# The service agents that encrypt with the key. If kms_key is given, its owner grants it to the output kms_members.

locals {
  kms_members = {
    aiplatform       = google_project_service_identity.agent["aiplatform.googleapis.com"].member
    artifactregistry = google_project_service_identity.agent["artifactregistry.googleapis.com"].member
    bigquery         = data.google_bigquery_default_service_account.this.member
    cloudfunctions   = google_project_service_identity.agent["cloudfunctions.googleapis.com"].member
    composer         = google_project_service_identity.agent["composer.googleapis.com"].member
    logging          = "serviceAccount:${data.google_logging_project_cmek_settings.this.service_account_id}"
    pubsub           = google_project_service_identity.agent["pubsub.googleapis.com"].member
    run              = google_project_service_identity.agent["run.googleapis.com"].member
    secretmanager    = google_project_service_identity.agent["secretmanager.googleapis.com"].member
    storage          = data.google_storage_project_service_account.this.member
  }
}

resource "google_kms_crypto_key_iam_member" "agent" {
  for_each      = var.kms_key == null ? local.kms_members : {}
  crypto_key_id = local.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}
