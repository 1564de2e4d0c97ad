# One of each type that the platform uses and the forecast in test_stand_in.py does not; not an example to follow.
provider "google" {
  project = "acme-prod"
  region  = "europe-west1"
}
provider "google-beta" {
  project = "acme-prod"
}
resource "google_compute_network" "n" {
  name                    = "mlspec"
  auto_create_subnetworks = false
}
resource "google_compute_subnetwork" "s" {
  name                     = "mlspec-europe-west1"
  network                  = google_compute_network.n.id
  region                   = "europe-west1"
  ip_cidr_range            = "10.10.0.0/20"
  private_ip_google_access = true
  log_config {
    aggregation_interval = "INTERVAL_5_SEC"
  }
}
resource "google_compute_global_address" "a" {
  name          = "mlspec-peering"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
  network       = google_compute_network.n.id
}
resource "google_service_networking_connection" "c" {
  network                 = google_compute_network.n.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.a.name]
}
resource "google_compute_firewall" "f" {
  name      = "deny"
  network   = google_compute_network.n.id
  direction = "EGRESS"
  deny { protocol = "all" }
}
resource "google_compute_route" "r" {
  name             = "r"
  network          = google_compute_network.n.id
  dest_range       = "199.36.153.8/30"
  next_hop_gateway = "default-internet-gateway"
}
resource "google_compute_router" "r" {
  name    = "r"
  network = google_compute_network.n.id
}
resource "google_compute_router_nat" "n" {
  name                               = "nat"
  router                             = google_compute_router.r.name
  region                             = google_compute_router.r.region
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}
resource "google_dns_managed_zone" "z" {
  name       = "run"
  dns_name   = "run.app."
  visibility = "private"
  private_visibility_config {
    networks { network_url = google_compute_network.n.id }
  }
}
resource "google_dns_record_set" "r" {
  name         = "*.run.app."
  managed_zone = google_dns_managed_zone.z.name
  type         = "A"
  ttl          = 300
  rrdatas      = ["199.36.153.8", "199.36.153.9"]
}
resource "google_monitoring_metric_descriptor" "v" {
  type         = "custom.googleapis.com/mlspec/value"
  metric_kind  = "GAUGE"
  value_type   = "DOUBLE"
  description  = "d"
  display_name = "d"
  labels { key = "forecast" }
  labels {
    key        = "alert"
    value_type = "STRING"
  }
  labels { key = "segment" }
}
resource "google_binary_authorization_policy" "p" {
  global_policy_evaluation_mode = "ENABLE"
  admission_whitelist_patterns { name_pattern = "europe-west1-docker.pkg.dev/acme-prod/mlspec/*" }
  default_admission_rule {
    evaluation_mode  = "ALWAYS_DENY"
    enforcement_mode = "ENFORCED_BLOCK_AND_AUDIT_LOG"
  }
}
resource "google_container_analysis_note" "n" {
  name = "n"
  attestation_authority {
    hint { human_readable_name = "x" }
  }
}
resource "google_binary_authorization_attestor" "a" {
  name = "a"
  attestation_authority_note { note_reference = google_container_analysis_note.n.name }
}
resource "google_binary_authorization_attestor_iam_member" "m" {
  attestor = google_binary_authorization_attestor.a.name
  role     = "roles/binaryauthorization.attestorsViewer"
  member   = "serviceAccount:a@acme-prod.iam.gserviceaccount.com"
}
resource "google_storage_bucket" "b" {
  name     = "acme-prod-mlspec-source"
  location = "EUROPE-WEST1"
  retention_policy { retention_period = "86400" }
}
resource "google_storage_bucket_object" "o" {
  bucket  = google_storage_bucket.b.name
  name    = "redeploy-abc.zip"
  content = "zip"
}
resource "google_storage_managed_folder" "f" {
  bucket = google_storage_bucket.b.name
  name   = "bakery/"
}
resource "google_storage_managed_folder_iam_member" "m" {
  bucket         = google_storage_bucket.b.name
  managed_folder = google_storage_managed_folder.f.name
  role           = "roles/storage.objectUser"
  member         = "serviceAccount:a@acme-prod.iam.gserviceaccount.com"
}
resource "google_cloudfunctions2_function" "f" {
  name     = "mlspec-redeploy"
  location = "europe-west1"
  build_config {
    runtime         = "python312"
    entry_point     = "on_push"
    service_account = "projects/p/serviceAccounts/mlspec-fbuild@p.iam.gserviceaccount.com"
    source {
      storage_source {
        bucket     = google_storage_bucket.b.name
        object     = google_storage_bucket_object.o.output_name
        generation = google_storage_bucket_object.o.generation
      }
    }
  }
  service_config {
    ingress_settings = "ALLOW_INTERNAL_ONLY"
    timeout_seconds  = 540
  }
}
resource "google_pubsub_subscription" "p" {
  name                 = "mlspec-alerts-push"
  topic                = "projects/acme-prod/topics/mlspec-alerts"
  ack_deadline_seconds = 600
  push_config {
    push_endpoint = google_cloudfunctions2_function.f.service_config[0].uri
    oidc_token {
      service_account_email = "mlspec-push@p.iam.gserviceaccount.com"
      audience              = google_cloudfunctions2_function.f.service_config[0].uri
    }
  }
  dead_letter_policy {
    dead_letter_topic     = "projects/acme-prod/topics/mlspec-alerts-dead"
    max_delivery_attempts = 10
  }
}
resource "google_kms_key_ring_iam_member" "m" {
  key_ring_id = "projects/acme-prod/locations/europe-west1/keyRings/mlspec"
  role        = "roles/cloudkms.viewer"
  member      = "group:a@b.com"
}
resource "google_bigquery_table_iam_member" "m" {
  dataset_id = "d"
  table_id   = "t"
  role       = "roles/bigquery.dataViewer"
  member     = "group:a@b.com"
}
resource "google_compute_subnetwork_iam_member" "m" {
  subnetwork = google_compute_subnetwork.s.name
  role       = "roles/compute.networkUser"
  member     = "group:a@b.com"
}
resource "google_logging_project_exclusion" "e" {
  name   = "e"
  filter = "severity<INFO"
}
resource "google_cloud_run_v2_service" "s" {
  name                = "s"
  location            = "europe-west1"
  deletion_protection = false
  template {
    containers { image = "a/b" }
  }
}
resource "google_eventarc_trigger" "t" {
  name     = "t"
  location = "europe-west1"
  matching_criteria {
    attribute = "type"
    value     = "google.cloud.pubsub.topic.v1.messagePublished"
  }
  destination {
    cloud_run_service {
      service = google_cloud_run_v2_service.s.name
      region  = "europe-west1"
    }
  }
}
resource "google_project_service_identity" "run" {
  provider = google-beta
  service  = "run.googleapis.com"
}
resource "google_composer_environment" "c" {
  name = "mlspec"
}
data "google_compute_network" "n" {
  name = google_compute_network.n.name
}
data "google_compute_subnetwork" "n" {
  name   = google_compute_subnetwork.s.name
  region = "europe-west1"
}
data "google_composer_environment" "c" {
  name = google_composer_environment.c.name
}
data "google_artifact_registry_repository" "c" {
  repository_id = google_artifact_registry_repository.r.repository_id
  location      = "europe-west1"
}
resource "google_artifact_registry_repository" "r" {
  repository_id = "mlspec"
  format        = "DOCKER"
}
data "google_service_account" "a" {
  account_id = google_service_account.a.account_id
}
resource "google_service_account" "a" { account_id = "mlspec-dag" }
data "google_client_config" "c" {}
output "dags" { value = data.google_composer_environment.c.config[0].dag_gcs_prefix }
output "all" { value = [google_storage_bucket.b.url, google_artifact_registry_repository.r.registry_uri, data.google_service_account.a.email, google_compute_global_address.a.address, data.google_compute_network.n.self_link, google_cloudfunctions2_function.f.service_config[0].uri, data.google_client_config.c.project] }
terraform {
  required_providers {
    google-beta = { source = "hashicorp/google-beta" }
  }
}
