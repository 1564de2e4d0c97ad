# The buckets by purpose. iam.tf has their grants.

locals {
  buckets = {
    data   = "panels that steps read"
    models = "trained models and their evaluations"
    state  = "records of mlspec, Terraform state of the forecasts, snapshots of Composer"
    source = "source of the redeploy function"
    dags   = "bucket of the Composer environment: rendered DAGs, Airflow's logs"
  }
}

resource "google_storage_bucket" "mlspec" {
  for_each                    = local.buckets
  project                     = var.project_id
  name                        = "${var.project_id}-mlspec-${each.key}"
  location                    = upper(var.region)
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  deletion_policy             = "PREVENT"

  encryption { default_kms_key_name = local.kms_key }
  versioning { enabled = true }
  soft_delete_policy { retention_duration_seconds = 604800 } # 7 days

  logging {
    log_bucket        = google_storage_bucket.access_logs.name
    log_object_prefix = each.key
  }

  # Keep the last ten earlier versions of an object, and every version for 30 days.
  lifecycle_rule {
    action { type = "Delete" }
    condition {
      num_newer_versions         = 10
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
  }
  # Models, and the files of steps in the state bucket, are written once: what was removed there is earlier than no other version,
  # so the rule above would keep it for ever.
  dynamic "lifecycle_rule" {
    for_each = contains(["models", "state"], each.key) ? [each.key] : []
    content {
      action { type = "Delete" }
      condition {
        days_since_noncurrent_time = 30
        with_state                 = "ARCHIVED"
        matches_suffix             = each.key == "state" ? [".parquet", ".json", ".jsonl"] : []
      }
    }
  }
  lifecycle_rule {
    action { type = "AbortIncompleteMultipartUpload" }
    condition { age = 7 }
  }

  # By the end of their names, days until they go. Marks of alerts for which the reconcile job was started: no message is delivered
  # after 31 days (pubsub.tf). What a step had made when it was killed, and that never ran again: the next attempt is soon after.
  dynamic "lifecycle_rule" {
    for_each = each.key == "state" ? { ".alert" = 45, ".kept" = 7 } : {}

    content {
      action { type = "Delete" }
      condition {
        age            = lifecycle_rule.value
        matches_prefix = ["forecasts/"]
        matches_suffix = [lifecycle_rule.key]
      }
    }
  }

  lifecycle { prevent_destroy = true }
  depends_on = [google_kms_crypto_key_iam_member.agent]
}

resource "google_storage_bucket" "access_logs" {
  #checkov:skip=CKV_GCP_62:This bucket receives the access logs; its own access logs would cause more access logs
  project                     = var.project_id
  name                        = "${var.project_id}-mlspec-access-logs"
  location                    = upper(var.region)
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  deletion_policy             = "PREVENT"

  encryption { default_kms_key_name = local.kms_key }
  versioning { enabled = true }

  lifecycle_rule {
    action { type = "Delete" }
    condition { age = 400 } # as long as audit logs: see logging.tf
  }

  lifecycle { prevent_destroy = true }
  depends_on = [google_kms_crypto_key_iam_member.agent]
}
