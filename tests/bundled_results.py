"""What was measured of the bundled adapters."""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).parents[1] / "docs" / "results" / "bundled-L6.json"
RESULTS = json.loads(FILE.read_text())
