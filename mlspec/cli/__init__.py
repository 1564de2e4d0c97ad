"""The command line: parses arguments, calls the engine, prints the result, and exits with a code."""
