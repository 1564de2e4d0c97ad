"""The frozen data classes of the engine: resources, changes, plans, versions, releases, events, conditions, steps.

None of them depends on a spec class, a target or a clock. Times are RFC 3339 strings in UTC; JSON values are plain Python.
"""
