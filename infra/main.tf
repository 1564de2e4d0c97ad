# The platform that every forecast of one Google Cloud project stands on, applied once.
#
# What belongs to one forecast (its accounts train and serve, its Cloud Run job, endpoint, dataset, alert policies, secrets)
# is rendered by mlspec from its spec, and finds this platform by name: no forecast reads this state.

locals {
  # Hyphens only: Composer refuses label keys with an underscore and values that start with a digit.
  labels = { "managed-by" = "mlspec" }

  kms_key    = var.kms_key == null ? google_kms_crypto_key.mlspec[0].id : var.kms_key
  network    = var.network == null ? google_compute_network.mlspec[0].id : var.network
  subnetwork = var.subnetwork == null ? google_compute_subnetwork.mlspec[0].id : var.subnetwork

  # Forecasts keep their Terraform state under this prefix of the state bucket; no running workload may write there.
  terraform_prefix = "terraform/"
}

# Gives the project's number, which the addresses of some Google-owned buckets contain.
data "google_project" "this" {
  project_id = var.project_id
}
