# Service accounts: one per job, without keys. No workload runs as a default account. Each forecast's Terraform adds two accounts,
# NAME-train and NAME-serve.

resource "google_service_account" "dag" {
  project      = var.project_id
  account_id   = "mlspec-dag"
  display_name = "mlspec: Composer, starts the steps of a forecast"
}

resource "google_service_account" "redeploy" {
  project      = var.project_id
  account_id   = "mlspec-redeploy"
  display_name = "mlspec: the function that redeploys or rolls back"
}

resource "google_service_account" "reconcile" {
  project      = var.project_id
  account_id   = "mlspec-reconcile"
  display_name = "mlspec: the reconcile job"
}

resource "google_service_account" "build" {
  project      = var.project_id
  account_id   = "mlspec-build"
  display_name = "mlspec: CI, applies the forecasts' Terraform"
}

resource "google_service_account" "plan" {
  project      = var.project_id
  account_id   = "mlspec-plan"
  display_name = "mlspec: CI, plans pull requests"
}

resource "google_service_account" "fbuild" {
  project      = var.project_id
  account_id   = "mlspec-fbuild"
  display_name = "mlspec: builds the function's container"
}

resource "google_service_account" "tick" {
  project      = var.project_id
  account_id   = "mlspec-tick"
  display_name = "mlspec: Cloud Scheduler, starts the reconcile job"
}

resource "google_service_account" "push" {
  project      = var.project_id
  account_id   = "mlspec-push"
  display_name = "mlspec: Pub/Sub, calls the function"
}
