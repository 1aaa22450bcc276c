"""The program that is killed: trains the population that its arguments name, or goes on with it.

``python -m torture.victim STORAGE '{"synch": true, ...}'``
"""

import json
import sys
from pathlib import Path

from torture.climbing import Climb
from torture.crashing import go_on

import poptune as tune

if __name__ == "__main__":
    storage, options = sys.argv[1:]
    go_on(Climb(**json.loads(options)), Path(storage), tune.ProcessExecutor(slots=2))
