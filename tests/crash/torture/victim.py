"""The program that is killed: trains the population that its arguments name, or goes on with it.

``python -m torture.victim STORAGE '{"synch": true, ...}' [ADDRESS OF A CLUSTER]``
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import poptune as tune
from torture.climbing import Climb
from torture.crashing import go_on
from torture.processes import MARK


def start(
    storage: Path, climb: Climb, mark: str, *, step_s: float = 0.0, address: str = ""
) -> subprocess.Popen[Any]:
    """Start the program, in a process group of its own; all processes of it carry the mark."""
    here, library = Path(__file__).parents[1], Path(tune.__file__).parents[1]
    with (storage.parent / "output").open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "torture.victim", storage, json.dumps(asdict(climb)), address],
            env={
                **os.environ,
                "PYTHONPATH": f"{here}{os.pathsep}{library}",
                "POPTUNE_TORTURE_STEP_S": str(step_s),
                MARK: mark,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def output_of(storage: Path) -> str:
    """Return what the program that was started last has printed."""
    return (storage.parent / "output").read_text(errors="replace")


def main() -> None:
    """Be the program."""
    storage, options, address = sys.argv[1:]
    climb = Climb(**json.loads(options))
    here = tune.ProcessExecutor(slots=climb.slots, max_resident_trials=climb.max_residents)
    go_on(climb, Path(storage), tune.RayExecutor(address=address) if address else here)


if __name__ == "__main__":
    main()
