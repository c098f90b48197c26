"""`celery -A src.app.celery_app worker|beat|flower`."""

from scheduler_service.config import load_distributed_settings
from scheduler_service.quick_start import or_exit, uncollected

settings = or_exit(load_distributed_settings)  # first, since a wrong one is to be told without a wait

with uncollected():
    from scheduler_service.celery_app import create

app = create(settings)
