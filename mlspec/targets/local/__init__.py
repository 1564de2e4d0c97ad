"""The embedded target: one folder, one SQLite file, artifacts named by their content."""
