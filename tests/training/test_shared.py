"""Objects that all workers share."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import cloudpickle
import numpy as np
import pytest

import poptune as tune
from poptune._training.shared import renewed


def in_another_process(code, **values):
    """Run code in a fresh process, with values unpickled there."""
    program = "import sys, cloudpickle\nglobals().update(cloudpickle.load(sys.stdin.buffer))\n" + code
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=cloudpickle.dumps(values),
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout.decode().strip()


def test_the_process_that_put_an_object_gets_that_very_object():
    value = {"a": [1, 2]}
    assert tune.get(tune.put(value)) is value


def test_another_process_gets_an_equal_object_once():
    reference = tune.put({"words": ["a", "b"], "array": np.arange(6).reshape(2, 3)})
    code = """
import poptune as tune
value = tune.get(reference)
assert value is tune.get(reference)
print(value["words"], value["array"].tolist())
"""
    assert in_another_process(code, reference=reference) == "['a', 'b'] [[0, 1, 2], [3, 4, 5]]"


def test_arrays_are_mapped_and_what_is_written_into_them_stays_in_the_process():
    reference = tune.put(np.zeros(1000))
    code = """
import poptune as tune
array = tune.get(reference)
assert not array.flags.owndata
assert any(reference.path in line for line in open("/proc/self/maps"))
array[:] = 1
"""
    in_another_process(code, reference=reference)
    in_another_process("import poptune; assert poptune.get(reference).sum() == 0", reference=reference)


def test_a_module_keeps_its_parameters_and_their_ties():
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 4))
    model[2].weight = model[0].weight
    model.eval()
    x = torch.ones(2, 4)
    code = """
import torch, poptune as tune
model = tune.get(reference)
assert model[2].weight is model[0].weight
assert all(isinstance(p, torch.nn.Parameter) and p.requires_grad for p in model.parameters())
print(model(torch.ones(2, 4)).tolist())
"""
    assert in_another_process(code, reference=tune.put(model)) == str(model(x).tolist())


def test_an_object_ends_with_the_process_that_put_it():
    path = in_another_process("import poptune; print(poptune.put([1]).path)")
    assert not Path(path).exists()
    with pytest.raises(tune.TrainableError, match="list that was put is gone"):
        tune.get(tune.ObjectRef(path, "list"))


def test_what_a_killed_process_has_left_is_removed_by_the_next_that_stores_something():
    code = "import os, poptune; print(poptune.put([1]).path, flush=True); os.kill(os.getpid(), 9)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    left = Path(run.stdout.strip())
    assert left.exists()
    os.utime(left.parent, (0, 0))
    living = Path(tune.put([2]).path)
    os.utime(living.parent, (0, 0))
    in_another_process("import poptune; poptune.put([3])")
    assert not left.parent.exists()
    assert living.exists()


def test_trials_get_what_the_program_has_put(tmp_path):
    reference = tune.put(np.arange(10))

    def use(config):
        tune.report({"sum": int(tune.get(config["data"]).sum()), "own": os.getpid()})

    results = tune.Tuner(
        use,
        param_space={"data": reference, "lr": tune.grid_search([1, 2])},
        run_config=tune.RunConfig(storage_path=tmp_path, verbose=0),
    ).fit()
    assert [result.metrics["sum"] for result in results] == [45, 45]
    assert all(result.metrics["own"] != os.getpid() for result in results)


def test_what_cannot_be_pickled_or_was_not_put_is_refused():
    with pytest.raises(tune.ConfigurationError, match="must be picklable, but this lock is not"):
        tune.put(threading.Lock())
    with pytest.raises(tune.ConfigurationError, match=r"takes what put\(\) has returned, got 3"):
        tune.get(3)


def test_a_copy_has_all_anew_but_its_arrays_and_what_cannot_be_copied_is_left():
    value = {"words": ["a"], "array": np.arange(3)}
    value["tie"] = value["words"]
    copy = renewed(value)
    assert copy["words"] == ["a"]
    assert copy["words"] is copy["tie"] is not value["words"]
    assert copy["array"] is value["array"]
    stuck = {"lock": threading.Lock()}
    assert renewed(stuck) is stuck
