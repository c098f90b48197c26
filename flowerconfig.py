"""What `celery -A src.app.celery_app flower` reads where it is started: careful defaults, each with a variable."""

import os

from scheduler_service.entrypoints.flower_pages import link_runs

address = os.environ.get("FLOWER_ADDRESS", "127.0.0.1")
# To look, not to touch: Flower could otherwise stop workers and start tasks.
read_only = os.environ.get("FLOWER_READ_ONLY", "true").lower() not in {"0", "false", "no"}
# The page of a task links to the page of its run.
link_runs()
