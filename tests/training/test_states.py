import random
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import poptune as tune
from poptune._training import current


@pytest.fixture
def reloaded(tmp_path):
    """Save a state and load it, as a run does."""
    counter = iter(range(100))

    def reload(state):
        folder = tmp_path / str(next(counter))
        folder.mkdir()
        tune.Checkpoint.from_dict({"state": state.state_dict()}).write(folder)
        return tune.Checkpoint.from_store(folder, trusted=True).to_dict()["state"]

    return reload


@pytest.fixture
def trial(monkeypatch):
    """Be in a trial, or in another one."""

    def enter(name, seed=7):
        session = SimpleNamespace(assignment=SimpleNamespace(trial=name, seed=seed))
        monkeypatch.setattr(current, "_current", session)

    return enter


def test_a_reference_holds_any_value(reloaded):
    value = {"a": [1, (2.5, "x")], "b": np.arange(3), 4: None}
    old, new = tune.StateRef(value), tune.StateRef(None)
    new.load_state_dict(reloaded(old))
    assert new.value.pop("b").tolist() == [0, 1, 2]
    assert new.value == {"a": [1, (2.5, "x")], 4: None}
    assert repr(tune.StateRef(3)) == "StateRef(3)"


def test_arrays_that_were_loaded_may_be_written_to_and_the_checkpoint_stays(tmp_path):
    tune.Checkpoint.from_dict({"weight": np.zeros(3)}).write(tmp_path)
    stored = tune.Checkpoint.from_store(tmp_path)
    reference = tune.StateRef(np.ones(3))
    reference.load_state_dict(stored.to_dict()["weight"])
    reference.value += 5
    assert stored.to_dict()["weight"].tolist() == [0, 0, 0]


def test_jax_arrays_come_back_as_jax_arrays(reloaded):
    jax = pytest.importorskip("jax")
    params = {"w": jax.numpy.arange(3.0), "b": (jax.numpy.zeros(2), 7), "n": np.ones(2)}
    old = tune.StateRef(params)
    new = tune.StateRef(jax.tree_util.tree_map(lambda leaf: leaf * 0, params))
    new.load_state_dict(reloaded(old))
    assert isinstance(new.value["w"], jax.Array)
    assert isinstance(new.value["b"][0], jax.Array)
    assert type(new.value["n"]) is np.ndarray
    assert (new.value["w"].tolist(), new.value["b"][1]) == ([0, 1, 2], 7)
    assert new.value["w"].sharding == params["w"].sharding
    total = jax.jit(lambda p: p["w"].sum() + p["b"][1])
    assert (total(params), total(new.value)) == (10, 10)
    assert total._cache_size() == 1, "it stays compiled"
    here = jax.device_put(params["w"], jax.devices()[0])
    committed = tune.StateRef(here)
    committed.load_state_dict(np.ones(3, dtype=np.float32))
    assert committed.value.committed
    grown = tune.StateRef([])
    grown.load_state_dict(reloaded(old))
    assert grown.value["w"].tolist() == [0, 1, 2]


def test_without_jax_nothing_is_asked_of_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    reference = tune.StateRef(1)
    reference.load_state_dict([2])
    assert reference.value == [2]


def draw():
    return random.random(), np.random.random()


def test_a_trials_own_random_numbers_go_on_exactly(reloaded, trial):
    trial("a")
    state = reloaded(tune.RandomState())
    expected = draw()
    draw()
    tune.RandomState().load_state_dict(state)
    assert draw() == expected


def test_a_copy_draws_numbers_of_its_own_that_its_seed_decides(reloaded, trial):
    trial("donor")
    state = reloaded(tune.RandomState())
    expected = draw()
    drawn = []
    for name, seed in [("a", 1), ("a", 1), ("a", 2**32 - 1)]:
        trial(name, seed)
        tune.RandomState().load_state_dict(state)
        drawn.append(draw())
    assert drawn[0] == drawn[1]
    assert len({expected, *drawn}) == 3


def test_outside_a_trial_the_numbers_are_restored(reloaded, trial, monkeypatch):
    trial("a")
    state = reloaded(tune.RandomState())
    expected = draw()
    monkeypatch.setattr(current, "_current", None)
    tune.RandomState().load_state_dict(state)
    assert draw() == expected


def test_the_random_numbers_of_torch_are_among_them(reloaded, trial):
    torch = pytest.importorskip("torch")
    trial("a")
    state = reloaded(tune.RandomState())
    expected = torch.rand(2).tolist()
    tune.RandomState().load_state_dict(state)
    assert torch.rand(2).tolist() == expected
    trial("b", 3)
    tune.RandomState().load_state_dict(state)
    reseeded = torch.rand(2)
    assert torch.equal(reseeded, torch.manual_seed(3) and torch.rand(2))


def test_a_library_that_is_not_imported_is_left_alone(trial, monkeypatch):
    trial("a")
    full = tune.RandomState().state_dict()
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert set(tune.RandomState().state_dict()) == {"trial", "python"}
    tune.RandomState().load_state_dict(full)
    trial("b")
    tune.RandomState().load_state_dict(full)
