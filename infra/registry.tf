# Images of mlspec, one per release. Jobs refer to them by digest. Tags never move.

resource "google_artifact_registry_repository" "mlspec" {
  project         = var.project_id
  location        = var.region
  repository_id   = "mlspec"
  description     = "Step images of mlspec"
  format          = "DOCKER"
  kms_key_name    = local.kms_key
  deletion_policy = "PREVENT"

  docker_config { immutable_tags = true }
  vulnerability_scanning_config { enablement_config = "INHERITED" }

  # Images are never deleted: a rollback may need an old image.
  cleanup_policy_dry_run = true
  cleanup_policies {
    id     = "keep-the-last-20"
    action = "KEEP"
    most_recent_versions { keep_count = 20 }
  }

  lifecycle { prevent_destroy = true }
  depends_on = [google_kms_crypto_key_iam_member.agent]
}

# A function's build moves its tags with each deployment, so it has a separate repository. An encrypted function requires that the
# repository has the same key.

resource "google_artifact_registry_repository" "functions" {
  project         = var.project_id
  location        = var.region
  repository_id   = "mlspec-functions"
  description     = "Images of the redeploy function, built by Cloud Build"
  format          = "DOCKER"
  kms_key_name    = local.kms_key
  deletion_policy = "PREVENT"

  depends_on = [google_kms_crypto_key_iam_member.agent]
}
