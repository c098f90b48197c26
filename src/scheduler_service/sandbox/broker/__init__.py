"""What the supervisor does for a job that the job may not do itself: files, sockets and connections."""
