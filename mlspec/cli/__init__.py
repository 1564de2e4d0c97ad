"""Parses, calls one function, prints, exits."""
