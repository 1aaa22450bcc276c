"""Two plain processes that write files: what the toy job with a large state cannot do without."""

import multiprocessing
import time

import numpy as np
from measured import SLOTS, parser, tell


def write(folder, files, size, begin, spans):
    state = np.ones(size, np.uint8)
    folder.mkdir(parents=True)
    begin.wait()
    began_s = time.perf_counter()
    for number in range(files):
        with (folder / f"state_{number}").open("wb") as file:
            file.write(memoryview(state))
    spans.put((began_s, time.perf_counter()))


def main():
    options = parser()
    options.add_argument("--files", type=int, default=40)
    options.add_argument("--state-bytes", type=int, default=10_000_000)
    options = options.parse_args()
    context = multiprocessing.get_context("fork")
    begin, spans = context.Barrier(SLOTS), context.Queue()
    writers = [
        context.Process(
            target=write,
            args=(options.storage / str(k), options.files // SLOTS, options.state_bytes, begin, spans),
        )
        for k in range(SLOTS)
    ]
    for writer in writers:
        writer.start()
    begun, ended = zip(*[spans.get(timeout=600) for _ in writers], strict=True)
    for writer in writers:
        writer.join()
    tell(write_s=max(ended) - min(begun))


if __name__ == "__main__":
    main()
