"""Decisions about Google Cloud: requirements, costs, and what Terraform's plans and states say."""
