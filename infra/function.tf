# The function that handles alerts: it rolls back if the record says so, and starts the reconcile job for everything else.
# Its source: functions/redeploy, and mlspec itself.

resource "google_storage_bucket_object" "redeploy" {
  bucket = google_storage_bucket.mlspec["source"].name
  name   = "redeploy-${filemd5(var.function_archive)}.zip" # a new source needs a new name, or nothing is deployed
  source = var.function_archive

  lifecycle { create_before_destroy = true }
}

resource "google_cloudfunctions2_function" "redeploy" {
  project         = var.project_id
  location        = var.region
  name            = "mlspec-redeploy"
  description     = "Redeploys the last good version when an alert requires it, and starts the reconcile job"
  kms_key_name    = local.kms_key
  deletion_policy = "PREVENT"

  build_config {
    runtime           = "python312"
    entry_point       = "on_alert"
    docker_repository = google_artifact_registry_repository.functions.id
    service_account   = google_service_account.fbuild.id # the full name is required here, not the e-mail address

    source {
      storage_source {
        bucket     = google_storage_bucket_object.redeploy.bucket
        object     = google_storage_bucket_object.redeploy.name
        generation = google_storage_bucket_object.redeploy.generation
      }
    }
    automatic_update_policy {}
  }

  service_config {
    service_account_email          = google_service_account.redeploy.email
    ingress_settings               = "ALLOW_INTERNAL_ONLY" # a push of the same project counts as internal
    all_traffic_on_latest_revision = true
    binary_authorization_policy    = "default"
    timeout_seconds                = 540 # the reconcile job continues longer work
    available_cpu                  = "1"
    available_memory               = "1Gi" # Google's clients take 400 MB of it

    # An instance handles one alert at a time; the forecast's lock prevents conflicts. Bad data may affect many forecasts at once.
    min_instance_count               = 0
    max_instance_count               = 20
    max_instance_request_concurrency = 1

    direct_vpc_egress = "VPC_EGRESS_ALL_TRAFFIC"
    direct_vpc_network_interface {
      network    = local.network
      subnetwork = local.subnetwork
    }

    environment_variables = {
      MLSPEC_PROJECT = var.project_id
      MLSPEC_REGION  = var.region
      MLSPEC_TARGET  = var.target
    }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.fbuild_writes_functions,
    google_kms_crypto_key_iam_member.agent,
    google_project_iam_member.fbuild_reads_staged_source,
    google_project_iam_member.fbuild_writes_logs,
    google_storage_bucket_iam_member.fbuild_reads_source,
  ]
}
