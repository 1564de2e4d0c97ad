"""Runs terraform as a process and parses its output."""
