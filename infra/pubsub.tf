# mlspec-alerts: Cloud Monitoring, DAGs and the reconcile job tell of trouble, the redeploy function hears it.
# It has no schema: Monitoring owns what it writes, and a strict schema would drop incidents.

resource "google_pubsub_topic" "alerts" {
  project                    = var.project_id
  name                       = "mlspec-alerts"
  kms_key_name               = local.kms_key
  message_retention_duration = "604800s" # 7 days to replay

  message_storage_policy { allowed_persistence_regions = [var.region] }
  depends_on = [google_kms_crypto_key_iam_member.agent]
}

# A subscription of our own, where an event trigger would hide one: this one has a dead letter topic and a known name.
resource "google_pubsub_subscription" "alerts_push" {
  project                    = var.project_id
  name                       = "mlspec-alerts-push"
  topic                      = google_pubsub_topic.alerts.id
  ack_deadline_seconds       = 600 # longer than the function's own limit, or Pub/Sub calls again while it works
  message_retention_duration = "86400s"

  expiration_policy { ttl = "" } # never: by default a month without alerts would end it

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

# What the function gave up on, kept for a person to look at: a dead letter topic without a subscription loses everything.

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

# Secret Manager says here that a forecast's secret is due. Its publisher grant must stand before the first secret.

resource "google_pubsub_topic" "secret_rotation" {
  project                    = var.project_id
  name                       = "mlspec-secret-rotation"
  kms_key_name               = local.kms_key
  message_retention_duration = "604800s"

  message_storage_policy { allowed_persistence_regions = [var.region] }
  depends_on = [google_kms_crypto_key_iam_member.agent]
}
