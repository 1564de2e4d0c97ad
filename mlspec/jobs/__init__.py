"""The pipeline's steps, as a process or a container runs them; they measure and record, they never deploy."""
