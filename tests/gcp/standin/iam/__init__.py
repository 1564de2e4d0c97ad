"""IAM of the stand-in: who was granted which role where, and which permission each call asks for."""
