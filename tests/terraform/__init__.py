"""Real Terraform against the project's own stand-in for Google's provider: see README.md in this folder."""
