"""Terraform as a process: how it is run, and what its output means."""
