"""The program of `http_request`, which runs in the sandbox.

The sources of these modules are sent into the sandbox (see `payloads.http_request`), so they may import only the
standard library and each other. The job's process has no other code of the service.

Theory of operation. The program opens the connection itself, step by step, so that it can time each step and name the
one that failed. One timer ends the request, whatever it is doing, because a timeout for each step would let a slow
server take any time. Every failure is a `RequestFailedError` whose text becomes the `message` of the run.
"""
