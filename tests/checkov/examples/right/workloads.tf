resource "google_composer_environment" "closed" {
  name   = "closed"
  region = "europe-west1"
  storage_config { bucket = "dags" }
  config {
    enable_private_environment = true
    encryption_config { kms_key_name = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k" }
    node_config { service_account = "mlspec-dag@p.iam.gserviceaccount.com" }
    software_config { image_version = "composer-3-airflow-3.2.2-build.1" }
  }
}

resource "google_cloud_run_v2_job" "closed" {
  name     = "closed"
  location = "europe-west1"
  binary_authorization { use_default = true }
  template {
    template {
      service_account = "mlspec-reconcile@p.iam.gserviceaccount.com"
      encryption_key  = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
      containers { image = "europe-west1-docker.pkg.dev/p/mlspec/step@sha256:0000000000000000000000000000000000000000000000000000000000000000" }
    }
  }
}

resource "google_cloudfunctions2_function" "called" {
  name         = "called"
  location     = "europe-west1"
  kms_key_name = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  build_config {
    runtime         = "python312"
    entry_point     = "main"
    service_account = "projects/p/serviceAccounts/mlspec-fbuild@p.iam.gserviceaccount.com"
  }
  service_config { service_account_email = "mlspec-redeploy@p.iam.gserviceaccount.com" }
}

resource "google_cloudfunctions2_function" "triggered" {
  name         = "triggered"
  location     = "europe-west1"
  kms_key_name = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  build_config {
    runtime         = "python312"
    entry_point     = "main"
    service_account = "projects/p/serviceAccounts/mlspec-fbuild@p.iam.gserviceaccount.com"
  }
  service_config { service_account_email = "mlspec-redeploy@p.iam.gserviceaccount.com" }
  event_trigger {
    event_type            = "google.cloud.pubsub.topic.v1.messagePublished"
    pubsub_topic          = "projects/p/topics/t"
    service_account_email = "mlspec-push@p.iam.gserviceaccount.com"
  }
}

resource "google_cloud_scheduler_job" "oauth" {
  name      = "oauth"
  schedule  = "0 * * * *"
  time_zone = "Etc/UTC"
  http_target {
    uri = "https://run.googleapis.com/v2/projects/p/locations/europe-west1/jobs/j:run"
    oauth_token { service_account_email = "mlspec-tick@p.iam.gserviceaccount.com" }
  }
}

resource "google_cloud_scheduler_job" "oidc" {
  name      = "oidc"
  schedule  = "0 * * * *"
  time_zone = "Etc/UTC"
  http_target {
    uri = "https://service.run.app/"
    oidc_token { service_account_email = "mlspec-tick@p.iam.gserviceaccount.com" }
  }
}

resource "google_cloudbuild_trigger" "approved" {
  name            = "approved"
  location        = "europe-west1"
  service_account = "projects/p/serviceAccounts/mlspec-build@p.iam.gserviceaccount.com"
  filename        = "cloudbuild.yaml"
  approval_config { approval_required = true }
}
