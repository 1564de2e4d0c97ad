"""Reads the tables of a spec: one reader for `init --from`, `validate --data`, the step `check` and rehearsals.

`dialect` says how a file is written, `table` reads its columns, `numbers`, `times` and `texts` parse them and know the row, the
value and the reason of each cell that they cannot read. `detect` and `evidence` look at an unknown file, for `init` alone: what
they find is written into the spec, and nothing is guessed afterwards.
"""
