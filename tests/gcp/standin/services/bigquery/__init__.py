"""BigQuery, REST v2, carried out on DuckDB: https://cloud.google.com/bigquery/docs/reference/rest."""
