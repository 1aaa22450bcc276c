"""One trial of the toy job, as Syne Tune starts it."""

import argparse
import json
from pathlib import Path

from syne_tune import Reporter

INTERVAL = 5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float)
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--st_checkpoint_dir", type=Path)
    options, _ = parser.parse_known_args()
    saved = options.st_checkpoint_dir / "state.json"
    options.st_checkpoint_dir.mkdir(parents=True, exist_ok=True)
    step = json.loads(saved.read_text())["step"] if saved.exists() else 0
    report = Reporter()
    first = min(step + 1, options.iterations)  # a copy of one that has ended must report something
    for iteration in range(first, options.iterations + 1):
        if iteration % INTERVAL == 0:
            saved.write_text(json.dumps({"step": iteration}))
        report(score=options.lr * iteration, iteration=iteration)


if __name__ == "__main__":
    main()
