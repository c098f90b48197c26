"""What the process that forks programs has imported; see `programs`."""

from scheduler_service.quick_start import uncollected

with uncollected():
    import celery.bin.celery  # noqa: F401
    import uvicorn.main  # noqa: F401

    import scheduler_service.celery_app
    import scheduler_service.celery_beat
    import scheduler_service.cli.main
    import scheduler_service.cli.serving  # noqa: F401
