"""What the port promises of the record (`targets/base.py`), kept by every store: a folder, and a team's database."""
