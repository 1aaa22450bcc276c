"""What a loss of power may leave of a journal: the first of its records, or an error that says so."""

import random
import shutil
from contextlib import closing, suppress
from pathlib import Path

import hypothesis.strategies as st
import pytest
from climbers import fit
from hypothesis import HealthCheck, example, given, settings

import poptune as tune
from poptune._keeping.journal import SqliteJournal, UnopenedObjects

JOURNAL, AHEAD = "experiment.db", "experiment.db-wal"
BRIEF = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Snapshot:
    """Copies the experiment's folder as it lies on the disk at one of its last reports."""

    def __init__(self, folder, copy):
        self.folder, self.copy, self.reports = folder, copy, 0

    def __call__(self, trial_id, result):
        self.reports += 1
        if self.reports == 30:
            shutil.copytree(self.folder, self.copy)
        return result["training_iteration"] >= 8

    def __reduce__(self):
        return unarmed, ()


def unarmed():
    """What the snapshot is after a restore."""
    return lambda trial_id, result: result["training_iteration"] >= 8


def outcome(results):
    return [(result.config, result.metrics["height"], result.checkpoint.to_dict()) for result in results]


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    """A folder as it lay on the disk when the power went, and what the run came to where it did not."""
    root = tmp_path_factory.mktemp("lost")
    whole = outcome(fit(root, stop=Snapshot(root / "run", root / "copy"), keep=None))
    assert (root / "copy" / AHEAD).stat().st_size > 20_000
    return root / "copy", whole


@pytest.fixture(scope="module")
def told(lost):
    """All that the journal says."""
    return read(lost[0])


def read(folder, *, read_only=True):
    with closing(SqliteJournal.open(folder / JOURNAL, UnopenedObjects(), read_only=read_only)) as journal:
        return [repr(event) for event in journal.read()]


def damaged(lost, tmp_path, name, damage):
    """A copy of the journal's files, with one of them damaged."""
    folder = Path(tmp_path, "damaged")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in (JOURNAL, AHEAD):
        shutil.copy(lost[0] / file, folder)
    content = bytearray((folder / name).read_bytes())
    (folder / name).write_bytes(damage(content))
    return folder


@pytest.mark.slow
@BRIEF
@given(share=st.floats(0, 1), read_only=st.booleans())
@example(share=0.0, read_only=True)
@example(share=0.0, read_only=False)
def test_a_truncated_write_ahead_file_leaves_the_first_records(lost, told, tmp_path, share, read_only):
    folder = damaged(lost, tmp_path, AHEAD, lambda content: content[: int(len(content) * share)])
    found = read(folder, read_only=read_only)
    assert found == told[: len(found)]
    assert "Created" in found[0]
    if read_only:
        assert len(tune.ResultGrid.from_path(folder)) == 4


@pytest.mark.slow
@BRIEF
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), read_only=st.booleans())
def test_a_flipped_bit_in_the_write_ahead_file_leaves_the_first_records(
    lost, told, tmp_path, place, bit, read_only
):
    def flip(content):
        content[int(len(content) * place)] ^= 1 << bit
        return content

    found = read(damaged(lost, tmp_path, AHEAD, flip), read_only=read_only)
    assert found == told[: len(found)]
    assert "Created" in found[0]


@pytest.mark.slow
@BRIEF
@given(place=st.floats(0, 1), seed=st.integers(0, 2**32), length=st.integers(1, 4096))
def test_a_torn_page_in_the_write_ahead_file_leaves_the_first_records(
    lost, told, tmp_path, place, seed, length
):
    def tear(content):
        start = int(len(content) * place)
        content[start : start + length] = random.Random(seed).randbytes(len(content[start : start + length]))
        return content

    found = read(damaged(lost, tmp_path, AHEAD, tear))
    assert found == told[: len(found)]


@pytest.mark.slow
@BRIEF
@given(
    share=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), max_size=20),
    read_only=st.booleans(),
)
def test_a_damaged_main_file_is_read_or_is_an_error_that_says_so(lost, tmp_path, share, flips, read_only):
    def damage(content):
        for place, bit in flips:
            content[int(len(content) * place)] ^= 1 << bit
        return content if flips else content[: int(len(content) * share)]

    folder = damaged(lost, tmp_path, JOURNAL, damage)
    with suppress(tune.JournalError):
        read(folder, read_only=read_only)
    with suppress(tune.JournalError):
        repr(tune.ResultGrid.from_path(folder))


@pytest.mark.slow
@settings(BRIEF, max_examples=8)
@given(share=st.floats(0, 1))
@example(share=0.0)
@example(share=1.0)
def test_an_experiment_whose_journal_was_torn_is_continued_to_the_same_end(lost, tmp_path, share):
    copy, whole = lost
    folder = tmp_path / "torn"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(copy, folder)
    content = (folder / AHEAD).read_bytes()
    (folder / AHEAD).write_bytes(content[: int(len(content) * share)])
    results = tune.Tuner.restore(folder).fit()
    assert outcome(results) == whole
    assert tune.verify(folder).ok
