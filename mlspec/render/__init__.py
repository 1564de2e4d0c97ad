"""Renders the text of files from templates and facts; writes nothing."""
