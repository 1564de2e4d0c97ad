"""Programs that tests run in a process of their own, to pause or to kill them."""
