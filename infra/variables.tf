variable "project_id" {
  description = "The Google Cloud project. Everything in one project trusts each other: use a separate project for production."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id has 6 to 30 of a-z, 0-9 and -, starts with a letter and does not end with a hyphen."
  }
}

variable "region" {
  description = "The region of all resources, including data and logs."
  type        = string
  default     = "europe-west1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region names one region, such as europe-west1: no multi-region and not global."
  }
}

variable "target" {
  description = "Name of this project's target in mlspec.yaml."
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
  description = "Full name of an existing key in the same region, for example in a separate project for keys; null creates one. The owner of an existing key must grant it to the output kms_members."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is projects/P/locations/R/keyRings/RING/cryptoKeys/KEY."
  }
  validation {
    condition     = var.kms_key == null || strcontains(coalesce(var.kms_key, "-"), "/locations/${var.region}/")
    error_message = "kms_key must be in the region of the platform: Google refuses another region."
  }
}

variable "network" {
  description = "Full name of an existing VPC network, such as a shared one; null creates one. Set it together with subnetwork."
  type        = string
  default     = null

  validation {
    condition     = var.network == null || can(regex("^projects/[^/]+/global/networks/[^/]+$", var.network))
    error_message = "network is projects/P/global/networks/N."
  }
  validation {
    condition     = (var.network == null) == (var.subnetwork == null)
    error_message = "Set both network and subnetwork, or neither."
  }
}

variable "subnetwork" {
  description = "Full name of an existing subnetwork in the region, with Private Google Access; null creates one. Set it together with network."
  type        = string
  default     = null

  validation {
    condition     = var.subnetwork == null || can(regex("^projects/[^/]+/regions/[^/]+/subnetworks/[^/]+$", var.subnetwork))
    error_message = "subnetwork is projects/P/regions/R/subnetworks/S."
  }
}

variable "subnetwork_range" {
  description = "Address range of the created subnetwork. Cloud Run uses two addresses per running instance."
  type        = string
  default     = "10.31.0.0/22"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.subnetwork_range))
    error_message = "subnetwork_range is an IPv4 range, such as 10.31.0.0/22."
  }
}

variable "composer_image" {
  description = "Airflow image of Composer 3, pinned to a build: an alias such as composer-3-airflow-3 can change to a newer image."
  type        = string
  default     = "composer-3-airflow-3.2.2-build.1"
  nullable    = false

  validation {
    condition     = can(regex("^composer-3-airflow-3\\.[0-9]+\\.[0-9]+-build\\.[0-9]+$", var.composer_image))
    error_message = "composer_image is composer-3-airflow-3.Y.Z-build.N; the DAGs are written for Airflow 3."
  }
}

variable "airflow_pool" {
  description = "Airflow pool of all tasks of the DAGs. Airflow never runs a task whose pool is missing: make it before you name it."
  type        = string
  default     = "default_pool"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{1,250}$", var.airflow_pool))
    error_message = "airflow_pool is the name of a pool: letters, digits, dots, dashes and underscores."
  }
}

variable "prune_models" {
  description = "Let the loop delete files of models and data, and registered versions, that `retention` in mlspec.yaml does not keep."
  type        = bool
  default     = false
}

variable "reconcile_schedule" {
  description = "Cron expression in UTC for the reconcile job, which finishes what takes longer than one execution; null creates no schedule."
  type        = string
  default     = "*/30 * * * *"

  validation {
    condition     = var.reconcile_schedule == null || length(split(" ", coalesce(var.reconcile_schedule, "-"))) == 5
    error_message = "reconcile_schedule is a cron expression of five fields, such as */30 * * * *."
  }
}

variable "reconcile_tasks" {
  description = "How many tasks of the reconcile job share the forecasts at most, when many have work; each works on 20 or more."
  type        = number
  default     = 10

  validation {
    condition     = var.reconcile_tasks >= 1 && var.reconcile_tasks <= 100 && floor(var.reconcile_tasks) == var.reconcile_tasks
    error_message = "reconcile_tasks is a whole number from 1 to 100."
  }
}

# The default is Google's sample of a job, with the digest that Google's own pages name (cloud.google.com/deploy/docs/deploy-app-run).
variable "step_image" {
  description = "Image with which the reconcile job is created, by digest; builds replace it. The default does nothing."
  type        = string
  default     = "us-docker.pkg.dev/cloudrun/container/job@sha256:8eb3f5e72586de6375abe95aa67511c57c61d35fb37d5670e4d68624a68ef916"
  nullable    = false

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.step_image))
    error_message = "step_image is pinned by digest: R-docker.pkg.dev/P/mlspec/step@sha256:..."
  }
}

variable "github" {
  description = <<-EOT
    The GitHub repository with the specs; null creates no trigger and no workload identity. repository_id is the repository's
    number at GitHub: somebody else can register a deleted name again, but not a number. app_installation_id and
    token_secret_version (projects/P/secrets/S/versions/N) are needed if the connection is created here.
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
    condition     = var.github == null || can(regex("^[A-Za-z0-9._/-]+$", var.github.branch))
    error_message = "github.branch is the name of a branch, without quotes or spaces: it stands in a condition."
  }
  validation {
    condition = (
      var.github == null || var.build_repository != null || var.build_connection != null ||
      try(var.github.app_installation_id != null && can(regex("^projects/[^/]+/secrets/[^/]+/versions/[^/]+$", var.github.token_secret_version)), false)
    )
    error_message = "To create the connection, github needs app_installation_id and token_secret_version (projects/P/secrets/S/versions/N); or set build_connection or build_repository."
  }
}

variable "build_connection" {
  description = "Full name of an existing Cloud Build connection, if you may not create one; null creates one."
  type        = string
  default     = null
}

variable "build_repository" {
  description = "Full name of an existing Cloud Build repository (2nd generation); null creates one on the connection."
  type        = string
  default     = null
}

variable "approve_builds" {
  description = "Let each build of the branch wait until a person approves it (roles/cloudbuild.builds.approver)."
  type        = bool
  default     = false
  nullable    = false
}

variable "workload_identity_pool" {
  description = "Full name (projects/NUMBER/locations/global/workloadIdentityPools/POOL) of an existing pool that trusts GitHub, with the output workload_identity_mapping in its provider; null creates one."
  type        = string
  default     = null
}

variable "alert_emails" {
  description = "E-mail addresses for alerts about the platform itself."
  type        = set(string)
  default     = []
  nullable    = false
}
