# The job that changes which model serves, under one account: it runs the DAG's steps that act, and the reconcile loop.
# It has a schedule unless reconcile_schedule is null.
#
# Terraform owns the job, and `mlspec apply --hand-over` owns its image: a build pushes an image that holds the commit's specs, and puts
# it here when all else is applied. So image is ignored below, as is usual where a pipeline deploys to what Terraform made
# (github.com/hashicorp/terraform-provider-google/issues/13435). Terraform sends the whole job with each change of it: apply this folder
# while no build applies, or the job may get the image back that it had at the plan.

resource "google_cloud_run_v2_job" "reconcile" {
  project             = var.project_id
  location            = var.region
  name                = "mlspec-reconcile"
  deletion_protection = true
  deletion_policy     = "PREVENT"

  binary_authorization { use_default = true }

  template {
    task_count = 1 # a pass in which many forecasts have work starts an execution with more tasks, all at once

    template {
      service_account       = google_service_account.reconcile.email
      encryption_key        = local.kms_key
      execution_environment = "EXECUTION_ENVIRONMENT_GEN2"
      max_retries           = 0       # the caller reads the exit code and decides about a retry
      timeout               = "1800s" # no longer than a half-hourly schedule's interval

      containers {
        image = var.step_image                                           # the first one
        args  = ["reconcile", "--once", "--target", var.target, "--yes"] # creating this job approves the loop's actions

        resources { limits = { cpu = "1", memory = "1Gi" } }

        env {
          name  = "MLSPEC_PROJECT"
          value = var.project_id
        }
        env {
          name  = "MLSPEC_REGION"
          value = var.region
        }
        env {
          name  = "MLSPEC_FOLLOW" # for so long it goes on with jobs and deployments as they end; the next execution finds the rest
          value = "25m"
        }
        env {
          name  = "MLSPEC_TASKS"
          value = tostring(var.reconcile_tasks)
        }
        env {
          name  = "MLSPEC_RUNNER" # steps run in the forecasts' own jobs, which have more memory and can neither record nor deploy
          value = "cloud-run"
        }
      }

      vpc_access {
        egress = "ALL_TRAFFIC"
        network_interfaces {
          network    = local.network
          subnetwork = local.subnetwork
        }
      }
    }
  }

  lifecycle { ignore_changes = [template[0].template[0].containers[0].image] }

  depends_on = [google_kms_crypto_key_iam_member.agent]
}

resource "google_cloud_scheduler_job" "reconcile" {
  count            = var.reconcile_schedule == null ? 0 : 1
  project          = var.project_id
  region           = var.region
  name             = "mlspec-reconcile"
  description      = "Starts the reconcile job"
  schedule         = var.reconcile_schedule
  time_zone        = "Etc/UTC" # a zone with summer time skips a run in March and repeats one in October
  attempt_deadline = "60s"

  retry_config {
    retry_count          = 3
    min_backoff_duration = "10s"
    max_backoff_duration = "120s"
    max_doublings        = 3
  }

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_job.reconcile.id}:run"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode("{}")

    oauth_token { # a Google API needs an OAuth token, not OIDC
      service_account_email = google_service_account.tick.email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  depends_on = [google_cloud_run_v2_job_iam_member.tick_starts_reconcile, google_project_service_identity.agent]
}
