# wrong: 17
resource "google_project_iam_member" "owner" {
  project = "p"
  role    = "roles/owner"
  member  = "user:a@example.com"
}

# wrong: 17
resource "google_project_iam_member" "admin_by_reference" {
  project = "p"
  role    = "roles/storage.admin"
  member  = google_service_account.any.member
}

resource "google_service_account" "any" {
  account_id = "any"
}

# wrong: 16
resource "google_project_iam_member" "hidden_in_a_variable" {
  project = "p"
  role    = var.role
  member  = "user:a@example.com"
}

variable "role" { type = string }

# wrong: 16
resource "google_project_iam_member" "hidden_behind_each" {
  for_each = merge([for list in [["roles/owner"]] : { for role in list : role => { role = role } }]...)
  project  = "p"
  role     = each.value.role
  member   = "user:a@example.com"
}

# wrong: 17
resource "google_project_iam_member" "expanded" {
  for_each = toset(["roles/viewer"])
  project  = "p"
  role     = each.value
  member   = "user:a@example.com"
}

# wrong: 17
resource "google_service_account_iam_member" "account_admin" {
  service_account_id = "projects/p/serviceAccounts/a@p.iam.gserviceaccount.com"
  role               = "roles/iam.serviceAccountAdmin"
  member             = "user:a@example.com"
}

# wrong: 17
resource "google_storage_bucket_iam_member" "object_admin" {
  bucket = "b"
  role   = "roles/storage.objectAdmin"
  member = "serviceAccount:a@p.iam.gserviceaccount.com"
}

# wrong: 16
resource "google_pubsub_topic_iam_member" "hidden_on_a_topic" {
  topic  = "t"
  role   = var.role
  member = "user:a@example.com"
}

# wrong: 18
resource "google_cloud_run_v2_job_iam_member" "anyone" {
  name   = "j"
  role   = "roles/run.invoker"
  member = "allUsers"
}

# wrong: 18
resource "google_cloud_run_v2_service_iam_member" "any_google_account" {
  name   = "s"
  role   = "roles/run.invoker"
  member = "allAuthenticatedUsers"
}

# wrong: 19
resource "google_project_iam_binding" "drops_others" {
  project = "p"
  role    = "roles/logging.logWriter"
  members = ["user:a@example.com"]
}

# wrong: 19
resource "google_storage_bucket_iam_policy" "drops_all" {
  bucket      = "b"
  policy_data = "{}"
}
