# What a forecast measures. The descriptors stand before the first point, so that an alert policy on them is never refused.

resource "google_monitoring_metric_descriptor" "value" {
  project      = var.project_id
  type         = "custom.googleapis.com/mlspec/value"
  display_name = "mlspec: value of a monitor"
  description  = "What an alert of a forecast looks at: an error, a bias, a coverage, the age of the data"
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
  description  = "In how many of the last evaluations an alert of a forecast was beyond its threshold"
  metric_kind  = "GAUGE"
  value_type   = "DOUBLE"
  unit         = "1"

  labels { key = "forecast" }
  labels { key = "alert" }
  labels { key = "segment" }
}

# Two ways to tell: a forecast's alerts go to the function, the platform's own go to people. A function cannot mend a lost key.

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

# A given key is watched where it lives: its audit log is in that project.
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
    notification_rate_limit { period = "300s" } # a policy on logs demands one
  }
  documentation {
    mime_type = "text/markdown"
    subject   = "mlspec: the encryption key is being taken away"
    content   = "Everything of mlspec is encrypted with this key. Restore the version within 30 days: `gcloud kms keys versions restore`, then `enable`."
  }
}

resource "google_monitoring_alert_policy" "reconcile_failed" {
  count                 = var.step_image == null ? 0 : 1
  project               = var.project_id
  display_name          = "mlspec: the reconcile job fails"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.people
  user_labels           = local.labels

  conditions {
    display_name = "a failed execution"
    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result=\"failed\" AND resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"${google_cloud_run_v2_job.reconcile[0].name}\""
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
    content   = "Rollouts stand still and rollbacks by the loop do not happen. Its log: Cloud Run, Jobs, mlspec-reconcile."
  }
}

resource "google_monitoring_alert_policy" "alerts_dead" {
  project               = var.project_id
  display_name          = "mlspec: the redeploy function gave up on an alert"
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
    content   = "Look at it: `gcloud pubsub subscriptions pull mlspec-alerts-dead-hold`. Nothing was redeployed for it."
  }
}
