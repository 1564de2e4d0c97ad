# All that infra/ can make, so that every resource of it is looked at.
project_id         = "acme-forecasts"
function_archive   = "redeploy.zip"
reconcile_schedule = "*/30 * * * *"
step_image         = "europe-west1-docker.pkg.dev/acme-forecasts/mlspec/step@sha256:0000000000000000000000000000000000000000000000000000000000000000"
alert_emails       = ["oncall@example.com"]
github = {
  owner                = "acme"
  repository           = "forecasts"
  repository_id        = "123456789"
  branch               = "main"
  app_installation_id  = 7
  token_secret_version = "projects/acme-forecasts/secrets/github/versions/1"
}
