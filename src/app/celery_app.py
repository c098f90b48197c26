"""`celery -A src.app.celery_app worker|beat|flower`."""

from scheduler_service.quick_start import uncollected

with uncollected():
    from scheduler_service.celery_app import load

app = load()
