"""What a server loads: the HTTP application, and the Celery application with its beat and its worker."""
