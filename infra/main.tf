# The platform of all forecasts in one Google Cloud project, applied once.
#
# mlspec renders the resources of one forecast (its accounts train and serve, its Cloud Run job, endpoint, dataset, alert policies,
# secrets) from its spec. They refer to this platform by names: no forecast reads this Terraform state.

locals {
  # Composer refuses label keys with an underscore and values that start with a digit.
  labels = { "managed-by" = "mlspec" }

  kms_key    = var.kms_key == null ? google_kms_crypto_key.mlspec[0].id : var.kms_key
  network    = var.network == null ? google_compute_network.mlspec[0].id : var.network
  subnetwork = var.subnetwork == null ? google_compute_subnetwork.mlspec[0].id : var.subnetwork

  # Forecasts keep their Terraform state under this prefix of the state bucket; no running workload may write there.
  terraform_prefix = "terraform/"
}

# The project's number, which is part of the names of some Google-owned buckets.
data "google_project" "this" {
  project_id = var.project_id
}
