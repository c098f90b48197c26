"""Scheduler Service: the scheduler that accounts for every instant."""
