"""The project's own stand-in for Google Cloud's servers. See README.md here."""
