# wrong: 7
resource "google_pubsub_subscription" "expires" {
  name  = "expires"
  topic = "projects/p/topics/t"
}

# wrong: 8
resource "google_pubsub_subscription" "open_push" {
  name  = "open-push"
  topic = "projects/p/topics/t"
  expiration_policy { ttl = "" }
  push_config { push_endpoint = "https://example.com/alerts" }
}

# wrong: 8
resource "google_pubsub_subscription" "loses" {
  name  = "loses"
  topic = "projects/p/topics/t"
  expiration_policy { ttl = "" }
  push_config {
    push_endpoint = "https://example.com/alerts"
    oidc_token { service_account_email = "mlspec-push@p.iam.gserviceaccount.com" }
  }
}

# wrong: 9
resource "google_pubsub_topic" "anywhere" {
  name = "anywhere"
}

# wrong: 10
resource "google_logging_project_bucket_config" "global" {
  project   = "p"
  location  = "global"
  bucket_id = "logs"
}

# wrong: 12
resource "google_secret_manager_secret" "automatic" {
  secret_id = "automatic"
  replication {
    auto {}
  }
}

# wrong: 12
resource "google_secret_manager_secret" "unprotected" {
  secret_id = "unprotected"
  replication {
    user_managed {
      replicas {
        location = "europe-west1"
        customer_managed_encryption { kms_key_name = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k" }
      }
    }
  }
}

# wrong: 13
resource "google_secret_manager_secret_version" "in_state" {
  secret      = "projects/p/secrets/s"
  secret_data = "hunter2"
}

# wrong: 14
resource "google_service_account_key" "any" {
  service_account_id = "projects/p/serviceAccounts/mlspec-build@p.iam.gserviceaccount.com"
}

# wrong: 15
resource "google_storage_bucket" "plain" {
  name     = "plain"
  location = "EU"
}
