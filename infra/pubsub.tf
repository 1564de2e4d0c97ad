# mlspec-alerts: Cloud Monitoring, DAGs and the reconcile job publish alerts, and the redeploy function handles them.
# It has no schema: Monitoring defines its own messages, and a strict schema would drop incidents.

resource "google_pubsub_topic" "alerts" {
  project                    = var.project_id
  name                       = "mlspec-alerts"
  kms_key_name               = local.kms_key
  message_retention_duration = "604800s" # 7 days to replay

  message_storage_policy { allowed_persistence_regions = [var.region] }
  depends_on = [google_kms_crypto_key_iam_member.agent]
}

# An explicit subscription instead of an event trigger, because it has a dead letter topic and a known name.
resource "google_pubsub_subscription" "alerts_push" {
  project                    = var.project_id
  name                       = "mlspec-alerts-push"
  topic                      = google_pubsub_topic.alerts.id
  ack_deadline_seconds       = 600 # longer than the function's time limit, or Pub/Sub would call again while it works
  message_retention_duration = "86400s"

  expiration_policy { ttl = "" } # never: by default a month without alerts would delete the subscription

  push_config {
    push_endpoint = google_cloudfunctions2_function.redeploy.service_config[0].uri
    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloudfunctions2_function.redeploy.service_config[0].uri
    }
  }
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.alerts_dead.id
    max_delivery_attempts = 10
  }

  depends_on = [google_service_account_iam_member.pubsub_mints_push_tokens, google_cloud_run_v2_service_iam_member.push_calls_redeploy]
}

# Messages that the function could not handle, kept for a person. Without a subscription the dead letter topic would lose them.

resource "google_pubsub_topic" "alerts_dead" {
  project                    = var.project_id
  name                       = "mlspec-alerts-dead"
  kms_key_name               = local.kms_key
  message_retention_duration = "2678400s" # 31 days

  message_storage_policy { allowed_persistence_regions = [var.region] }
  depends_on = [google_kms_crypto_key_iam_member.agent]
}

resource "google_pubsub_subscription" "alerts_dead_hold" {
  project                    = var.project_id
  name                       = "mlspec-alerts-dead-hold"
  topic                      = google_pubsub_topic.alerts_dead.id
  message_retention_duration = "2678400s"

  expiration_policy { ttl = "" }
}

# Secret Manager publishes here that a forecast's secret is due for rotation. Its grant must exist before the first secret.

resource "google_pubsub_topic" "secret_rotation" {
  project                    = var.project_id
  name                       = "mlspec-secret-rotation"
  kms_key_name               = local.kms_key
  message_retention_duration = "604800s"

  message_storage_policy { allowed_persistence_regions = [var.region] }
  depends_on = [google_kms_crypto_key_iam_member.agent]
}
