"""Schedules: expressions, instants, clock changes, descriptions and warnings."""
