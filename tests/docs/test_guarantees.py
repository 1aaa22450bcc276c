"""Each promise in docs/guarantees.md names the tests that prove it; they exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def promises():
    lines = (ROOT / "docs/guarantees.md").read_text().splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("| ") and not following.startswith("|--"):
            yield line


def test_every_promise_names_tests_that_exist():
    rows = list(promises())
    assert len(rows) > 20
    for row in rows:
        named = NAMED.findall(row)
        assert named, f"no test is named in {row}"
        for file, test in named:
            assert (ROOT / file).is_file(), file
            assert not test or f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"
