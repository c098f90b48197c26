"""The loops that fire, execute and rescue runs."""
