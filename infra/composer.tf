# Airflow. Its tasks start containers and wait for them: nothing of mlspec is installed here, so a release of mlspec is a new
# image digest in a DAG and never a rebuild of the environment.

resource "google_composer_environment" "mlspec" {
  project         = var.project_id
  region          = var.region
  name            = "mlspec"
  deletion_policy = "PREVENT"

  # A bucket of our own: one that Composer makes has neither our key nor versions, and outlives the environment.
  storage_config { bucket = google_storage_bucket.mlspec["dags"].name }

  config {
    environment_size           = "ENVIRONMENT_SIZE_SMALL" # its preset of workers is enough to start containers
    resilience_mode            = "STANDARD_RESILIENCE"    # a run that dies with its zone is finished by the next one
    enable_private_environment = true
    enable_private_builds_only = true

    encryption_config { kms_key_name = local.kms_key }

    node_config {
      network         = local.network
      subnetwork      = local.subnetwork
      service_account = google_service_account.dag.email
    }

    software_config {
      image_version           = var.composer_image
      web_server_plugins_mode = "DISABLED"

      # What the DAGs' runner reads: where and by what a task runs its step.
      env_variables = {
        MLSPEC_RUNNER       = "cloud-run"
        MLSPEC_PROJECT      = var.project_id
        MLSPEC_REGION       = var.region
        MLSPEC_ALERTS_TOPIC = google_pubsub_topic.alerts.id
      }

      airflow_config_overrides = {
        "api-expose_config"                = "False"
        "core-dags_are_paused_at_creation" = "False" # a DAG gets here by a reviewed apply
        "core-max_active_runs_per_dag"     = "1"
      }
    }

    # Twelve hours a week, at least, is what Composer asks for.
    maintenance_window {
      start_time = "2026-01-03T01:00:00Z"
      end_time   = "2026-01-03T07:00:00Z"
      recurrence = "FREQ=WEEKLY;BYDAY=SA,SU"
    }

    recovery_config {
      scheduled_snapshots_config {
        enabled                    = true
        snapshot_location          = "gs://${google_storage_bucket.mlspec["state"].name}/composer-snapshots"
        snapshot_creation_schedule = "0 3 * * *"
        time_zone                  = "UTC"
      }
    }

    data_retention_config {
      airflow_metadata_retention_config {
        retention_mode = "RETENTION_MODE_ENABLED"
        retention_days = 60
      }
    }
  }

  timeouts {
    create = "90m" # about 25 minutes on a good day
    update = "90m"
  }

  lifecycle { prevent_destroy = true }
  depends_on = [google_kms_crypto_key_iam_member.agent, google_project_iam_member.dag_composer_worker]
}
