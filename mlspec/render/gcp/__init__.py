"""Terraform for Google Cloud, rendered from a spec."""
