# The network of Composer, the function and the jobs. Nothing here has a public address; Private Google Access gives access to
# Google's APIs. A source outside Google Cloud needs a Cloud NAT, or your own network with one.

resource "google_compute_network" "mlspec" {
  count                   = var.network == null ? 1 : 0
  project                 = var.project_id
  name                    = "mlspec"
  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"

  depends_on = [google_project_service.api]
}

resource "google_compute_subnetwork" "mlspec" {
  count                    = var.subnetwork == null ? 1 : 0
  project                  = var.project_id
  region                   = var.region
  name                     = "mlspec-${var.region}"
  network                  = google_compute_network.mlspec[0].id
  ip_cidr_range            = var.subnetwork_range
  stack_type               = "IPV4_ONLY"
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.5
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

# The same as a VPC's implied rule, but explicit, so that attempts are logged.
resource "google_compute_firewall" "deny_ingress" {
  count         = var.network == null ? 1 : 0
  project       = var.project_id
  name          = "mlspec-deny-ingress"
  network       = google_compute_network.mlspec[0].id
  direction     = "INGRESS"
  priority      = 65534
  source_ranges = ["0.0.0.0/0"]

  deny { protocol = "all" }
  log_config { metadata = "INCLUDE_ALL_METADATA" }
}
