"""The programs of `number_crunching`, one file an operation, with `compute` as its one function.

A file is sent into the sandbox as it stands, so it may use the standard library and numpy and nothing else. What
`compute` gives is the run's `result`; it is the same for the same parameters, whatever the number of threads.
"""
