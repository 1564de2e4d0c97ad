resource "google_service_account" "any" {
  account_id = "any"
}

resource "google_project_iam_member" "literal" {
  project = "p"
  role    = "roles/logging.logWriter"
  member  = google_service_account.any.member
}

resource "google_project_iam_custom_role" "redeployer" {
  role_id     = "mlspecModelRedeployer"
  title       = "redeployer"
  permissions = ["aiplatform.endpoints.deploy"]
}

resource "google_project_iam_member" "custom" {
  project = "p"
  role    = google_project_iam_custom_role.redeployer.id
  member  = google_service_account.any.member
}

resource "google_project_iam_member" "custom_by_name" {
  project = "p"
  role    = "projects/p/roles/mlspecModelRedeployer"
  member  = google_service_account.any.member
}

resource "google_storage_bucket_iam_member" "object_user" {
  bucket = "b"
  role   = "roles/storage.objectUser"
  member = google_service_account.any.member
}

resource "google_bigquery_dataset_iam_member" "data_editor" {
  dataset_id = "d"
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.any.member
}

resource "google_cloud_run_v2_job_iam_member" "starts" {
  name   = "j"
  role   = "roles/run.jobsExecutorWithOverrides"
  member = google_service_account.any.member
}
