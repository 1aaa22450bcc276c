import pytest

from poptune._running.executors.gpus import GpuPool, slots_on_gpus, visible_gpus
from poptune.errors import ConfigurationError


@pytest.mark.parametrize(
    ("variable", "visible"),
    [
        ("0,1", ["0", "1"]),
        (" 3 , GPU-8a1 ", ["3", "GPU-8a1"]),
        ("", []),
        ("-1", []),
        ("0,-1,1", ["0"]),
    ],
)
def test_the_variable_says_which_gpus_there_are(monkeypatch, variable, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert visible_gpus() == visible


@pytest.mark.parametrize(
    ("per_trial", "gpus", "slots"),
    [(1, 2, 2), (2, 5, 2), (0.5, 2, 4), (0.3, 1, 3), (0.1, 1, 10), (1 / 3, 1, 3)],
)
def test_as_many_trials_run_as_fit(per_trial, gpus, slots):
    assert slots_on_gpus(per_trial, [str(number) for number in range(gpus)]) == slots


def test_too_few_gpus_are_an_error_with_the_numbers():
    with pytest.raises(ConfigurationError, match=r"needs 2 GPUs, but this machine shows 1 of them \(7\)"):
        slots_on_gpus(2, ["7"])
    with pytest.raises(ConfigurationError, match="shows 0 of them: ask"):
        slots_on_gpus(0.5, [])


def test_one_and_a_half_gpus_are_an_error():
    with pytest.raises(ConfigurationError, match=r"a fraction of one device or a whole number .* got 1.5"):
        slots_on_gpus(1.5, ["0", "1"])


def test_workers_are_spread_and_a_freed_device_is_given_again():
    pool = GpuPool(0.5, ["0", "1"])
    taken = [pool.take() for _ in range(4)]
    assert sorted(taken) == [["0"], ["0"], ["1"], ["1"]]
    pool.give_back(["1"])
    assert pool.take() == ["1"]


def test_whole_devices_are_given_to_one_worker_each():
    pool = GpuPool(2, ["0", "1", "2", "3"])
    first, second = pool.take(), pool.take()
    assert sorted(first + second) == ["0", "1", "2", "3"]
    pool.give_back(first)
    assert sorted(pool.take()) == sorted(first)


def test_workers_that_need_no_gpu_get_none():
    pool = GpuPool(0.0, ["0"])
    assert pool.take() == []
    pool.give_back([])
