"""The scheduling rules as pure functions: no I/O, no clock, no framework. The caller passes `now`."""
