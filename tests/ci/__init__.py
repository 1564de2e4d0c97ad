"""CI of a project and of this repository: its shell is run for real, against stand-ins where servers would be."""
