"""Templates and facts in, the text of files out; writes nothing."""
