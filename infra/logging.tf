# Audit logs of every read and write, and the logs of all workloads, for 400 days, in the region and encrypted with the platform's key.
# The project's _Default bucket is global and keeps logs for only 30 days.

resource "google_project_iam_audit_config" "data_access" {
  for_each = toset([
    "aiplatform.googleapis.com",
    "bigquery.googleapis.com",
    "cloudkms.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
  ])

  project = var.project_id
  service = each.key # authoritative for this service

  audit_log_config { log_type = "ADMIN_READ" }
  audit_log_config { log_type = "DATA_READ" }
  audit_log_config { log_type = "DATA_WRITE" }
}

resource "google_logging_project_bucket_config" "mlspec" {
  project          = var.project_id
  location         = var.region # cannot be changed
  bucket_id        = "mlspec"
  retention_days   = 400
  enable_analytics = true
  deletion_policy  = "PREVENT"

  cmek_settings { kms_key_name = local.kms_key } # can be changed, never removed

  lifecycle { prevent_destroy = true }
  depends_on = [google_kms_crypto_key_iam_member.agent]
}

resource "google_logging_project_sink" "mlspec" {
  project                = var.project_id
  name                   = "mlspec"
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.mlspec.id}"
  unique_writer_identity = true

  filter = join(" OR ", [
    "logName:\"cloudaudit.googleapis.com\"",
    "resource.type=(\"build\" OR \"cloud_composer_environment\" OR \"cloud_run_job\" OR \"cloud_run_revision\" OR \"cloud_scheduler_job\")",
  ])
}
