"""What pages show, as frozen dataclasses that pure functions build."""
