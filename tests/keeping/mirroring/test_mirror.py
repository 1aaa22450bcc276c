"""At any moment, whoever is killed: what is in the remote folder can be restored."""

import random
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from replayed import InMemory, Machine, is_whole, named_by, prefix_in, record, records_of

from poptune._keeping.mirroring.fetching import continued
from poptune._keeping.mirroring.mirror import Mirror
from poptune._keeping.storage import FetchingStore, RemoteError
from poptune._keeping.storage.remote_errors import LostLockError
from poptune.errors import ExperimentError

BRIEF = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return Steps(record(tmp_path_factory.mktemp("recorded"), patch))


class Steps(list):
    def __repr__(self):
        return f"<{len(self)} steps>"


class Watched:
    """A machine and its mirror, of which anything may happen between any two operations of the storage."""

    def __init__(self, folder, steps, draws=lambda: "nothing"):
        folder.mkdir(parents=True)
        self.remote = InMemory(self.meanwhile)
        self.remote.after = self.check
        self.machine = Machine(folder / "run", steps, self.remote)
        self.draws = draws
        self.mirror = self.new_mirror()

    def new_mirror(self, confirm=lambda: None):
        mirror = Mirror(self.machine.root, self.remote, self.machine.store, confirm)
        mirror._logs.due = lambda **_: []
        return mirror

    def meanwhile(self):
        match self.draws():
            case "fault":
                raise RemoteError("down")
            case int() as steps:
                for _ in range(steps):
                    self.machine.step()
            case _:
                pass

    def check(self):
        """The one thing that is true after each operation."""
        there, here = prefix_in(self.remote), records_of(self.machine.root)
        assert there == here[: len(there)]
        for path in named_by(there):
            assert is_whole(self.remote, path, self.machine.root), path

    def try_turn(self):
        try:
            self.mirror.turn()
        except RemoteError:
            return False
        return True

    def close(self):
        self.mirror.close()
        self.machine.close()


@pytest.mark.slow
@BRIEF
@given(seed=st.integers(0, 2**32))
def test_whatever_happens_in_between_what_is_mirrored_can_be_restored(tmp_path, steps, seed):
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    watched = Watched(folder / "here", steps)
    try:
        go_through_anything(watched, random.Random(seed), folder / "elsewhere")
    finally:
        watched.close()


def go_through_anything(watched, draws, elsewhere):
    def meanwhile():
        return draws.choices(["nothing", "fault", draws.randint(1, 6)], [6, draws.choice([0, 1]), 4])[0]

    watched.mirror.begin()
    watched.draws = meanwhile
    for action in draws.choices(["turn", "step", "restart"], k=draws.randint(0, 12)):
        if action == "turn":
            watched.try_turn()
        elif action == "step":
            for _ in range(5):
                watched.machine.step()
        else:  # the program was killed, and continued in the same folder
            watched.mirror.close()
            watched.draws = lambda: "nothing"
            watched.mirror = watched.new_mirror()
            watched.mirror.begin()
            watched.draws = meanwhile
    check_restored(watched, elsewhere)
    watched.draws = lambda: "nothing"
    while not watched.machine.is_done:
        watched.machine.step()
    watched.mirror.turn()
    here = records_of(watched.machine.root)
    assert prefix_in(watched.remote) == here
    checkpoints = {"/".join(name.split("/")[:3]) for name in watched.remote.objects if "checkpoint_" in name}
    assert checkpoints == named_by(here)


def check_restored(watched, folder):
    """On an empty disk the experiment goes on from what is mirrored."""
    there = prefix_in(watched.remote)
    if not there:
        return
    continued(watched.remote, folder)
    assert records_of(folder) == there
    assert (folder / "objects.pkl").read_bytes() == watched.machine.layout.objects.read_bytes()
    store = FetchingStore(folder, lambda: watched.remote)
    for path in named_by(there):
        store.open(path).verify()


@pytest.fixture
def watched(tmp_path, steps):
    watched = Watched(tmp_path / "watched", steps)
    yield watched
    watched.close()


def test_a_turn_mirrors_all_there_is_and_a_second_one_does_nothing(watched):
    watched.mirror.begin()
    for _ in range(30):
        watched.machine.step()
    watched.mirror.turn()
    assert prefix_in(watched.remote) == records_of(watched.machine.root)

    def nothing_more():
        raise AssertionError

    watched.remote.before = nothing_more
    watched.mirror.turn()


def test_a_checkpoint_that_is_given_up_while_it_is_uploaded_stays_here_until_it_is_there(watched):
    watched.mirror.begin()
    for _ in range(12):
        watched.machine.step()
    seen = []

    def give_up():
        if not watched.machine.is_done:
            for _ in range(3):
                watched.machine.step()
            seen.extend(path for path in watched.machine.store._put_off if path not in seen)

    watched.remote.before = give_up
    watched.mirror.turn()
    assert seen
    assert not any((watched.machine.root / path).exists() for path in seen)


def test_a_checkpoint_that_is_damaged_here_holds_nothing_up(watched):
    watched.mirror.begin()
    watched.remote.after = lambda: None
    for _ in range(12):
        watched.machine.step()
    for manifest in watched.machine.root.glob("checkpoints/*/checkpoint_*/.poptune_manifest.json"):
        manifest.unlink()
        break
    watched.mirror.turn()
    assert prefix_in(watched.remote) == records_of(watched.machine.root)


def test_a_journal_of_many_turns_is_kept_in_few_parts(watched):
    watched.mirror.begin()
    most = 0
    while not watched.machine.is_done:
        watched.machine.step()
        watched.mirror.turn()
        most = max(most, sum(name.startswith(".poptune/journal/") for name in watched.remote.objects))
    assert most < 40
    assert prefix_in(watched.remote) == records_of(watched.machine.root)


def test_nothing_is_published_or_deleted_without_the_lock(watched):
    def refuse():
        raise LostLockError("somebody else")

    watched.mirror.close()
    watched.mirror = watched.new_mirror(refuse)
    watched.mirror.begin()
    for _ in range(30):
        watched.machine.step()
    with pytest.raises(LostLockError):
        watched.mirror.turn()
    assert not prefix_in(watched.remote)


def test_objects_that_were_half_written_when_the_program_was_killed_are_replaced(watched):
    watched.mirror.begin()
    with watched.machine.layout.objects.open("ab") as file:
        file.write(b"half of a pickle")
    watched.mirror.turn()
    watched.mirror.close()
    watched.machine.objects.take_over()
    watched.machine.objects.number(print)
    watched.mirror = watched.new_mirror()
    watched.mirror.begin()
    watched.machine.step()
    for _ in range(5):
        watched.machine.step()
    watched.mirror.turn()
    content = [one for name, one in sorted(watched.remote.objects.items()) if "/objects/" in name]
    assert b"".join(content) == watched.machine.layout.objects.read_bytes()


def test_a_folder_that_another_machine_has_overtaken_is_not_mirrored_over_it(watched, tmp_path, steps):
    watched.mirror.begin()
    for _ in range(20):
        watched.machine.step()
    watched.mirror.turn()
    behind = Watched(tmp_path / "behind", steps)
    behind.remote.objects, behind.remote.after = watched.remote.objects, lambda: None
    with pytest.raises(ExperimentError, match="gone on elsewhere"):
        behind.mirror.begin()
    behind.close()


def test_at_the_end_the_remote_folder_is_an_experiments_folder_like_any_other(watched, tmp_path):
    watched.mirror.begin()
    while not watched.machine.is_done:
        watched.machine.step()
    watched.mirror.finish()
    for name, content in watched.remote.objects.items():
        path = tmp_path / "copied" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert records_of(tmp_path / "copied") == records_of(watched.machine.root)
    import poptune as tune

    results = tune.ResultGrid.from_path(tmp_path / "copied")
    assert all(result.checkpoint.to_dict()["step"] == 8 for result in results)


def test_what_a_worker_on_another_machine_has_uploaded_counts_as_there_and_goes_when_it_is_given_up(watched):
    from poptune._keeping.checkpoints import DirectoryStore
    from poptune._keeping.storage.transfers import upload_checkpoint

    watched.mirror.begin()
    for _ in range(4):
        watched.machine.step()
    (path,) = named_by(records_of(watched.machine.root))
    upload_checkpoint(watched.remote, watched.machine.root, path)
    DirectoryStore(watched.machine.root).delete(path)
    watched.mirror.turn()
    assert named_by(prefix_in(watched.remote)) == {path}
    while not watched.machine.is_done:
        watched.machine.step()
    watched.mirror.turn()
    assert not watched.remote.sizes(path)
