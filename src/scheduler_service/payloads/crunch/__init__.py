"""The programs of `number_crunching`, one module for each operation, with one function `compute`.

The source of a module is sent into the sandbox, so it may import only the standard library and numpy. The return value
of `compute` is the run's `result`. It depends only on the parameters, not on the number of threads.
"""
