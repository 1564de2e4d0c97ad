"""Data on Google Cloud: sources in buckets and BigQuery, and the table that a forecast is written to."""
