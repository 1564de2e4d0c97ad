# The APIs. A destroy does not disable them, because other users of the project may need them.

resource "google_project_service" "api" {
  for_each = toset([
    "aiplatform.googleapis.com",
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "binaryauthorization.googleapis.com",
    "cloudbilling.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudkms.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "composer.googleapis.com",
    "compute.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "serviceusage.googleapis.com",
    "storage.googleapis.com",
    "sts.googleapis.com",
  ])

  project            = var.project_id
  service            = each.key
  disable_on_destroy = false
}

# Google creates its service agents at first use, and a grant to a missing one fails. So they are created here.
# Those of Storage, BigQuery and Logging come from data sources.

resource "google_project_service_identity" "agent" {
  provider = google-beta

  for_each = toset([
    "aiplatform.googleapis.com",
    "artifactregistry.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudscheduler.googleapis.com",
    "composer.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
  ])

  project = var.project_id
  service = google_project_service.api[each.key].service
}

data "google_storage_project_service_account" "this" {
  project    = var.project_id
  depends_on = [google_project_service.api]
}

data "google_bigquery_default_service_account" "this" {
  project    = var.project_id
  depends_on = [google_project_service.api]
}

data "google_logging_project_cmek_settings" "this" {
  project    = var.project_id
  depends_on = [google_project_service.api]
}
