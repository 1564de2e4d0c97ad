terraform {
  required_version = ">= 1.11.0" # for write-only arguments in a forecast's secrets

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.45.0, < 9.0.0" # deletion_policy on every resource below
    }
    # Service identities exist in the beta provider only.
    google-beta = {
      source  = "hashicorp/google-beta"
      version = ">= 7.45.0, < 9.0.0"
    }
  }

  # Set the bucket at init: terraform init -backend-config=bucket=NAME
  backend "gcs" {
    prefix = "mlspec/platform"
  }
}

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = local.labels
}

provider "google-beta" {
  project        = var.project_id
  region         = var.region
  default_labels = local.labels
}
