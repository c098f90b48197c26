"""The programs of the distributed setting: the Celery application, its beat and its worker."""
