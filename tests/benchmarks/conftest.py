"""The benchmarks are programs beside the library, not part of it: their folder is put on the path here."""

import sys
from pathlib import Path

SPEED = Path(__file__).parents[2] / "benchmarks" / "speed"

sys.path.insert(0, str(SPEED))
