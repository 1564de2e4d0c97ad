"""What each kind of target brings, one module a kind. `engine.target_kinds` has the table."""
