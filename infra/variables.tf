variable "project_id" {
  description = "The Google Cloud project. One project is one trust domain: give production its own."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id has 6 to 30 of a-z, 0-9 and -, starts with a letter and does not end with a hyphen."
  }
}

variable "region" {
  description = "The one region that everything stands in, data and logs included."
  type        = string
  default     = "europe-west1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region names one region, such as europe-west1: no multi-region and not global."
  }
}

variable "target" {
  description = "Name of the target in mlspec.yaml that this project is."
  type        = string
  default     = "prod"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.target))
    error_message = "target is a name from mlspec.yaml: lower-case letters, digits and hyphens."
  }
}

variable "function_archive" {
  description = "Path of the zip with the redeploy function's source."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.function_archive, ".zip")
    error_message = "function_archive is the path of a .zip file."
  }
}

variable "kms_key" {
  description = "Full name of a key in the same region to use, where keys live in a project of their own; null makes one. The grants on a given key are its owner's: output kms_members lists them."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is projects/P/locations/R/keyRings/RING/cryptoKeys/KEY."
  }
  validation {
    condition     = var.kms_key == null || strcontains(coalesce(var.kms_key, "-"), "/locations/${var.region}/")
    error_message = "kms_key must stand in the region of the platform: Google refuses any other."
  }
}

variable "network" {
  description = "Full name of a VPC network to use, such as a shared one; null makes one. Goes with subnetwork."
  type        = string
  default     = null

  validation {
    condition     = var.network == null || can(regex("^projects/[^/]+/global/networks/[^/]+$", var.network))
    error_message = "network is projects/P/global/networks/N."
  }
  validation {
    condition     = (var.network == null) == (var.subnetwork == null)
    error_message = "Give network and subnetwork together, or neither."
  }
}

variable "subnetwork" {
  description = "Full name of a subnetwork in the region, with Private Google Access on; null makes one. Goes with network."
  type        = string
  default     = null

  validation {
    condition     = var.subnetwork == null || can(regex("^projects/[^/]+/regions/[^/]+/subnetworks/[^/]+$", var.subnetwork))
    error_message = "subnetwork is projects/P/regions/R/subnetworks/S."
  }
}

variable "subnetwork_range" {
  description = "Addresses of the subnetwork, when it is made. Cloud Run takes two a running instance."
  type        = string
  default     = "10.31.0.0/22"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.subnetwork_range))
    error_message = "subnetwork_range is an IPv4 range, such as 10.31.0.0/22."
  }
}

variable "composer_image" {
  description = "Airflow image of Composer 3, pinned to a build: an alias such as composer-3-airflow-3 moves by itself."
  type        = string
  default     = "composer-3-airflow-3.2.2-build.1"
  nullable    = false

  validation {
    condition     = can(regex("^composer-3-airflow-3\\.[0-9]+\\.[0-9]+-build\\.[0-9]+$", var.composer_image))
    error_message = "composer_image is composer-3-airflow-3.Y.Z-build.N; the DAGs are written for Airflow 3."
  }
}

variable "reconcile_schedule" {
  description = "Cron expression in UTC at which the reconcile job runs by itself; null makes no schedule."
  type        = string
  default     = null

  validation {
    condition     = var.reconcile_schedule == null || length(split(" ", coalesce(var.reconcile_schedule, "-"))) == 5
    error_message = "reconcile_schedule is a cron expression of five fields, such as */30 * * * *."
  }
}

variable "step_image" {
  description = "Image of mlspec that the reconcile job runs, by digest; null makes no job, and DAGs cannot register or roll out."
  type        = string
  default     = null

  validation {
    condition     = var.step_image == null || can(regex("@sha256:[0-9a-f]{64}$", var.step_image))
    error_message = "step_image is pinned by digest: R-docker.pkg.dev/P/mlspec/step@sha256:..."
  }
  validation {
    condition     = var.reconcile_schedule == null || var.step_image != null
    error_message = "reconcile_schedule needs step_image: the job has to run something."
  }
}

variable "github" {
  description = <<-EOT
    The GitHub repository with the specs; null makes no trigger and no workload identity. repository_id is the number that
    GitHub gave it: a name can be registered again by a stranger, a number cannot. app_installation_id and
    token_secret_version (projects/P/secrets/S/versions/N) are needed when the connection is made here.
  EOT
  type = object({
    owner                = string
    repository           = string
    repository_id        = string
    branch               = optional(string, "main")
    app_installation_id  = optional(number)
    token_secret_version = optional(string)
  })
  default = null

  validation {
    condition     = var.github == null || can(regex("^[0-9]+$", var.github.repository_id))
    error_message = "github.repository_id is the repository's number: gh api repos/OWNER/REPOSITORY --jq .id"
  }
  validation {
    condition = (
      var.github == null || var.build_repository != null || var.build_connection != null ||
      try(var.github.app_installation_id != null && can(regex("^projects/[^/]+/secrets/[^/]+/versions/[^/]+$", var.github.token_secret_version)), false)
    )
    error_message = "To make the connection, github needs app_installation_id and token_secret_version (projects/P/secrets/S/versions/N); or give build_connection or build_repository."
  }
}

variable "build_connection" {
  description = "Full name of a Cloud Build connection to use, where making one is not allowed; null makes one."
  type        = string
  default     = null
}

variable "build_repository" {
  description = "Full name of a Cloud Build repository (2nd generation) to use; null makes one on the connection."
  type        = string
  default     = null
}

variable "build_worker_pool" {
  description = "Full name of a private worker pool to build in, where the organization demands one; null is the shared pool."
  type        = string
  default     = null
}

variable "workload_identity_pool" {
  description = "Full name (projects/NUMBER/locations/global/workloadIdentityPools/POOL) of a pool that already trusts GitHub; null makes one."
  type        = string
  default     = null
}

variable "alert_emails" {
  description = "Who is told when the platform itself is in trouble."
  type        = set(string)
  default     = []
  nullable    = false
}
