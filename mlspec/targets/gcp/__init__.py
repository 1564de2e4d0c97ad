"""Google Cloud as a target: what can be looked at without a client of Google's. Terraform is asked for the infrastructure."""
