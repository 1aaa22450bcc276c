"""A state of 1 MB handed over by plain processes: what an exploit in place cannot do without.

As in ``exploit.py``, one process has a state, one keeps the journal, and one takes the state over. Here all
is settled beforehand: there is no scheduler, no config, and the state is one array whose place in the file is
known. The guarantees are the same: a folder is written aside, with a file and its CRC-32, and renamed when it
is whole; a record is in SQLite before the other process is told.
"""

import json
import mmap
import multiprocessing
import sqlite3
import time
import zlib

import numpy as np
from measured import parser, tell
from spread_of_calls import percentiles


def save(folder, state):
    aside = folder.with_name(f".{folder.name}")
    aside.mkdir()
    with (aside / "state").open("xb", buffering=0) as file:
        file.write(state)
    (aside / "manifest").write_text(json.dumps({"crc32": zlib.crc32(state)}))
    aside.rename(folder)


def load(folder, live):
    manifest = json.loads((folder / "manifest").read_text())
    with (folder / "state").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    assert zlib.crc32(mapped) == manifest["crc32"]
    np.copyto(live, np.frombuffer(mapped, np.uint8))


def have(storage, options, to_journal, taken_over):
    """Be the donor."""
    state = np.zeros(options.state_bytes, np.uint8)
    for number in range(options.times):
        time.sleep(options.pause_s)
        state[:] = number
        began_ns = time.monotonic_ns()
        save(storage / f"state_{number}", state)
        to_journal.send_bytes(json.dumps({"number": number, "began_ns": began_ns}).encode())
        taken_over.recv_bytes()


def keep_journal(storage, options, from_donor, to_recipient):
    """Be the controller."""
    journal = sqlite3.connect(storage / "journal.db", isolation_level=None)
    journal.execute("PRAGMA journal_mode = WAL")
    journal.execute("PRAGMA synchronous = NORMAL")
    journal.execute("CREATE TABLE records (payload BLOB)")
    for _ in range(options.times):
        record = from_donor.recv_bytes()
        journal.execute("INSERT INTO records VALUES (?)", (record,))
        to_recipient.send_bytes(record)


def take_over(storage, options, from_journal, to_donor):
    """Be the recipient; return how long each hand-over took."""
    live, times_ns = np.zeros(options.state_bytes, np.uint8), []
    for number in range(options.times):
        record = json.loads(from_journal.recv_bytes())
        load(storage / f"state_{number}", live)
        times_ns.append(time.monotonic_ns() - record["began_ns"])
        assert live[0] == live[-1] == number % 256
        to_donor.send_bytes(b"!")
    return times_ns


def main():
    options = parser()
    options.add_argument("--state-bytes", type=int, default=1_000_000)
    options.add_argument("--times", type=int, default=50)
    options.add_argument("--pause-s", type=float, default=0.05)
    options = options.parse_args()
    options.storage.mkdir(parents=True)
    context = multiprocessing.get_context("fork")
    from_donor, to_journal = context.Pipe(duplex=False)
    from_journal, to_recipient = context.Pipe(duplex=False)
    taken_over, to_donor = context.Pipe(duplex=False)
    others = [
        context.Process(target=have, args=(options.storage, options, to_journal, taken_over)),
        context.Process(target=keep_journal, args=(options.storage, options, from_donor, to_recipient)),
    ]
    for other in others:
        other.start()
    times_ns = take_over(options.storage, options, from_journal, to_donor)
    for other in others:
        other.join()
        assert other.exitcode == 0
    tell(**percentiles("handover", times_ns))


if __name__ == "__main__":
    main()
