# The metrics of forecasts. The descriptors must exist before the first point, or an alert policy on them is refused.

resource "google_monitoring_metric_descriptor" "value" {
  project      = var.project_id
  type         = "custom.googleapis.com/mlspec/value"
  display_name = "mlspec: value of a monitor"
  description  = "The metric of a forecast's alert: an error, a bias, a coverage, the age of the data"
  metric_kind  = "GAUGE"
  value_type   = "DOUBLE"
  unit         = "1"

  labels { key = "forecast" }
  labels { key = "alert" }
  labels { key = "segment" }
}

resource "google_monitoring_metric_descriptor" "breaches" {
  project      = var.project_id
  type         = "custom.googleapis.com/mlspec/breaches"
  display_name = "mlspec: breaches"
  description  = "The number of the last evaluations in which a forecast's alert exceeded its threshold"
  metric_kind  = "GAUGE"
  value_type   = "DOUBLE"
  unit         = "1"

  labels { key = "forecast" }
  labels { key = "alert" }
  labels { key = "segment" }
}

resource "google_monitoring_metric_descriptor" "notices_given_up" {
  project      = var.project_id
  type         = "custom.googleapis.com/mlspec/notices_given_up"
  display_name = "mlspec: notices that were given up"
  description  = "The number of a forecast's notices that no receiver accepted, and that nobody has sent again or discarded"
  metric_kind  = "GAUGE"
  value_type   = "DOUBLE"
  unit         = "1"

  labels { key = "forecast" }
  labels { key = "alert" }
  labels { key = "segment" }
}

# Two channels: alerts of forecasts go to the function, alerts of the platform go to people. A function cannot restore a key.

resource "google_monitoring_notification_channel" "alerts" {
  project      = var.project_id
  display_name = "mlspec-alerts"
  type         = "pubsub"
  labels       = { topic = google_pubsub_topic.alerts.id }
  user_labels  = local.labels

  depends_on = [google_pubsub_topic_iam_member.monitoring_publishes_alerts]
}

resource "google_monitoring_notification_channel" "people" {
  for_each     = var.alert_emails
  project      = var.project_id
  display_name = "mlspec: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }
  user_labels  = local.labels
}

locals {
  people = [for channel in google_monitoring_notification_channel.people : channel.id]
}

# If kms_key is given, watch it in its own project, which has its audit log.
resource "google_monitoring_alert_policy" "key_disabled" {
  count                 = var.kms_key == null ? 1 : 0
  project               = var.project_id
  display_name          = "mlspec: a key version is being destroyed or disabled"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.people
  user_labels           = local.labels

  conditions {
    display_name = "destroyed or disabled"
    condition_matched_log {
      filter = join(" AND ", [
        "protoPayload.serviceName=\"cloudkms.googleapis.com\"",
        "protoPayload.resourceName:\"${google_kms_crypto_key.mlspec[0].id}/cryptoKeyVersions/\"",
        "(protoPayload.methodName=\"DestroyCryptoKeyVersion\" OR (protoPayload.methodName=\"UpdateCryptoKeyVersion\" AND protoPayload.request.cryptoKeyVersion.state=\"DISABLED\"))",
      ])
      label_extractors = { who = "EXTRACT(protoPayload.authenticationInfo.principalEmail)" }
    }
  }

  alert_strategy {
    auto_close = "604800s"
    notification_rate_limit { period = "300s" } # required for a policy on logs
  }
  documentation {
    mime_type = "text/markdown"
    subject   = "mlspec: the encryption key is being destroyed or disabled"
    content   = "All data of mlspec is encrypted with this key. Restore the version within 30 days: `gcloud kms keys versions restore`, then `enable`."
  }
}

resource "google_monitoring_alert_policy" "reconcile_failed" {
  project               = var.project_id
  display_name          = "mlspec: the reconcile job fails"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.people
  user_labels           = local.labels

  conditions {
    display_name = "a failed execution"
    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result=\"failed\" AND resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"${google_cloud_run_v2_job.reconcile.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_DELTA"
      }
      trigger { count = 1 }
    }
  }

  alert_strategy { auto_close = "86400s" }
  documentation {
    mime_type = "text/markdown"
    subject   = "mlspec: reconcile fails"
    content   = "Rollouts and rollbacks by the loop have stopped. See the log: Cloud Run, Jobs, mlspec-reconcile."
  }
}

resource "google_monitoring_alert_policy" "alerts_dead" {
  project               = var.project_id
  display_name          = "mlspec: the redeploy function could not handle an alert"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.people
  user_labels           = local.labels

  conditions {
    display_name = "a dead letter"
    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.alerts_dead_hold.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
      trigger { count = 1 }
    }
  }

  alert_strategy { auto_close = "604800s" }
  documentation {
    mime_type = "text/markdown"
    subject   = "mlspec: an alert was not handled"
    content   = "Read it: `gcloud pubsub subscriptions pull mlspec-alerts-dead-hold`. Nothing was redeployed for it."
  }
}
