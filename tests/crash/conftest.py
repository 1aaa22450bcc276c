"""The torture is a program of its own beside these tests: its folder is put on the path here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
