"""The engine's nouns, frozen: resources, changes, plans, versions, releases, events, conditions, steps.

No noun knows a spec class, a target or a clock. Times are RFC 3339 strings in UTC; JSON values are plain Python.
"""
