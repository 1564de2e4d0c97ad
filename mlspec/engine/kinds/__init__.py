"""The parts of each kind of target, one module for each kind. `engine.target_kinds` has the table."""
