"""A state written to a file and read back, plainly: what an exploit cannot do without."""

import time

import numpy as np
from measured import parser, tell
from spread_of_calls import percentiles


def main():
    options = parser()
    options.add_argument("--state-bytes", type=int, default=100_000_000)
    options.add_argument("--times", type=int, default=10)
    options = options.parse_args()
    options.storage.mkdir(parents=True)
    state, live = np.ones(options.state_bytes, np.uint8), np.zeros(options.state_bytes, np.uint8)
    times_ns = []
    for number in range(options.times):
        path = options.storage / f"state_{number}"
        began_ns = time.monotonic_ns()
        with path.open("wb") as file:
            file.write(memoryview(state))
        with path.open("rb", buffering=0) as file:
            assert file.readinto(memoryview(live)) == options.state_bytes
        times_ns.append(time.monotonic_ns() - began_ns)
        path.unlink()
    tell(**percentiles("state", times_ns))


if __name__ == "__main__":
    main()
