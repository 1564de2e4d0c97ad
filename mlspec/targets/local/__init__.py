"""The local target: one folder with one SQLite file and artifacts named by their content."""
