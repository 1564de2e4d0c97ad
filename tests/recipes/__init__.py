"""The recipes of CONTRIBUTING.md, each followed in a copy of the package."""
