"""What a check of a Google Cloud project asks: permissions, APIs, quotas and resources."""
