"""Environments: the packages that jobs ask for, locked when a job is stored and built once on each host.

Theory of operation. A job's requirements are resolved to a lock, which names one version of each package and the hashes
of its wheels. The lock's own hash is the id of the environment, so jobs with the same lock share one. The lock belongs
to the version of the job: every run has the same packages until `relock`.

    request      `resolver` runs `uv pip compile`, wheels only. Nothing of a package is executed.
    transaction  `service` stores the lock together with the job.
    worker       `provider` builds what is missing, in a sandbox that reaches the index only: `uv pip install` with the
                 hashes of the lock and without dependencies. `tree` then records the hash of every file.
    run          The sandbox starts a zygote in the environment. The files are compared with the record before.

Trust. Neither the index nor the packages are trusted. Code of a package runs in the sandbox of a run, and nowhere else:
wheels have no code to run while they are installed, `.pth` files in them are ignored, and a zygote imports only files
that are identical to those of the service's own Python.
"""
