import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from poptune._training.printed_lines import Lines


@given(st.lists(st.binary(max_size=12)), st.binary(max_size=3))
def test_any_chunking_gives_the_same_lines(chunks, end):
    whole, cut = Lines(), Lines()
    data = b"".join(chunks) + end
    expected = whole.add(data) + whole.finish()
    got = [line for chunk in [*chunks, end] for line in cut.add(chunk)] + cut.finish()
    assert got == expected


def test_a_progress_bar_is_one_line_as_last_seen():
    lines = Lines()
    assert lines.add(b"\r10%") == []
    assert lines.add(b"\r20%\r\n50%\r") == ["20%"]
    assert lines.finish() == ["50%"]
    assert lines.finish() == []


def test_a_progress_bar_without_an_end_takes_no_memory():
    lines = Lines()
    for _ in range(10_000):
        assert lines.add(b"\r" + b"#" * 100) == []
    assert len(lines._rest) <= 2**16
    assert lines.finish() == ["#" * 100]


def test_junk_without_line_breaks_is_cut():
    lines = Lines()
    got = [line for _ in range(5) for line in lines.add(b"\xff" * 2**16)] + lines.finish()
    assert "".join(got) == "\ufffd" * (5 * 2**16)
    assert len(got) > 1


def test_what_is_printed_into_a_pipe_is_there_after_each_line():
    code = """
import os, sys
from poptune._training.printed_lines import print_by_lines
sys.stderr = None
print_by_lines()
print("a whole line")
print("no end", end="")
os._exit(0)
"""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=buffered
    )
    assert run.stdout == "a whole line\n"
