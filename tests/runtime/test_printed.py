from hypothesis import given
from hypothesis import strategies as st

from poptune.runtime.printed import Lines


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
