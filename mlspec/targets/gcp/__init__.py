"""The target on Google Cloud. Terraform manages the infrastructure; Google's clients manage everything else."""
