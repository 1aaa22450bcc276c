"""The user's hooks: their order, what they see, and what happens when they raise."""

import threading

import pytest

import poptune as tune
from poptune.callbacks import CallbackRunner
from poptune.schedulers import FIFOScheduler, PopulationBasedTraining


def climb(config):
    step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
    while True:
        step += 1
        if config["lr"] == 13.0:
            raise ValueError("bad luck")
        state = tune.Checkpoint.from_dict({"step": step})
        tune.report({"height": step * config["lr"]}, checkpoint=state)


def run(path, *callbacks, scheduler=None, lrs=(1.0,), executor="inline", stop=2):
    return tune.Tuner(
        climb,
        param_space={"lr": tune.grid_search(list(lrs))},
        tune_config=tune.TuneConfig(
            metric="height", mode="max", seed=0, scheduler=scheduler or FIFOScheduler()
        ),
        run_config=tune.RunConfig(
            storage_path=path,
            callbacks=callbacks,
            executor=executor,
            verbose=0,
            stop={"training_iteration": stop},
            failure_config=tune.FailureConfig(on_all_failed="return"),
        ),
    ).fit()


class Recorder(tune.Callback):
    def __init__(self):
        self.calls = []

    def __getattribute__(self, name):
        if name == "setup" or name.startswith("on_"):
            return lambda **arguments: self.calls.append((name, arguments))
        return super().__getattribute__(name)

    @property
    def of_trials(self):
        hooks = [name for name, _ in self.calls if "step" not in name]
        return [name for name in hooks if name != "setup"]


def test_the_hooks_come_in_order(tmp_path):
    recorder = Recorder()
    run(tmp_path, recorder)
    assert recorder.calls[0] == (
        "setup",
        {"stop": {"training_iteration": 2}, "num_samples": 1, "total_num_samples": 1},
    )
    assert recorder.of_trials == [
        "on_trial_start",
        "on_trial_result",
        "on_checkpoint",
        "on_trial_save",
        "on_trial_result",
        "on_checkpoint",
        "on_trial_save",
        "on_trial_complete",
        "on_experiment_end",
    ]
    steps = [arguments["iteration"] for name, arguments in recorder.calls if name == "on_step_begin"]
    assert steps == list(range(1, len(steps) + 1))


def test_a_hook_sees_the_trial_its_result_and_its_checkpoint(tmp_path):
    recorder = Recorder()
    results = run(tmp_path, recorder)
    arguments = dict(recorder.calls)
    trial = arguments["on_trial_result"]["trial"]
    assert trial.trial_id == results[0].trial_id
    assert str(trial) == f"climb_{trial.trial_id}"
    assert trial.local_path == results[0].path
    assert trial.config == {"lr": 1.0}
    assert trial.last_result["height"] == arguments["on_trial_result"]["result"]["height"] == 2.0
    assert arguments["on_checkpoint"]["checkpoint"] == str(results[0].checkpoint.path)
    assert arguments["on_trial_result"]["trials"] == [trial]


def test_a_failure_is_told_by_its_own_hook(tmp_path):
    recorder = Recorder()
    run(tmp_path, recorder, lrs=(13.0,))
    assert recorder.of_trials == ["on_trial_error", "on_experiment_end"]


def test_an_exploit_is_told_as_a_restore(tmp_path):
    recorder = Recorder()
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=2,
        hyperparam_mutations={"lr": tune.uniform(0, 1)},
        synch=True,
    )
    results = run(tmp_path, recorder, scheduler=scheduler, lrs=(0.1, 1.0), stop=6)
    assert recorder.of_trials.count("on_trial_restore") == len(results.lineage.exploits) > 0


def test_under_lockstep_a_trial_waits_until_the_hook_has_seen_its_result(tmp_path):
    class Gate(tune.Callback):
        def __init__(self):
            self.seen = 0

        def on_trial_result(self, iteration, trials, trial, result, **info):
            assert result["training_iteration"] == self.seen + 1
            assert not (trial.path / f"checkpoint_{self.seen + 2:06d}").exists()
            self.seen += 1

    gate = Gate()
    run(tmp_path, gate, executor="processes", stop=5)
    assert gate.seen == 5


def test_a_callback_that_raises_is_named_once_and_the_run_goes_on(tmp_path):
    class Broken(tune.Callback):
        def on_trial_result(self, **arguments):
            raise KeyError("oops")

    with pytest.warns(tune.PoptuneWarning, match="Broken.on_trial_result raised KeyError: 'oops'") as caught:
        results = run(tmp_path, Broken())
    assert len(caught) == 1
    assert results.num_terminated == 1


def test_a_callback_that_asks_for_it_ends_the_run(tmp_path):
    class Strict(tune.Callback):
        fail_run = True

        def on_trial_result(self, **arguments):
            raise KeyError("oops")

    with pytest.raises(KeyError, match="oops") as caught:
        run(tmp_path, Strict())
    assert "Strict.on_trial_result" in caught.value.__notes__[0]
    assert "Tuner.restore(path, run_config=...)" in caught.value.__notes__[0]
    (experiment,) = tmp_path.iterdir()
    mended = tune.RunConfig(callbacks=[tune.Callback()], verbose=0, executor="inline")
    results = tune.Tuner.restore(experiment, run_config=mended).fit()  # the advice works
    assert not results.errors


def test_something_that_is_no_callback_is_refused():
    with pytest.raises(tune.ConfigurationError, match=r"derived from tune.Callback, got <function"):
        tune.RunConfig(callbacks=[lambda **arguments: None])


class Logs(tune.Callback):
    def on_trial_results(self, **arguments):
        pass

    @staticmethod
    def on_trial_compelte(**arguments):
        pass


class LogsMore(Logs):
    on_trial_errors = 0
    on_trial_resultss = None

    def on_epoch_end(self):
        pass

    def _on_trial_results(self):
        pass


def test_a_method_that_is_like_a_hook_but_none_is_told_before_anything_starts(tmp_path):
    run_config = tune.RunConfig(callbacks=[LogsMore(), LogsMore(), Recorder()], storage_path=tmp_path)
    with pytest.warns(tune.PoptuneWarning) as caught:
        tune.Tuner(climb, run_config=run_config)
    one, other = sorted(str(warning.message) for warning in caught)
    assert one.startswith("LogsMore.on_trial_compelte is no hook")
    assert "did you mean 'on_trial_complete'?" in one
    assert other.startswith("LogsMore.on_trial_results is no hook, so it is not called")
    assert "did you mean 'on_trial_result'? Name it so, or, if it is a helper" in other
    assert list(tmp_path.iterdir()) == []


def test_callbacks_that_cannot_be_stored_are_told_of(tmp_path):
    class Holder(tune.Callback):
        def __init__(self):
            self.lock = threading.Lock()

    with pytest.warns(tune.PoptuneWarning, match="callbacks cannot be pickled.*in setup"):
        results = run(tmp_path, Holder())
    assert results.num_terminated == 1


class Clock(tune.Callback):
    """Lets the trial go on at the tenth turn."""

    def __init__(self, told):
        self.told = told
        self.turns = []
        self.ended = 0

    def on_step_begin(self, iteration, trials, **info):
        self.turns.append((iteration, [trial.trial_id for trial in trials]))
        if len(self.turns) >= 10:
            self.told.touch()

    def on_step_end(self, iteration, trials, **info):
        self.ended += 1


def silent_until_told(config):
    while not config["told"].exists():
        pass
    tune.report({"height": 1.0})


def test_a_callback_that_watches_the_clock_is_called_while_trials_are_silent(tmp_path):
    clock = Clock(tmp_path / "told")
    results = tune.Tuner(
        silent_until_told,
        param_space={"told": tmp_path / "told"},
        run_config=tune.RunConfig(storage_path=tmp_path / "runs", callbacks=[clock], verbose=0),
    ).fit()
    assert results.num_terminated == 1
    assert len(clock.turns) == clock.ended >= 10
    assert [iteration for iteration, _ in clock.turns] == list(range(1, len(clock.turns) + 1))
    assert {tuple(trials) for _, trials in clock.turns} == {(results[0].trial_id,)}


def test_who_does_not_watch_the_clock_is_not_called_for_it():
    runner = CallbackRunner([Recorder()], layout=None, setup={})
    runner.idle()
    runner.idle()
    assert runner._callbacks[0].calls == []


class Notes(tune.Callback):
    """Keeps what it sees under the trial itself."""

    def __init__(self):
        self.by_trial = {}
        self.hashes = set()

    def on_trial_start(self, iteration, trials, trial, **info):
        self.by_trial[trial] = ["start"]
        self.hashes.add(hash(trial))

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.by_trial[trial].append(result["height"])
        self.hashes.add(hash(trial))
        result.clear()

    def on_trial_complete(self, iteration, trials, trial, **info):
        assert trial in trials
        self.by_trial[trials[trials.index(trial)]].append("complete")
        self.hashes.add(hash(trial))


def test_a_trial_is_the_same_key_in_every_hook_and_a_result_each_callbacks_own(tmp_path):
    first, second = Notes(), Notes()
    run(tmp_path, first, second, lrs=(1.0, 2.0))
    for notes in (first, second):
        assert list(notes.by_trial.values()) == [
            ["start", 1.0, 2.0, "complete"],
            ["start", 2.0, 4.0, "complete"],
        ]
        assert len(notes.hashes) == 2
    one, two = first.by_trial
    assert one != two
    assert one != str(one)
    assert set(first.by_trial) == set(second.by_trial)
    assert one.trainable_name == "climb"
    assert repr(one) == f"<trial climb_{one.trial_id}: TERMINATED>"


@pytest.mark.parametrize("name", ["best", "status"])
def test_a_hook_that_sets_something_on_a_trial_is_told_where_to_keep_it(name, tmp_path):
    class Sets(tune.Callback):
        fail_run = True

        def on_trial_result(self, trial, **info):
            setattr(trial, name, 1)

    with pytest.raises(
        AttributeError, match=rf"only sees a trial, but it sets trial.{name} = 1: keep .*self.{name}"
    ):
        run(tmp_path, Sets())
