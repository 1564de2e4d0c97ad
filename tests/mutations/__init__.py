"""Would the tests notice? Each safety rule is broken once, in a copy, and the tests named for it have to turn red."""
