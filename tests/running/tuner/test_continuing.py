"""The way on from a run that has ended or failed: other stops, mended code, fresh objects."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from climbers import climb, fit

import poptune as tune
from poptune.schedulers import ASHAScheduler, PopulationBasedTraining


def outcome(results):
    return [(r.config, r.metrics["height"], r.metrics["training_iteration"], r.error) for r in results]


@pytest.mark.parametrize("synch", [True, False])
@pytest.mark.parametrize("first", [4, 5, 8])
def test_a_run_that_is_trained_further_ends_as_if_it_had_never_stopped(tmp_path, synch, first):
    scheduler = {"synch": synch}
    fit(tmp_path / "twice", stop=first, scheduler=scheduler)
    path = tmp_path / "twice/run"
    twice = tune.Tuner.restore(path, stop={"training_iteration": 12}).fit()
    once = fit(tmp_path / "once", stop=12, scheduler=scheduler)
    if synch:
        assert outcome(twice) == outcome(once)
    assert [r.metrics["training_iteration"] for r in twice] == [12] * 4
    assert [len(r.lineage.metrics_dataframe) for r in twice] == [12] * 4
    assert tune.verify(path).ok, str(tune.verify(path))


def test_what_was_changed_holds_for_the_sessions_that_follow(tmp_path):
    class Once(tune.Callback):
        fail_run = True

        def on_trial_result(self, iteration, trials, trial, result, **info):
            if result["training_iteration"] == 6 and not (tmp_path / "interrupted").exists():
                (tmp_path / "interrupted").touch()
                raise KeyError

    fit(tmp_path, stop=4)
    settings = tune.RunConfig(
        stop={"training_iteration": 8}, callbacks=[Once()], executor="inline", verbose=0
    )
    with pytest.raises(KeyError):
        tune.Tuner.restore(tmp_path / "run", run_config=settings).fit()
    results = tune.Tuner.restore(tmp_path / "run").fit()
    assert [r.metrics["training_iteration"] for r in results] == [8] * 4
    assert tune.verify(tmp_path / "run").ok


def test_who_has_reached_the_new_stop_already_or_was_ended_by_the_scheduler_stays(tmp_path):
    def train(config):
        for step in range(1, 10):
            checkpoint = tune.Checkpoint.from_dict({"step": step})
            tune.report({"height": config["lr"] * step}, checkpoint=checkpoint)

    tune.Tuner(
        train,
        param_space={"lr": tune.grid_search([2.0, 3.0, 0.1])},
        tune_config=tune.TuneConfig(
            metric="height",
            mode="max",
            scheduler=ASHAScheduler(max_t=100, grace_period=2, reduction_factor=2),
        ),
        run_config=tune.RunConfig(
            name="run", storage_path=tmp_path, verbose=0, executor="inline", stop={"training_iteration": 4}
        ),
    ).fit()
    before = [r.metrics["training_iteration"] for r in tune.ResultGrid.from_path(tmp_path / "run")]
    assert before[:2] == [4, 4]
    assert before[2] < 4
    stop = {"training_iteration": 6, "height": 12.0}
    after = [r.metrics["training_iteration"] for r in tune.Tuner.restore(tmp_path / "run", stop=stop).fit()]
    assert after == [6, 4, before[2]]


def test_with_nothing_to_do_fit_says_so_and_how_there_would_be(tmp_path):
    fit(tmp_path, stop=3)
    tuner = tune.Tuner.restore(tmp_path / "run")
    with pytest.warns(tune.PoptuneWarning, match=r"has ended, so there is nothing to train.*stop=\{\.\.\.\}"):
        assert len(tuner.fit()) == 4
    with pytest.warns(tune.PoptuneWarning, match="nothing to train"):
        tune.Tuner.restore(tmp_path / "run", stop={"training_iteration": 3}).fit()


def test_a_second_fit_says_that_it_returns_old_results(tmp_path):
    tuner = tune.Tuner(
        climb,
        param_space={"lr": 0.1},
        run_config=tune.RunConfig(
            storage_path=tmp_path, verbose=0, executor="inline", stop={"training_iteration": 2}
        ),
    )
    tuner.fit()
    with pytest.warns(tune.PoptuneWarning, match="fit\\(\\) returns its old results"):
        tuner.fit()


def breaking(folder):
    def train(config):
        step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
        began = step
        while True:
            step += 1
            checkpoint = tune.Checkpoint.from_dict({"step": step})
            tune.report({"height": step, "began": began, "lr": config["lr"]}, checkpoint=checkpoint)
            if step == 3 and config["lr"] > 0.5 and not (folder / "mended").exists():
                raise RuntimeError("broken")

    return train


def failed_run(path, **failures):
    results = tune.Tuner(
        breaking(path),
        param_space={"lr": tune.grid_search([0.9, 0.1])},
        run_config=tune.RunConfig(
            name="run",
            storage_path=path,
            verbose=0,
            executor=tune.InlineExecutor(slots=2),
            stop={"training_iteration": 5},
            failure_config=tune.FailureConfig(**failures),
        ),
    ).fit()
    assert results.num_errors == 1
    (path / "mended").touch()
    return results


@pytest.mark.parametrize(("how", "began"), [("resume_errored", 3), ("restart_errored", 0)])
def test_failed_trials_go_on_from_their_checkpoint_or_begin_from_nothing(tmp_path, how, began):
    failed_run(tmp_path)
    results = tune.Tuner.restore(tmp_path / "run", **{how: True}).fit()
    assert results.num_errors == 0
    assert [r.metrics["training_iteration"] for r in results] == [5, 5]
    assert results[0].metrics["began"] == began
    assert list(results[0].metrics_dataframe["training_iteration"]) == [1, 2, 3, 4, 5]
    assert tune.verify(tmp_path / "run").ok


def test_innocent_trials_that_were_ended_for_a_failed_one_go_on_with_it(tmp_path):
    results = failed_run(tmp_path, fail_fast=True)
    assert results[1].metrics["training_iteration"] < 5
    results = tune.Tuner.restore(tmp_path / "run", resume_errored=True).fit()
    assert [r.metrics["training_iteration"] for r in results] == [5, 5]


def test_without_being_told_failed_trials_stay_failed(tmp_path):
    failed_run(tmp_path)
    with pytest.warns(tune.PoptuneWarning, match="resume_errored=True for the 1 that failed"):
        assert tune.Tuner.restore(tmp_path / "run").fit().num_errors == 1


def test_a_budget_that_was_spent_is_renewed(tmp_path):
    def train(config):
        step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
        while True:
            step += 1
            tune.report({"step": step}, checkpoint=tune.Checkpoint.from_dict({"step": step}))

    run_config = tune.RunConfig(name="run", storage_path=tmp_path, verbose=0, executor="inline")
    tune_config = tune.TuneConfig(time_budget_s=0.05)
    before = tune.Tuner(train, tune_config=tune_config, run_config=run_config).fit()[0].metrics["step"]
    further = tune.Tuner.restore(tmp_path / "run", time_budget_s=3600, stop={"step": before + 2}).fit()
    assert further[0].metrics["step"] == before + 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"resume_errored": True, "restart_errored": True}, "got both resume_errored=True and restart"),
        ({"time_budget_s": "10"}, "time_budget_s must be a number of seconds, greater than 0, got '10'"),
        ({"time_budget_s": -1}, "time_budget_s must be a number of seconds, greater than 0, got -1"),
        ({"stop": tune.MaximumIterationStopper}, "got the class MaximumIterationStopper"),
    ],
)
def test_changes_that_make_no_sense_are_refused(tmp_path, changes, words):
    fit(tmp_path, stop=3, trials=2)
    with pytest.raises(tune.ConfigurationError, match=words):
        tune.Tuner.restore(tmp_path / "run", **changes)


def test_a_stop_that_is_misspelt_when_a_run_is_trained_further_is_told_at_its_first_result(tmp_path):
    fit(tmp_path, stop=3, trials=2, trainable=climb_to_five)
    with pytest.warns(tune.PoptuneWarning, match="lacks 'training_iterations', which stop waits for"):
        tune.Tuner.restore(tmp_path / "run", stop={"training_iterations": 9}).fit()


def climb_to_five(config):
    checkpoint = tune.get_checkpoint()
    step = checkpoint.to_dict()["step"] if checkpoint else 0
    while step < 5:
        step += 1
        tune.report({"height": step * config["lr"]}, checkpoint=tune.Checkpoint.from_dict({"step": step}))


def test_an_experiment_without_its_objects_is_read_and_says_why_it_cannot_go_on(tmp_path):
    fit(tmp_path, stop=3, trials=2)
    (tmp_path / "run" / "objects.pkl").unlink()
    assert len(tune.ResultGrid.from_path(tmp_path / "run")) == 2
    with pytest.raises(tune.JournalError, match=r"objects.pkl must hold .* it is not there.*can be read"):
        tune.Tuner.restore(tmp_path / "run")


def test_a_scheduler_of_another_kind_is_refused(tmp_path):
    fit(tmp_path, stop=3)
    with pytest.raises(tune.ConfigurationError, match="begun with, PopulationBasedTraining, got a Async"):
        tune.Tuner.restore(tmp_path / "run", scheduler=ASHAScheduler())


def test_a_mended_explore_function_can_be_given(tmp_path):
    def broken(config):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as raised:
        fit(tmp_path, scheduler={"custom_explore_fn": broken})
    assert "Tuner.restore(path, scheduler=...)" in raised.value.__notes__[-1]
    mended = PopulationBasedTraining(
        time_attr="training_iteration",
        metric="height",
        mode="max",
        perturbation_interval=2,
        synch=True,
        custom_explore_fn=lambda config: {**config, "lr": 0.777},
    )
    results = tune.Tuner.restore(tmp_path / "run", scheduler=mended).fit()
    assert 0.777 in [r.config["lr"] for r in results]
    assert tune.verify(tmp_path / "run").ok


SCRIPT = """
import sys
import poptune as tune
from poptune.schedulers import PopulationBasedTraining

def train(config):
    first = tune.get_checkpoint().to_dict()["step"] + 1 if tune.get_checkpoint() else 1
    for step in range(first, 7):
        TRAIN
        tune.report({"height": step * config["lr"]}, checkpoint=tune.Checkpoint.from_dict({"step": step}))

def stop(trial_id, result):
    STOP

class Rule(tune.Stopper):
    def __call__(self, trial_id, result):
        RULE

class Hook(tune.Callback):
    fail_run = True
    def on_trial_result(self, iteration, trials, trial, result, **info):
        HOOK

def explore(config):
    EXPLORE
    return config

if __name__ == "__main__":
    if sys.argv[1] == "new":
        scheduler = PopulationBasedTraining(
            time_attr="training_iteration", perturbation_interval=2, synch=True, custom_explore_fn=explore)
        tuner = tune.Tuner(train, param_space={"lr": tune.grid_search([1.0, 2.0])},
            tune_config=tune.TuneConfig(metric="height", mode="max", scheduler=scheduler, num_samples=1),
            run_config=tune.RunConfig(storage_path=".", name="x", verbose=0, stop=Rule() if RULES else stop,
                                      callbacks=[Hook()]))
    else:
        tuner = tune.Tuner.restore("x")
    print("ended at", [r.metrics["training_iteration"] for r in tuner.fit()])
"""
WHOLE = {
    "TRAIN": "pass",
    "STOP": "return False",
    "RULE": "return False",
    "HOOK": "pass",
    "EXPLORE": "pass",
    "RULES": "False",
}


@pytest.mark.parametrize(
    "broken",
    [
        {"STOP": "return 1 / 0"},
        {"RULE": "return 1 / 0", "RULES": "True"},
        {"HOOK": "1 / 0"},
        {"EXPLORE": "1 / 0"},
    ],
    ids=str,
)
def test_what_is_mended_in_the_script_counts_when_the_same_script_restores(tmp_path, broken):
    script = tmp_path / "script.py"
    ends = []
    for how, parts in (
        ("new", {**WHOLE, **broken}),
        ("restore", {**WHOLE, "RULES": broken.get("RULES", "False")}),
    ):
        text = SCRIPT
        for name in ("TRAIN", "STOP", "RULES", "RULE", "HOOK", "EXPLORE"):
            text = text.replace(name, parts[name])
        script.write_text(text)
        ran = subprocess.run(
            [sys.executable, script, how], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        ends.append((ran.returncode, ran.stdout.strip(), ran.stderr))
    assert ends[0][0] == 1, ends
    assert "ZeroDivisionError" in ends[0][2]
    assert ends[1][:2] == (0, "ended at [6, 6]"), ends


REFERENCES = """
import sys
import poptune as tune

def train(config):
    first = tune.get_checkpoint().to_dict()["step"] + 1 if tune.get_checkpoint() else 1
    for step in range(first, 5):
        total = sum(tune.get(config["data"])) + sum(tune.get(config["net"]["more"]))
        tune.report({"total": total}, checkpoint=tune.Checkpoint.from_dict({"step": step}))
        if step == 2 and sys.argv[1] == "new":
            raise SystemExit("enough")

space = {"data": tune.put([1, 2]), "net": {"more": tune.choice([tune.put([3]), tune.put([3])])}, "lr": 0.1}
if sys.argv[1] == "new":
    tuner = tune.Tuner(train, param_space=space,
        run_config=tune.RunConfig(storage_path=".", name="x", verbose=0, failure_config=tune.FailureConfig()))
elif sys.argv[1] == "restore":
    tuner = tune.Tuner.restore("x", trainable=train, param_space=space, resume_errored=True)
else:
    tuner = tune.Tuner.restore("x", trainable=train, resume_errored=True)
print([r.metrics["total"] for r in tuner.fit()])
"""


def test_fresh_references_take_the_places_of_those_that_are_gone(tmp_path):
    Path(tmp_path, "script.py").write_text(REFERENCES)
    said = []
    for how in ("new", "without", "restore"):
        ran = subprocess.run(
            [sys.executable, "script.py", how], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        said.append((ran.returncode, ran.stdout.strip(), ran.stderr))
    assert said[1][0] == 1, said
    assert "'data' is a reference to a list that is gone" in said[1][2]
    assert "Tuner.restore(path, param_space=" in said[1][2]
    assert said[2][:2] == (0, "[6]"), said


DRAWN = """
import sys
import poptune as tune

def train(config):
    first = tune.get_checkpoint().to_dict()["step"] + 1 if tune.get_checkpoint() else 1
    for step in range(first, 5):
        total = sum(tune.get(OF(config)))
        tune.report({"total": total}, checkpoint=tune.Checkpoint.from_dict({"step": step}))
        if step == 2 and sys.argv[1] == "new":
            raise SystemExit("enough")

if sys.argv[1] == "new":
    one = tune.put([3])
    tuner = tune.Tuner(train, param_space={"data": SPACE},
        run_config=tune.RunConfig(storage_path=".", name="x", verbose=0))
else:
    path = "x"
    tuner = tune.Tuner.restore(path, ADVICE resume_errored=True)
print([r.metrics["total"] for r in tuner.fit()])
"""


@pytest.mark.parametrize(
    ("space", "of"),
    [
        ("[5, one]", "config['data'][1]"),
        ("{'train': [one, 5]}", "config['data']['train'][0]"),
        ("tune.grid_search([one])", "config['data']"),
        ("tune.choice([one, tune.put([3])])", "config['data']"),
        ("tune.sample_from(lambda: one)", "config['data']"),
    ],
)
def test_the_advice_for_what_is_gone_works_to_the_letter_wherever_it_stood(tmp_path, space, of):
    script = DRAWN.replace("SPACE", space).replace("OF(config)", of)

    def run(how, advice):
        Path(tmp_path, "script.py").write_text(script.replace("ADVICE", advice))
        return subprocess.run(
            [sys.executable, "script.py", how], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    run("new", "")
    told = run("restore", "").stderr
    advice = re.search(r"Tuner.restore\(path, (param_space=.*)\)$", told, re.MULTILINE)[1]
    restored = run("restore", advice.replace("tune.put(...)", "tune.put([3])") + ",")
    assert restored.stdout.strip() == "[3]", restored.stderr


def test_a_param_space_without_references_changes_nothing_and_says_so(tmp_path):
    fit(tmp_path, stop=3)
    with pytest.warns(tune.PoptuneWarning, match="configs already"):
        tune.Tuner.restore(tmp_path / "run", param_space={"lr": tune.uniform(5, 6)})
    tune.Tuner.restore(tmp_path / "run", param_space={"lr": tune.uniform(0, 1)})


SHAPES = """
import enum, functools, sys
from dataclasses import dataclass
import poptune as tune

class Act(enum.Enum):
    RELU = 1
    TANH = 2

@dataclass
class Opt:
    name: str

class Net:
    version = VERSION
    def __init__(self, width):
        self.width = width
    def __eq__(self, other):
        return type(self) is type(other) and self.width == other.width
    def __hash__(self):
        return self.width

def helper():
    return VERSION

def explore(config):
    config["explored_by"] = helper()
    return config

def train(config, k=1):
    step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
    while True:
        step += 1
        known = (config["act"] is Act.RELU, isinstance(config["opt"], Opt), config["net"].version)
        tune.report(
            {"score": config["lr"] * step, "code": VERSION, "known": repr(known),
             "explored_by": config["explored_by"]},
            checkpoint=tune.Checkpoint.from_dict({"step": step}),
        )

class Methods:
    def run(self, config):
        return train(config)

def closure():
    def made(config):
        assert VERSION == helper()
        return train(config)
    return made

def decorated(function):
    @functools.wraps(function)
    def wrapper(config):
        return function(config)
    return wrapper

@decorated
def wrapped(config):
    return train(config)

FORMS = {"function": train, "partial": functools.partial(train, k=2), "lambda": lambda config: train(config),
    "closure": closure(), "method": Methods().run, "wrapped": wrapped}

if sys.argv[1] == "new":
    space = {"lr": tune.uniform(0, 1), "act": Act.RELU, "opt": Opt("sgd"), "net": Net(3), "explored_by": 0}
    scheduler = tune.PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=2, synch=True,
        hyperparam_mutations={"lr": tune.uniform(0, 1)}, custom_explore_fn=explore)
    tuner = tune.Tuner(FORMS[sys.argv[2]], param_space=space,
        tune_config=tune.TuneConfig(metric="score", mode="max", num_samples=4, scheduler=scheduler, seed=1),
        run_config=tune.RunConfig(
            storage_path=".", name="x", verbose=0, executor="inline", stop={"training_iteration": 5}))
else:
    tuner = tune.Tuner.restore("x", stop={"training_iteration": 11})
results = tuner.fit()
print({r.metrics["code"] for r in results}, {r.metrics["known"] for r in results},
    max(r.config["explored_by"] for r in results), tune.verify("x").ok)
"""


@pytest.mark.parametrize("form", ["function", "partial", "lambda", "closure", "method", "wrapped"])
def test_whatever_the_script_defines_is_what_it_defines_today(tmp_path, form):
    assert said_by(tmp_path / "script.py", 1, "new", form) == "{1} {'(True, True, 1)'} 1 True"
    assert said_by(tmp_path / "script.py", 2, "restore", form) == "{2} {'(True, True, 2)'} 2 True"


def test_what_another_script_calls_by_the_same_names_is_something_else(tmp_path):
    said_by(tmp_path / "script.py", 1, "new", "function")
    assert said_by(tmp_path / "other.py", 2, "restore", "function") == "{1} {'(True, True, 1)'} 1 True"


def said_by(script, version, *arguments):
    script.write_text(SHAPES.replace("VERSION", str(version)))
    ran = subprocess.run(
        [sys.executable, script, *arguments], cwd=script.parent, capture_output=True, text=True, check=False
    )
    assert not ran.returncode, ran.stderr
    return ran.stdout.strip()


def test_what_cannot_take_the_place_of_what_was_stored_is_told_and_the_stored_code_is_used(tmp_path):
    script = tmp_path / "script.py"
    said_by(script, 1, "new", "function")
    script.write_text(
        SHAPES.replace("VERSION", "2").replace("RELU", "OTHER").replace("OTHER = 1", "OTHER = 3")
    )
    ran = subprocess.run(
        [sys.executable, script, "restore"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "PoptuneWarning" in ran.stderr
    assert "1 is not a valid Act" in ran.stderr
    assert ran.stdout.strip() == "{1} {'(True, True, 1)'} 1 True"
