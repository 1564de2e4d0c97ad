"""Specs on Google Cloud: the location of a target and the names of its resources."""
