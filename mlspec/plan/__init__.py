"""All decisions, without effects: desired state, diff, guards, the gate, the schedule.

Pure functions of facts and of a moment that is passed in.
"""
