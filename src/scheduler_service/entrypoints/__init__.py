"""The programs of the distributed mode: the Celery application, its beat and its worker."""
