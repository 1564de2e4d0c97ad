"""Targets: the only package with side effects outside the process. Each folder holds one kind of target."""
