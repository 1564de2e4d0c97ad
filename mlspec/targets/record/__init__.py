"""The record of a target: what every store keeps alike. A store brings a database, a place for files, and locks."""
