"""One module for each command, with one click command of the same name."""
