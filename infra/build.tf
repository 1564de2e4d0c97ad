# Applies the specs after a merge: Cloud Build runs the repository's cloudbuild.yaml as mlspec-build, after a person has approved
# the build. GitHub workflows can use the same account by workload identity, on that branch only.

locals {
  substitutions = merge(
    { _TARGET = var.target, _REGION = var.region },
    var.build_worker_pool == null ? {} : { _WORKER_POOL = var.build_worker_pool },
  )

  make_connection = var.github != null && var.build_repository == null && var.build_connection == null
  make_repository = var.github != null && var.build_repository == null
  make_pool       = var.github != null && var.workload_identity_pool == null

  build_connection = var.build_connection != null ? var.build_connection : one(google_cloudbuildv2_connection.github[*].id)
  build_repository = var.build_repository != null ? var.build_repository : one(google_cloudbuildv2_repository.specs[*].id)
  identity_pool    = var.workload_identity_pool != null ? var.workload_identity_pool : one(google_iam_workload_identity_pool.github[*].name)
}

resource "google_cloudbuildv2_connection" "github" {
  count    = local.make_connection ? 1 : 0
  project  = var.project_id
  location = var.region
  name     = "mlspec-github"

  github_config {
    app_installation_id = var.github.app_installation_id
    authorizer_credential { oauth_token_secret_version = var.github.token_secret_version }
  }

  depends_on = [google_secret_manager_secret_iam_member.cloudbuild_reads_github_token]
}

resource "google_cloudbuildv2_repository" "specs" {
  count             = local.make_repository ? 1 : 0
  project           = var.project_id
  location          = var.region
  name              = "mlspec-specs"
  parent_connection = local.build_connection
  remote_uri        = "https://github.com/${var.github.owner}/${var.github.repository}.git"
}

resource "google_cloudbuild_trigger" "apply" {
  count           = var.github == null ? 0 : 1
  project         = var.project_id
  location        = var.region # the default, global, is outside the region and does not support 2nd generation repositories
  name            = "mlspec-apply"
  description     = "Validates, plans and applies the specs after an approval"
  service_account = google_service_account.build.id
  filename        = "cloudbuild.yaml"

  approval_config { approval_required = true }

  repository_event_config {
    repository = local.build_repository
    push { branch = "^${var.github.branch}$" }
  }

  substitutions = merge(local.substitutions, { _APPLY = "true" })

  depends_on = [google_project_iam_member.build_writes_logs]
}

# Plans the specs of a pull request. The plan is in the build's output.
resource "google_cloudbuild_trigger" "plan" {
  #checkov:skip=CKV2_MLSPEC_11:it can only read, and a pull request of an external contributor waits for an owner's comment
  count           = var.github == null ? 0 : 1
  project         = var.project_id
  location        = var.region
  name            = "mlspec-plan"
  description     = "Tests, validates, renders and plans the specs of a pull request"
  service_account = google_service_account.plan.id
  filename        = "cloudbuild.yaml"

  repository_event_config {
    repository = local.build_repository
    pull_request {
      branch          = "^${var.github.branch}$"
      comment_control = "COMMENTS_ENABLED_FOR_EXTERNAL_CONTRIBUTORS_ONLY"
    }
  }

  substitutions = local.substitutions

  depends_on = [google_project_iam_member.plan_writes_logs]
}

# The id of a deleted pool cannot be used again for 30 days.
resource "google_iam_workload_identity_pool" "github" {
  count                     = local.make_pool ? 1 : 0
  project                   = var.project_id
  workload_identity_pool_id = "mlspec-github"
  display_name              = "mlspec GitHub"

  depends_on = [google_project_service.api]
}

# Without the condition, every repository on GitHub could exchange its token for this account.
resource "google_iam_workload_identity_pool_provider" "github" {
  count                              = local.make_pool ? 1 : 0
  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.github[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "github-oidc"
  attribute_condition                = "assertion.sub == 'repo:${var.github.owner}/${var.github.repository}:ref:refs/heads/${var.github.branch}' && assertion.repository_id == '${var.github.repository_id}'"

  attribute_mapping = {
    "google.subject"          = "assertion.sub"
    "attribute.repository_id" = "assertion.repository_id"
    "attribute.ref"           = "assertion.ref"
  }

  oidc { issuer_uri = "https://token.actions.githubusercontent.com" }
}
