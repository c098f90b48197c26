"""Logs, traces, and text that is safe to show on a terminal."""
