# All grants: one resource per grant, with a literal role, so that people can read this file and scanners can check it.
#
#  - Grants only add members (_iam_member). Nothing here removes other members (_iam_binding, _iam_policy).
#  - A grant is on the narrowest possible resource. It is on the project only if there is no narrower resource.
#  - No role has admin, editor or owner in its name. Permissions that only such roles have are in custom roles.

# --- custom roles ---------------------------------------------------------------------------------------------------------

# Registers versions and deploys them.
resource "google_project_iam_custom_role" "model_operator" {
  project     = var.project_id
  role_id     = "mlspecModelOperator"
  title       = "mlspec model operator"
  description = "Trains, registers and deploys models; cannot delete one"
  permissions = [
    "aiplatform.batchPredictionJobs.cancel",
    "aiplatform.batchPredictionJobs.create",
    "aiplatform.batchPredictionJobs.get",
    "aiplatform.batchPredictionJobs.list",
    "aiplatform.customJobs.cancel",
    "aiplatform.customJobs.create",
    "aiplatform.customJobs.get",
    "aiplatform.customJobs.list",
    "aiplatform.endpoints.deploy",
    "aiplatform.endpoints.get",
    "aiplatform.endpoints.list",
    "aiplatform.endpoints.predict",
    "aiplatform.endpoints.undeploy",
    "aiplatform.endpoints.update",
    "aiplatform.models.get",
    "aiplatform.models.list",
    "aiplatform.models.update",
    "aiplatform.models.upload",
    "aiplatform.operations.list", # finds a deployment or an upload whose name was lost
  ]

  depends_on = [google_project_service.api]
}

# Removes models. A person may have it, for `mlspec destroy --purge` and `mlspec prune`. The loop has it with `prune_models` alone.
resource "google_project_iam_custom_role" "model_remover" {
  project     = var.project_id
  role_id     = "mlspecModelRemover"
  title       = "mlspec model remover"
  description = "Removes models; cannot make or deploy one"
  permissions = ["aiplatform.models.delete"]

  depends_on = [google_project_service.api]
}

# Moves traffic back to an earlier version.
resource "google_project_iam_custom_role" "traffic_operator" {
  project     = var.project_id
  role_id     = "mlspecTrafficOperator"
  title       = "mlspec traffic operator"
  description = "Deploys registered models and splits the traffic; cannot train, register or delete one"
  permissions = [
    "aiplatform.endpoints.deploy",
    "aiplatform.endpoints.get",
    "aiplatform.endpoints.list",
    "aiplatform.endpoints.undeploy",
    "aiplatform.endpoints.update",
    "aiplatform.models.get",
    "aiplatform.models.list",
    "aiplatform.models.update", # for the alias of the default version
    "aiplatform.operations.list",
  ]

  depends_on = [google_project_service.api]
}

# Sees the names and sizes of files.
resource "google_project_iam_custom_role" "file_lister" {
  project     = var.project_id
  role_id     = "mlspecFileLister"
  title       = "mlspec file lister"
  description = "Lists the objects of a bucket; cannot read one"
  permissions = ["storage.objects.list"]

  depends_on = [google_project_service.api]
}

# Removes files that a prune has found to be needed by nothing. The bucket keeps them for 30 days more.
resource "google_project_iam_custom_role" "file_pruner" {
  project     = var.project_id
  role_id     = "mlspecFilePruner"
  title       = "mlspec file pruner"
  description = "Deletes objects of a bucket; cannot write one"
  permissions = ["storage.objects.delete"]

  depends_on = [google_project_service.api]
}

# Writes a forecast's rows into its own table.
resource "google_project_iam_custom_role" "table_writer" {
  project     = var.project_id
  role_id     = "mlspecTableWriter"
  title       = "mlspec table writer"
  description = "Reads and writes the rows of a table; cannot change or remove the table"
  permissions = [
    "bigquery.tables.get",
    "bigquery.tables.getData",
    "bigquery.tables.update", # a load that replaces a partition needs it
    "bigquery.tables.updateData",
  ]

  depends_on = [google_project_service.api]
}

# The permissions to apply a forecast's Terraform, by the types of resources that mlspec renders. They allow no access to the values
# of secrets, to objects or to rows of tables.
resource "google_project_iam_custom_role" "forecast_applier" {
  project     = var.project_id
  role_id     = "mlspecForecastApplier"
  title       = "mlspec forecast applier"
  description = "Creates, changes and removes the resources of a forecast's rendered Terraform"
  permissions = [
    "aiplatform.endpoints.create",
    "aiplatform.endpoints.delete",
    "aiplatform.endpoints.get",
    "aiplatform.endpoints.list",
    "aiplatform.endpoints.undeploy", # Google deletes no endpoint with a deployed model
    "aiplatform.endpoints.update",
    "aiplatform.operations.list", # to wait until it is undeployed
    "bigquery.datasets.create",
    "bigquery.datasets.delete",
    "bigquery.datasets.get",
    "bigquery.datasets.getIamPolicy",
    "bigquery.datasets.update",
    "bigquery.tables.create",
    "bigquery.tables.delete",
    "bigquery.tables.get",
    "bigquery.tables.getIamPolicy",
    "bigquery.tables.list",
    "bigquery.tables.update",
    "compute.networks.get",
    "compute.subnetworks.get",
    "compute.subnetworks.use",
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.delete",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "iam.serviceAccounts.list",
    "iam.serviceAccounts.update",
    "logging.logMetrics.create",
    "logging.logMetrics.delete",
    "logging.logMetrics.get",
    "logging.logMetrics.list",
    "logging.logMetrics.update",
    "monitoring.alertPolicies.create",
    "monitoring.alertPolicies.delete",
    "monitoring.alertPolicies.get",
    "monitoring.alertPolicies.list",
    "monitoring.alertPolicies.update",
    "monitoring.dashboards.create",
    "monitoring.dashboards.delete",
    "monitoring.dashboards.get",
    "monitoring.dashboards.list",
    "monitoring.dashboards.update",
    "monitoring.notificationChannels.create",
    "monitoring.notificationChannels.delete",
    "monitoring.notificationChannels.get",
    "monitoring.notificationChannels.list",
    "monitoring.notificationChannels.update",
    "pubsub.subscriptions.create",
    "pubsub.subscriptions.delete",
    "pubsub.subscriptions.get",
    "pubsub.subscriptions.getIamPolicy",
    "pubsub.subscriptions.update",
    "pubsub.topics.attachSubscription",
    "pubsub.topics.create",
    "pubsub.topics.delete",
    "pubsub.topics.detachSubscription",
    "pubsub.topics.get",
    "pubsub.topics.getIamPolicy",
    "pubsub.topics.update",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "run.jobs.create",
    "run.jobs.delete",
    "run.jobs.get",
    "run.jobs.getIamPolicy",
    "run.jobs.list",
    "run.jobs.update",
    "run.operations.get",
    "secretmanager.secrets.create",
    "secretmanager.secrets.delete",
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "secretmanager.secrets.list",
    "secretmanager.secrets.update",
    "serviceusage.services.use",
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
    "storage.managedFolders.create",
    "storage.managedFolders.delete",
    "storage.managedFolders.get",
    "storage.managedFolders.getIamPolicy",
    "storage.managedFolders.list",
  ]

  depends_on = [google_project_service.api]
}

# The permissions to plan: to read the resources that an apply would change.
resource "google_project_iam_custom_role" "forecast_reader" {
  project     = var.project_id
  role_id     = "mlspecForecastReader"
  title       = "mlspec forecast reader"
  description = "Reads the resources of a forecast's rendered Terraform"
  permissions = [
    for permission in google_project_iam_custom_role.forecast_applier.permissions : permission
    if can(regex("[.](get|list|getIamPolicy)$", permission))
  ]
}

# What `mlspec doctor` reads of the platform. No account of the platform has it: a person may.
resource "google_project_iam_custom_role" "doctor" {
  project     = var.project_id
  role_id     = "mlspecDoctor"
  title       = "mlspec doctor"
  description = "Reads the settings of the project and of the platform, as mlspec doctor does; no data and no values of secrets"
  permissions = [
    "artifactregistry.dockerimages.get",
    "artifactregistry.tags.get",
    "cloudbuild.builds.list", # also of triggers
    "cloudbuild.connections.get",
    "cloudfunctions.functions.get",
    "cloudkms.cryptoKeys.get",
    "cloudscheduler.jobs.get",
    "composer.environments.get",
    "compute.subnetworks.get",
    "iam.roles.list",
    "iam.serviceAccounts.list",
    "monitoring.notificationChannels.list",
    "pubsub.subscriptions.get",
    "pubsub.topics.get",
    "resourcemanager.projects.get", # also of billing
    "resourcemanager.projects.getIamPolicy",
    "run.executions.get",
    "run.jobs.get",
    "secretmanager.versions.list",
    "serviceusage.quotas.get",
    "serviceusage.services.list",
    "serviceusage.services.use", # for a person: calls count for the quota of this project
    "storage.buckets.get",
  ]

  depends_on = [google_project_service.api]
}

# The permission to grant roles is a separate role. It is only granted together with a list of the roles that may be granted.
resource "google_project_iam_custom_role" "forecast_granter" {
  project     = var.project_id
  role_id     = "mlspecForecastGranter"
  title       = "mlspec forecast granter"
  description = "Grants roles of a fixed list to a forecast's accounts, as its Terraform says"
  permissions = [
    "bigquery.datasets.setIamPolicy",
    "bigquery.tables.setIamPolicy",
    "iam.serviceAccounts.setIamPolicy",
    "pubsub.subscriptions.setIamPolicy",
    "pubsub.topics.setIamPolicy",
    "resourcemanager.projects.setIamPolicy",
    "run.jobs.setIamPolicy",
    "secretmanager.secrets.setIamPolicy",
    "storage.buckets.setIamPolicy",
    "storage.managedFolders.setIamPolicy",
  ]

  depends_on = [google_project_service.api]
}

# --- dag: Composer and its tasks ------------------------------------------------------------------------------------------
# Each forecast adds roles/run.jobsExecutorWithOverrides on its own job.

resource "google_project_iam_member" "dag_composer_worker" {
  #checkov:skip=CKV_GCP_49:Composer refuses to make an environment whose account lacks this role on the project
  project = var.project_id
  role    = "roles/composer.worker"
  member  = google_service_account.dag.member
}

resource "google_project_iam_member" "dag_watches_executions" {
  project = var.project_id
  role    = "roles/run.viewer"
  member  = google_service_account.dag.member
}

# The two steps that change the serving versions run in the reconcile job, not under this account.
resource "google_cloud_run_v2_job_iam_member" "dag_starts_reconcile" {
  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_job.reconcile.name
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = google_service_account.dag.member
}

resource "google_pubsub_topic_iam_member" "dag_publishes_alerts" {
  project = var.project_id
  topic   = google_pubsub_topic.alerts.name
  role    = "roles/pubsub.publisher"
  member  = google_service_account.dag.member
}

# --- redeploy: the function -----------------------------------------------------------------------------------------------

resource "google_project_iam_member" "redeploy_writes_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.redeploy.member
}

resource "google_project_iam_member" "redeploy_writes_metrics" {
  project = var.project_id
  role    = "roles/monitoring.metricWriter"
  member  = google_service_account.redeploy.member
}

# Request metrics of endpoints, which alerts on error rate and latency need.
resource "google_project_iam_member" "redeploy_reads_metrics" {
  project = var.project_id
  role    = "roles/monitoring.viewer"
  member  = google_service_account.redeploy.member
}

resource "google_project_iam_member" "redeploy_moves_traffic" {
  project = var.project_id
  role    = google_project_iam_custom_role.traffic_operator.id
  member  = google_service_account.redeploy.member
}

# It decides by a forecast's record, under its lock, and records its actions.
resource "google_storage_bucket_iam_member" "redeploy_writes_state" {
  bucket = google_storage_bucket.mlspec["state"].name
  role   = "roles/storage.objectUser"
  member = google_service_account.redeploy.member

  condition {
    title      = "all but Terraform state"
    expression = "!resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.mlspec["state"].name}/objects/${local.terraform_prefix}\")"
  }
}

# Checks a version's files by names and sizes. It reads neither files nor data.
resource "google_storage_bucket_iam_member" "redeploy_lists_models" {
  bucket = google_storage_bucket.mlspec["models"].name
  role   = google_project_iam_custom_role.file_lister.id
  member = google_service_account.redeploy.member
}

# An alert may only start the reconcile job.
resource "google_cloud_run_v2_job_iam_member" "redeploy_starts_reconcile" {
  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_job.reconcile.name
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = google_service_account.redeploy.member
}

# It looks at the image that the job runs, as everyone does who routes traffic; it registers nothing.
resource "google_cloud_run_v2_job_iam_member" "redeploy_reads_reconcile" {
  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_job.reconcile.name
  role     = "roles/run.viewer"
  member   = google_service_account.redeploy.member
}

# --- reconcile: the loop --------------------------------------------------------------------------------------------------

resource "google_project_iam_member" "reconcile_writes_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.reconcile.member
}

resource "google_project_iam_member" "reconcile_writes_metrics" {
  project = var.project_id
  role    = "roles/monitoring.metricWriter"
  member  = google_service_account.reconcile.member
}

resource "google_project_iam_member" "reconcile_reads_metrics" {
  project = var.project_id
  role    = "roles/monitoring.viewer"
  member  = google_service_account.reconcile.member
}

# The log of a step's container that ended without a result.
resource "google_project_iam_member" "reconcile_reads_logs" {
  project = var.project_id
  role    = "roles/logging.viewer"
  member  = google_service_account.reconcile.member
}

resource "google_project_iam_member" "reconcile_operates_models" {
  project = var.project_id
  role    = google_project_iam_custom_role.model_operator.id
  member  = google_service_account.reconcile.member
}

resource "google_pubsub_topic_iam_member" "reconcile_publishes_alerts" {
  project = var.project_id
  topic   = google_pubsub_topic.alerts.name
  role    = "roles/pubsub.publisher"
  member  = google_service_account.reconcile.member
}

resource "google_storage_bucket_iam_member" "reconcile_reads_data" {
  bucket = google_storage_bucket.mlspec["data"].name
  role   = "roles/storage.objectViewer"
  member = google_service_account.reconcile.member
}

resource "google_storage_bucket_iam_member" "reconcile_reads_models" {
  bucket = google_storage_bucket.mlspec["models"].name
  role   = "roles/storage.objectViewer"
  member = google_service_account.reconcile.member
}

# May add files, but not overwrite or delete them: a file's name is the digest of its content.
resource "google_storage_bucket_iam_member" "reconcile_adds_models" {
  bucket = google_storage_bucket.mlspec["models"].name
  role   = "roles/storage.objectCreator"
  member = google_service_account.reconcile.member
}

# Without this grant, `retention` in mlspec.yaml prunes the record, and the files of models stay.
resource "google_storage_bucket_iam_member" "reconcile_prunes_models" {
  count  = var.prune_models ? 1 : 0
  bucket = google_storage_bucket.mlspec["models"].name
  role   = google_project_iam_custom_role.file_pruner.id
  member = google_service_account.reconcile.member
}

# For a private endpoint a version is registered again with the data of each forecast. What nothing needs of that goes with this grant.
resource "google_project_iam_member" "reconcile_prunes_versions" {
  count   = var.prune_models ? 1 : 0
  project = var.project_id
  role    = google_project_iam_custom_role.model_remover.id
  member  = google_service_account.reconcile.member
}

# It starts the forecasts' jobs, which run the steps, and waits for them.
resource "google_project_iam_member" "reconcile_watches_executions" {
  project = var.project_id
  role    = "roles/run.viewer"
  member  = google_service_account.reconcile.member
}

# If many forecasts have work, it starts its own job with more tasks, and each works on its share.
resource "google_cloud_run_v2_job_iam_member" "reconcile_starts_tasks" {
  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_job.reconcile.name
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = google_service_account.reconcile.member
}

# It writes into a forecast's table by a load job. Each forecast's Terraform grants access to its own table.
resource "google_project_iam_member" "reconcile_runs_loads" {
  project = var.project_id
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.reconcile.member
}

resource "google_storage_bucket_iam_member" "reconcile_writes_state" {
  bucket = google_storage_bucket.mlspec["state"].name
  role   = "roles/storage.objectUser"
  member = google_service_account.reconcile.member

  condition {
    title      = "all but Terraform state"
    expression = "!resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.mlspec["state"].name}/objects/${local.terraform_prefix}\")"
  }
}

# --- tick: Cloud Scheduler ------------------------------------------------------------------------------------------------

resource "google_cloud_run_v2_job_iam_member" "tick_starts_reconcile" {
  count    = var.reconcile_schedule == null ? 0 : 1
  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_job.reconcile.name
  role     = "roles/run.invoker"
  member   = google_service_account.tick.member
}

# --- push: Pub/Sub calls the function -------------------------------------------------------------------------------------

# A function of the second generation is a Cloud Run service, and is called as one.
resource "google_cloud_run_v2_service_iam_member" "push_calls_redeploy" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.redeploy.name
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}

# Only on this account: a grant on the project would let Pub/Sub act as any account.
resource "google_service_account_iam_member" "pubsub_mints_push_tokens" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_project_service_identity.agent["pubsub.googleapis.com"].member
}

# --- fbuild: the build of the function ------------------------------------------------------------------------------------

resource "google_project_iam_member" "fbuild_writes_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.fbuild.member
}

# Cloud Functions first copies the source into its own bucket, which it creates at the first deployment.
resource "google_project_iam_member" "fbuild_reads_staged_source" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.fbuild.member

  condition {
    title      = "only staged function sources"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-${var.region}\")"
  }
}

resource "google_storage_bucket_iam_member" "fbuild_reads_source" {
  bucket = google_storage_bucket.mlspec["source"].name
  role   = "roles/storage.objectViewer"
  member = google_service_account.fbuild.member
}

resource "google_artifact_registry_repository_iam_member" "fbuild_writes_functions" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.functions.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.fbuild.member
}

# --- build: applies the forecasts -----------------------------------------------------------------------------------------

resource "google_project_iam_member" "build_writes_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

resource "google_project_iam_member" "build_applies_forecasts" {
  project = var.project_id
  role    = google_project_iam_custom_role.forecast_applier.id
  member  = google_service_account.build.member
}

# The list has every role that a rendered forecast grants. If a role is missing here, the apply fails with a 403.
resource "google_project_iam_member" "build_grants_to_forecasts" {
  project = var.project_id
  role    = google_project_iam_custom_role.forecast_granter.id
  member  = google_service_account.build.member

  condition {
    title = "only what a forecast grants"
    expression = format("api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([%s])", join(", ", [
      "'roles/bigquery.dataViewer'",
      "'roles/bigquery.jobUser'",
      "'roles/iam.serviceAccountUser'",
      "'roles/logging.logWriter'",
      "'roles/monitoring.metricWriter'",
      "'roles/pubsub.publisher'",
      "'roles/pubsub.subscriber'",
      "'roles/run.jobsExecutorWithOverrides'",
      "'roles/secretmanager.secretAccessor'",
      "'roles/storage.objectCreator'",
      "'roles/storage.objectUser'",
      "'roles/storage.objectViewer'",
      "'${google_project_iam_custom_role.table_writer.id}'",
    ]))
  }
}

# --- plan: a build of a pull request ----------------------------------------------------------------------------------------
# It runs code of a pull request, so it has only read access, and none to data, models or values of secrets.

resource "google_project_iam_member" "plan_writes_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.plan.member
}

resource "google_project_iam_member" "plan_reads_forecasts" {
  project = var.project_id
  role    = google_project_iam_custom_role.forecast_reader.id
  member  = google_service_account.plan.member
}

resource "google_storage_bucket_iam_member" "plan_reads_state" {
  bucket = google_storage_bucket.mlspec["state"].name
  role   = "roles/storage.objectViewer"
  member = google_service_account.plan.member
}

# A plan says which files of a version are missing. It reads none.
resource "google_storage_bucket_iam_member" "plan_lists_models" {
  bucket = google_storage_bucket.mlspec["models"].name
  role   = google_project_iam_custom_role.file_lister.id
  member = google_service_account.plan.member
}

resource "google_storage_bucket_iam_member" "plan_reads_dags" {
  bucket = google_storage_bucket.mlspec["dags"].name
  role   = "roles/storage.objectViewer"
  member = google_service_account.plan.member
}

resource "google_artifact_registry_repository_iam_member" "plan_reads_images" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.mlspec.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.plan.member
}

# --- build: what it creates -----------------------------------------------------------------------------------------------

resource "google_artifact_registry_repository_iam_member" "build_writes_images" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.mlspec.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

# After the infrastructure is applied, `mlspec apply --hand-over` gives the reconcile job the build's image and starts it: it makes the
# forecasts under its own account. mlspecForecastApplier has the change of a job; the account of a job asks for the grant below
# (cloud.google.com/run/docs/reference/iam/roles#additional-configuration).
resource "google_cloud_run_v2_job_iam_member" "build_starts_reconcile" {
  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_job.reconcile.name
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = google_service_account.build.member
}

resource "google_service_account_iam_member" "build_acts_as_reconcile" {
  service_account_id = google_service_account.reconcile.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.build.member
}

resource "google_storage_bucket_iam_member" "build_writes_state" {
  bucket = google_storage_bucket.mlspec["state"].name
  role   = "roles/storage.objectUser"
  member = google_service_account.build.member
}

resource "google_storage_bucket_iam_member" "build_lists_models" {
  bucket = google_storage_bucket.mlspec["models"].name
  role   = google_project_iam_custom_role.file_lister.id
  member = google_service_account.build.member
}

resource "google_storage_bucket_iam_member" "build_writes_dags" {
  bucket = google_storage_bucket.mlspec["dags"].name
  role   = "roles/storage.objectUser"
  member = google_service_account.build.member

  condition {
    title      = "only DAGs, and listing"
    expression = "resource.type == \"storage.googleapis.com/Bucket\" || resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.mlspec["dags"].name}/objects/dags/\")"
  }
}

# A workflow on the branch. build.tf says which runs these members are.
resource "google_service_account_iam_member" "github_acts_as_build" {
  count              = var.github == null ? 0 : 1
  service_account_id = google_service_account.build.name
  role               = "roles/iam.workloadIdentityUser"
  member             = local.workflow_members["apply"]
}

# A workflow for a pull request.
resource "google_service_account_iam_member" "github_acts_as_plan" {
  count              = var.github == null ? 0 : 1
  service_account_id = google_service_account.plan.name
  role               = "roles/iam.workloadIdentityUser"
  member             = local.workflow_members["plan"]
}

resource "google_secret_manager_secret_iam_member" "cloudbuild_reads_github_token" {
  count     = local.make_connection ? 1 : 0
  project   = var.project_id
  secret_id = split("/versions/", var.github.token_secret_version)[0]
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-cloudbuild.iam.gserviceaccount.com"
}

# --- Google's own agents --------------------------------------------------------------------------------------------------

# An agent that is created before the first use of its service may lack the role that the first use would grant
# (cloud.google.com/iam/docs/create-service-agents). Each agent acts for its own service in this project.

resource "google_project_iam_member" "aiplatform_acts" {
  #checkov:skip=CKV_GCP_49:Google's own agent, which acts for its service in the whole project
  project = var.project_id
  role    = "roles/aiplatform.serviceAgent"
  member  = google_project_service_identity.agent["aiplatform.googleapis.com"].member
}

resource "google_project_iam_member" "artifactregistry_acts" {
  project = var.project_id
  role    = "roles/artifactregistry.serviceAgent"
  member  = google_project_service_identity.agent["artifactregistry.googleapis.com"].member
}

resource "google_project_iam_member" "cloudfunctions_acts" {
  #checkov:skip=CKV_GCP_49:Google's own agent, which acts for its service in the whole project
  project = var.project_id
  role    = "roles/cloudfunctions.serviceAgent"
  member  = google_project_service_identity.agent["cloudfunctions.googleapis.com"].member
}

resource "google_project_iam_member" "cloudscheduler_acts" {
  #checkov:skip=CKV_GCP_49:Google's own agent, which acts for its service in the whole project
  project = var.project_id
  role    = "roles/cloudscheduler.serviceAgent"
  member  = google_project_service_identity.agent["cloudscheduler.googleapis.com"].member
}

resource "google_project_iam_member" "composer_acts" {
  #checkov:skip=CKV_GCP_49:Google's own agent, which acts for its service in the whole project
  project = var.project_id
  role    = "roles/composer.serviceAgent"
  member  = google_project_service_identity.agent["composer.googleapis.com"].member
}

resource "google_project_iam_member" "run_acts" {
  #checkov:skip=CKV_GCP_49:Google's own agent, which acts for its service in the whole project
  project = var.project_id
  role    = "roles/run.serviceAgent"
  member  = google_project_service_identity.agent["run.googleapis.com"].member
}

resource "google_pubsub_topic_iam_member" "monitoring_publishes_alerts" {
  project = var.project_id
  topic   = google_pubsub_topic.alerts.name
  role    = "roles/pubsub.publisher"
  member  = google_project_service_identity.agent["monitoring.googleapis.com"].member
}

resource "google_pubsub_topic_iam_member" "secret_manager_publishes_rotation" {
  project = var.project_id
  topic   = google_pubsub_topic.secret_rotation.name
  role    = "roles/pubsub.publisher"
  member  = google_project_service_identity.agent["secretmanager.googleapis.com"].member
}

# Dead lettering needs two permissions: to publish to the dead letter topic, and to acknowledge on the subscription.

resource "google_pubsub_topic_iam_member" "pubsub_publishes_dead_letters" {
  project = var.project_id
  topic   = google_pubsub_topic.alerts_dead.name
  role    = "roles/pubsub.publisher"
  member  = google_project_service_identity.agent["pubsub.googleapis.com"].member
}

resource "google_pubsub_subscription_iam_member" "pubsub_takes_dead_letters" {
  project      = var.project_id
  subscription = google_pubsub_subscription.alerts_push.name
  role         = "roles/pubsub.subscriber"
  member       = google_project_service_identity.agent["pubsub.googleapis.com"].member
}

# Cloud Storage delivers access logs as this group (cloud.google.com/storage/docs/access-logs). An organisation that allows members of its
# own domain alone (iam.allowedPolicyMemberDomains) has to allow Google's too, or this grant is refused.
resource "google_storage_bucket_iam_member" "storage_delivers_access_logs" {
  bucket = google_storage_bucket.access_logs.name
  role   = "roles/storage.objectCreator"
  member = "group:cloud-storage-analytics@google.com"
}
