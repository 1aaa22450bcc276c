"""Which checkpoints are looked at when a run is continued."""

import pytest

from poptune._core.experiment import Experiment
from poptune._core.settings import Settings
from poptune._keeping.checkpoints import Checkpoint, DirectoryStore
from poptune._running.controller.damage import damaged_checkpoints
from poptune.errors import CheckpointError
from poptune.schedulers import FIFOScheduler
from poptune.testing.simulation import SimulatedWorkers, created


@pytest.fixture
def stored(tmp_path):
    """A trial that has saved three checkpoints, and one that has saved one and is over."""
    experiment, workers = Experiment(FIFOScheduler(), Settings(slots=2)), SimulatedWorkers()
    store = DirectoryStore(tmp_path)

    def handle(event):
        workers.carry_out(experiment.handle(event).commands)

    handle(created([{}, {}]))
    first, second = workers.training
    for number in (1, 2, 3):
        store.save(Checkpoint.from_dict({"step": number}), folder="trial_00000", number=number)
        handle(workers.report(first, 1.0, save=True))
    store.save(Checkpoint.from_dict({"step": 1}), folder="trial_00001", number=1)
    handle(workers.report(second, 1.0, save=True, stop="enough"))
    return experiment.population, store, tmp_path


def damage(folder):
    file = folder / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\0")


def test_where_all_is_whole_nothing_is_found(stored):
    population, store, _ = stored
    assert damaged_checkpoints(population, store) == ()


def test_all_up_to_the_first_that_is_whole_are_found(stored):
    population, store, path = stored
    for number in (1, 3):
        damage(path / "trial_00000" / f"checkpoint_{number:06d}")
    assert damaged_checkpoints(population, store) == ("trial_00000/checkpoint_000003",)
    store.delete("trial_00000/checkpoint_000002")
    assert len(damaged_checkpoints(population, store)) == 3


def test_what_a_finished_trial_has_left_is_nobodys_way_back(stored):
    population, store, path = stored
    damage(path / "trial_00001" / "checkpoint_000001")
    assert damaged_checkpoints(population, store) == ()


def test_one_that_this_version_cannot_read_is_no_damaged_one(stored):
    population, store, path = stored
    manifest = path / "trial_00000" / "checkpoint_000003" / ".poptune_manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 2', '"version": 999'))
    with pytest.raises(CheckpointError, match="version 999|has 999"):
        damaged_checkpoints(population, store)
