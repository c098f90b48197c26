"""Modules for the documented commands, such as `uvicorn src.app.main:app`, called from the repository root."""

import sys
from pathlib import Path

# With only the requirements installed, `scheduler_service` is not on the path. It is in the parent directory.
sys.path.insert(0, str(Path(__file__).parents[1]))
