"""Checks of a Google Cloud project: APIs, permissions, quotas and resources."""
