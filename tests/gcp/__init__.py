"""Google Cloud: its clients, unchanged, against servers on this machine."""
