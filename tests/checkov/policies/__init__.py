"""The project's own policies; checkov reads a folder with Python in it only where this file stands."""
