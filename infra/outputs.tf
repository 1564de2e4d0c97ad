output "buckets" {
  description = "Bucket names by purpose: data, models, state, source, dags, access-logs."
  value       = merge({ for purpose, bucket in google_storage_bucket.mlspec : purpose => bucket.name }, { access-logs = google_storage_bucket.access_logs.name })
}

output "composer" {
  description = "The Composer environment and its DAG folder."
  value = {
    name    = google_composer_environment.mlspec.name
    airflow = google_composer_environment.mlspec.config[0].airflow_uri
    dags    = "gs://${google_storage_bucket.mlspec["dags"].name}/dags"
  }
}

output "images" {
  description = "The repository for step images."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.mlspec.repository_id}"
}

output "kms_key" {
  description = "The key that encrypts all data."
  value       = local.kms_key
}

output "kms_members" {
  description = "The accounts that need roles/cloudkms.cryptoKeyEncrypterDecrypter on the key; granted here if the key is created here."
  value       = local.kms_members
}

output "network" {
  description = "The network and subnetwork of the jobs."
  value       = { network = local.network, subnetwork = local.subnetwork }
}

output "notification_channel" {
  description = "The notification channel of the forecasts' alert policies, which leads to the redeploy function."
  value       = google_monitoring_notification_channel.alerts.id
}

output "service_accounts" {
  description = "E-mail addresses of the platform's accounts."
  value = {
    build     = google_service_account.build.email
    dag       = google_service_account.dag.email
    fbuild    = google_service_account.fbuild.email
    plan      = google_service_account.plan.email
    push      = google_service_account.push.email
    reconcile = google_service_account.reconcile.email
    redeploy  = google_service_account.redeploy.email
    tick      = google_service_account.tick.email
  }
}

output "topics" {
  description = "Topics for forecasts: alerts, and Secret Manager's rotation messages."
  value       = { alerts = google_pubsub_topic.alerts.id, secret_rotation = google_pubsub_topic.secret_rotation.id }
}

output "workload_identity_mapping" {
  description = "What the provider of a given pool must map to attribute.mlspec, and its condition; null if GitHub is not used."
  value       = var.github == null ? null : { attribute = local.workflow_attribute, condition = local.workflow_condition }
}

output "workload_identity_provider" {
  description = "The provider with which a GitHub workflow acts as the build or the plan account; null if the pool is given or GitHub is not used."
  value       = one(google_iam_workload_identity_pool_provider.github[*].name)
}
