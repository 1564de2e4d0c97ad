resource "google_pubsub_subscription" "pulled" {
  name  = "pulled"
  topic = "projects/p/topics/t"
  expiration_policy { ttl = "" }
}

resource "google_pubsub_subscription" "pushed" {
  name  = "pushed"
  topic = "projects/p/topics/t"
  expiration_policy { ttl = "" }
  push_config {
    push_endpoint = "https://service.run.app/"
    oidc_token { service_account_email = "mlspec-push@p.iam.gserviceaccount.com" }
  }
  dead_letter_policy { dead_letter_topic = "projects/p/topics/dead" }
}

resource "google_pubsub_topic" "regional" {
  name = "regional"
  message_storage_policy { allowed_persistence_regions = ["europe-west1"] }
}

resource "google_logging_project_bucket_config" "regional" {
  project   = "p"
  location  = "europe-west1"
  bucket_id = "logs"
  cmek_settings { kms_key_name = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k" }
}

resource "google_secret_manager_secret" "closed" {
  secret_id           = "closed"
  deletion_protection = true
  replication {
    user_managed {
      replicas {
        location = "europe-west1"
        customer_managed_encryption { kms_key_name = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k" }
      }
    }
  }
}

variable "value" {
  type      = string
  ephemeral = true
}

resource "google_secret_manager_secret_version" "write_only" {
  secret                 = "projects/p/secrets/s"
  secret_data_wo         = var.value
  secret_data_wo_version = 1
}

resource "google_storage_bucket" "kept" {
  name            = "kept"
  location        = "EUROPE-WEST1"
  deletion_policy = "PREVENT"
  encryption { default_kms_key_name = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k" }
}
