"""A provider for Terraform that speaks plugin protocol 5 and whose cloud is a folder of files."""
