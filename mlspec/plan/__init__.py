"""Decides and touches nothing: desired state, diff, guards, the gate, the schedule.

Pure functions of facts and a clock that is handed in.
"""
