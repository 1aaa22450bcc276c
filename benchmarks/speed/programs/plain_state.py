"""A state written to a file and read back, plainly: what an exploit cannot do without.

In the rhythm of the exploits, and with the last file kept until the next one is whole, as a checkpoint is;
and once more without a pause. A virtual machine may give memory that is free for a second back to its host,
and then the first touch of each page is slow, for exploits as for plain files.
"""

import time

import numpy as np
from measured import parser, tell
from spread_of_calls import percentiles


def write_and_read(folder, state_bytes, *, times, pause_s):
    """Return how long each time took, in ns."""
    folder.mkdir(parents=True)
    state, live = np.ones(state_bytes, np.uint8), np.zeros(state_bytes, np.uint8)
    times_ns, last = [], None
    for number in range(times):
        time.sleep(pause_s)
        path = folder / f"state_{number}"
        began_ns = time.monotonic_ns()
        with path.open("wb") as file:
            file.write(memoryview(state))
        with path.open("rb", buffering=0) as file:
            assert file.readinto(memoryview(live)) == state_bytes
        times_ns.append(time.monotonic_ns() - began_ns)
        if last is not None:
            last.unlink()
        last = path
    return times_ns


def main():
    options = parser()
    options.add_argument("--state-bytes", type=int, default=100_000_000)
    options.add_argument("--times", type=int, default=20)
    options.add_argument("--pause-s", type=float, default=0.8)
    options = options.parse_args()
    size, times = options.state_bytes, options.times
    in_rhythm = write_and_read(options.storage / "in_rhythm", size, times=times, pause_s=options.pause_s)
    at_once = write_and_read(options.storage / "at_once", size, times=times, pause_s=0.0)
    tell(**percentiles("state", in_rhythm), **percentiles("state_at_once", at_once))


if __name__ == "__main__":
    main()
