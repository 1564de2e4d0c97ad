# Airflow. Its tasks start containers and wait for them. mlspec is not installed in the environment, so a new release of mlspec is only
# a new image digest in a DAG.

resource "google_composer_environment" "mlspec" {
  project         = var.project_id
  region          = var.region
  name            = "mlspec"
  deletion_policy = "PREVENT"

  # The platform's bucket: a bucket that Composer creates has neither this key nor versions, and stays after the environment.
  storage_config { bucket = google_storage_bucket.mlspec["dags"].name }

  config {
    environment_size           = "ENVIRONMENT_SIZE_SMALL" # its workers only start containers
    resilience_mode            = "STANDARD_RESILIENCE"    # if a zone fails, the next run finishes the work
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

      # The runner of the DAGs reads these: where a task runs its step, and in which pool of Airflow.
      env_variables = {
        MLSPEC_RUNNER       = "cloud-run"
        MLSPEC_PROJECT      = var.project_id
        MLSPEC_REGION       = var.region
        MLSPEC_ALERTS_TOPIC = google_pubsub_topic.alerts.id
        MLSPEC_POOL         = var.airflow_pool
      }

      airflow_config_overrides = {
        "api-expose_config"                = "False"
        "core-dags_are_paused_at_creation" = "False" # a DAG is deployed only by a reviewed apply
        "core-max_active_runs_per_dag"     = "1"
      }
    }

    # Composer requires at least twelve hours a week.
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
    create = "90m" # usually about 25 minutes
    update = "90m"
  }

  lifecycle { prevent_destroy = true }
  depends_on = [google_kms_crypto_key_iam_member.agent, google_project_iam_member.dag_composer_worker]
}
