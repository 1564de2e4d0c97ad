# Each resource works, is what a first example on the web looks like, and is wrong as its comment says.

# wrong: 1 2
resource "google_composer_environment" "open" {
  name   = "open"
  region = "europe-west1"
  config {
    software_config { image_version = "composer-3-airflow-3" }
  }
}

# wrong: 1
resource "google_composer_environment" "default_account" {
  name   = "default-account"
  region = "europe-west1"
  storage_config { bucket = "dags" }
  config {
    enable_private_environment = true
    encryption_config { kms_key_name = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k" }
    software_config { image_version = "composer-3-airflow-3.2.2-build.1" }
  }
}

# wrong: 3 4
resource "google_cloud_run_v2_job" "plain" {
  name     = "plain"
  location = "europe-west1"
  template {
    template {
      containers { image = "europe-west1-docker.pkg.dev/p/mlspec/step:latest" }
    }
  }
}

# wrong: 3
resource "google_cloud_run_v2_job" "unprotected" {
  name                = "unprotected"
  location            = "europe-west1"
  deletion_protection = false
  binary_authorization { use_default = true }
  template {
    template {
      service_account = "mlspec-reconcile@p.iam.gserviceaccount.com"
      encryption_key  = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
      containers { image = "europe-west1-docker.pkg.dev/p/mlspec/step@sha256:0000000000000000000000000000000000000000000000000000000000000000" }
    }
  }
}

# wrong: 5
resource "google_cloudfunctions2_function" "plain" {
  name     = "plain"
  location = "europe-west1"
  build_config {
    runtime     = "python312"
    entry_point = "main"
  }
  service_config { ingress_settings = "ALLOW_INTERNAL_ONLY" }
}

# wrong: 5
resource "google_cloudfunctions2_function" "default_trigger_account" {
  name         = "trigger"
  location     = "europe-west1"
  kms_key_name = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  build_config {
    runtime         = "python312"
    entry_point     = "main"
    service_account = "projects/p/serviceAccounts/mlspec-fbuild@p.iam.gserviceaccount.com"
  }
  service_config { service_account_email = "mlspec-redeploy@p.iam.gserviceaccount.com" }
  event_trigger {
    event_type   = "google.cloud.pubsub.topic.v1.messagePublished"
    pubsub_topic = "projects/p/topics/t"
  }
}

# wrong: 6
resource "google_cloud_scheduler_job" "no_token" {
  name      = "no-token"
  schedule  = "0 * * * *"
  time_zone = "Etc/UTC"
  http_target { uri = "https://example.com/run" }
}

# wrong: 6
resource "google_cloud_scheduler_job" "summer_time" {
  name      = "summer-time"
  schedule  = "30 2 * * *"
  time_zone = "Europe/Berlin"
  http_target {
    uri = "https://run.googleapis.com/v2/projects/p/locations/europe-west1/jobs/j:run"
    oauth_token { service_account_email = "mlspec-tick@p.iam.gserviceaccount.com" }
  }
}

# wrong: 11
resource "google_cloudbuild_trigger" "global" {
  name     = "global"
  filename = "cloudbuild.yaml"
}

# wrong: 11
resource "google_cloudbuild_trigger" "unapproved" {
  name            = "unapproved"
  location        = "europe-west1"
  service_account = "projects/p/serviceAccounts/mlspec-build@p.iam.gserviceaccount.com"
  filename        = "cloudbuild.yaml"
}
