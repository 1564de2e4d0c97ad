"""Carries out decisions: plan, apply, status. Takes the locks and writes the journal; keeps no state in memory."""
