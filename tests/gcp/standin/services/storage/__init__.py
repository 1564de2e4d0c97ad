"""Cloud Storage, JSON API v1: https://cloud.google.com/storage/docs/json_api/v1."""
