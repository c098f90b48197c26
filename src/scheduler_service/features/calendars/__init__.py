"""Calendars of owners: the feature around the days that the core asks for."""
