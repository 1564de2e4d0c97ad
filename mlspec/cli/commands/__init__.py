"""One module a command, each with one click command of the same name."""
