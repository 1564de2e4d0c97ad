# Applies the specs after a merge: Cloud Build runs the repository's cloudbuild.yaml as mlspec-build. What it will do was shown and
# reviewed in the pull request, so no person stands between a commit on the branch and the forecast; `approve_builds` asks one as well.
# Protect the branch: whoever can push to it can apply. A GitHub workflow can act by workload identity: as mlspec-build on that branch only, as mlspec-plan, which only reads, for a
# pull request to that branch.

locals {
  substitutions = { _TARGET = var.target, _REGION = var.region }

  make_connection = var.github != null && var.build_repository == null && var.build_connection == null
  make_repository = var.github != null && var.build_repository == null
  make_pool       = var.github != null && var.workload_identity_pool == null

  build_connection = var.build_connection != null ? var.build_connection : one(google_cloudbuildv2_connection.github[*].id)
  build_repository = var.build_repository != null ? var.build_repository : one(google_cloudbuildv2_repository.specs[*].id)
  identity_pool    = var.workload_identity_pool != null ? var.workload_identity_pool : one(google_iam_workload_identity_pool.github[*].name)

  # What a workflow's run is: apply-ID on the branch, plan-ID for a pull request, where ID is the repository's number. The subject is not
  # compared: its form differs with the repository's age and with the job's environment (docs.github.com/actions/reference/security/oidc).
  # GitHub gives the run of a fork's pull request no token. A workflow on pull_request_target runs a stranger's code, and gets nothing here.
  workflow_attribute = var.github == null ? null : join(" ", [
    "assertion.event_name in ['push', 'workflow_dispatch'] && assertion.ref == 'refs/heads/${var.github.branch}'",
    "? 'apply-' + assertion.repository_id",
    ": assertion.event_name == 'pull_request' && assertion.base_ref == '${var.github.branch}'",
    "? 'plan-' + assertion.repository_id : 'nothing'",
  ])
  workflow_condition = var.github == null ? null : "assertion.repository_id == '${var.github.repository_id}' && attribute.mlspec != 'nothing'"
  workflow_members = var.github == null ? null : {
    for job in ["apply", "plan"] :
    job => "principalSet://iam.googleapis.com/${local.identity_pool}/attribute.mlspec/${job}-${var.github.repository_id}"
  }
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
  #checkov:skip=CKV2_MLSPEC_11:a pull request was reviewed, with the plan; approve_builds asks a person as well
  count           = var.github == null ? 0 : 1
  project         = var.project_id
  location        = var.region # the default, global, is outside the region and does not support 2nd generation repositories
  name            = "mlspec-apply"
  description     = "Builds the image of the specs, plans and applies them"
  service_account = google_service_account.build.id
  filename        = "cloudbuild.yaml"

  approval_config { approval_required = var.approve_builds }

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

# Without the condition, every repository on GitHub could exchange its token here.
resource "google_iam_workload_identity_pool_provider" "github" {
  #checkov:skip=CKV_GCP_125:it compares the repository's number, the event and the branch; the check knows the subject only
  count                              = local.make_pool ? 1 : 0
  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.github[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "github-oidc"
  attribute_condition                = local.workflow_condition

  attribute_mapping = {
    "google.subject"   = "assertion.sub"
    "attribute.mlspec" = local.workflow_attribute
  }

  oidc { issuer_uri = "https://token.actions.githubusercontent.com" }
}
