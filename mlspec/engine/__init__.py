"""Carries decisions out: plan, apply, status. Holds the lock, keeps the journal; has no memory of its own."""
