"""The door for `celery -A src.app.celery_app worker|beat|flower`, from the root of a checkout, installed or not."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from scheduler_service.celery_app import load

app = load()
