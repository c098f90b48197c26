"""The doors that the documented commands name: `uvicorn src.app.main:app` and their like, from the repository root."""

import sys
from pathlib import Path

# With the requirements alone installed, the package is found nowhere: it lies beside this one.
sys.path.insert(0, str(Path(__file__).parents[1]))
