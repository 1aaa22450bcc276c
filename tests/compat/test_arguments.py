"""Arguments of Ray are translated, accepted with one line in the log, or refused with a reason."""

import logging
from datetime import timedelta

import pytest

import poptune
from poptune.compat import ray
from poptune.compat.ray import air, train, tune
from poptune.compat.ray.tune.logger import CSVLoggerCallback, JsonLoggerCallback, TBXLoggerCallback
from poptune.compat.ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    PopulationBasedTrainingReplay,
)
from poptune.compat.ray.tune.search import BasicVariantGenerator


def train_once(config):
    tune.report({"loss": 0.0})


SET_ASIDE = {
    "a number of cores": (lambda: ray.init(num_cpus=2), "max_concurrent_trials"),
    "a number of GPUs": (lambda: ray.init(num_gpus=1), "CUDA_VISIBLE_DEVICES"),
    "local mode": (lambda: ray.init(local_mode=True), 'executor="inline"'),
    "a dashboard": (lambda: ray.init(include_dashboard=False), "there is none"),
    "a logging level": (lambda: ray.init(logging_level=logging.ERROR), "Python's logging"),
    "a sync config": (
        lambda: tune.RunConfig(sync_config=tune.SyncConfig(syncer=None)),
        "by itself",
    ),
    "a reporter": (lambda: air.RunConfig(progress_reporter=tune.CLIReporter()), "chooses its columns itself"),
    "a base": (lambda: tune.loguniform(1e-4, 1, 10), "same for every base"),
}

REFUSED = {
    "a cluster": (lambda: ray.init("ray://head:10001"), "trains on this machine"),
    "a runtime_env": (lambda: ray.init(runtime_env={"pip": ["x"]}), "before the program starts"),
    "a cloud nobody knows": (lambda: tune.RunConfig(storage_path="s3://"), "must name a place"),
    "a filesystem": (lambda: tune.RunConfig(storage_filesystem="fs"), "as a URL"),
    "two places": (lambda: air.RunConfig(storage_path="a", local_dir="b"), "leave one out"),
    "three log files": (lambda: tune.RunConfig(log_to_file=("a", "b", "c")), "or those of two"),
    "a log file elsewhere": (lambda: tune.RunConfig(log_to_file="/tmp/out"), "without slashes"),
    "a log file of ours": (lambda: tune.RunConfig(log_to_file=("out", "result.json")), "our own files"),
    "raising at once": (lambda: tune.FailureConfig(fail_fast="raise"), "say True"),
    "an upload": (lambda: tune.SyncConfig(upload_dir="s3://bucket"), "copy the results"),
    "a search algorithm": (lambda: tune.TuneConfig(search_alg="optuna"), "drawn from the param_space"),
    "endless samples": (lambda: tune.TuneConfig(num_samples=-1), "say how many"),
    "one working folder": (lambda: tune.TuneConfig(chdir_to_trial_dir=False), "absolute paths"),
    "one draw for a grid": (lambda: BasicVariantGenerator(constant_grid_search=True), "points_to_evaluate"),
    "a generator": (lambda: BasicVariantGenerator(random_state=object()), "a whole number"),
    "a soft stop": (lambda: MedianStoppingRule(hard_stop=False), "never paused"),
    "several bundles": (lambda: tune.PlacementGroupFactory([{"CPU": 1}, {"CPU": 2}]), "one bundle"),
    "saving a function now and then": (
        lambda: tune.run(train_once, checkpoint_freq=2),
        "is for classes, but train_once is a function",
    ),
    "saving a function at its end": (
        lambda: tune.Tuner(
            train_once,
            run_config=tune.RunConfig(checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=True)),
        ),
        "checkpoint=...",
    ),
    "custom resources": (lambda: tune.with_resources(train_once, {"tpu": 1}), '"cpu" and "gpu"'),
    "resources by config": (
        lambda: tune.with_resources(train_once, lambda config: {}),
        "same for all trials",
    ),
    "an unregistered name": (lambda: tune.Tuner("trian"), "a registered name"),
    "no trainable": (tune.Tuner, "needs a trainable"),
    "an unknown scheduler": (lambda: tune.create_scheduler("pbd"), "did you mean 'pbt'"),
    "a checkpoint folder": (lambda: tune.Tuner(with_checkpoint_dir), "call tune.get_checkpoint"),
    "a reporter function": (lambda: tune.Tuner(with_reporter), "call tune.report"),
    "ignoring the unfinished": (lambda: tune.Tuner.restore("x", resume_unfinished=False), "from_path"),
    "exports": (lambda: tune.run(train_once, export_formats=["onnx"]), "read the checkpoints"),
    "a first checkpoint": (lambda: tune.run(train_once, restore="x"), "tune.with_parameters"),
    "resuming in part": (lambda: tune.run(train_once, name="x", resume="ERRORED_ONLY"), r'"AUTO\+ERRORED"'),
    "resuming only the failed": (
        lambda: tune.run(train_once, name="x", resume="AUTO+RESTART_ERRORED_ONLY"),
        r'unfinished trials train on, too: say resume="AUTO\+RESTART_ERRORED"',
    ),
    "resuming from afar": (lambda: tune.run(train_once, name="x", resume="REMOTE"), "as the storage_path"),
    "resuming after a question": (
        lambda: tune.run(train_once, name="x", resume="PROMPT"),
        'say resume="AUTO"',
    ),
    "resuming in a wrong word": (lambda: tune.run(train_once, name="x", resume="AUTOO"), "got 'AUTOO'"),
    "resuming the failed in a wrong word": (
        lambda: tune.run(train_once, name="x", resume="AUTO+FAILED"),
        r'must be True, False, "AUTO", "AUTO\+ERRORED"',
    ),
    "resuming by a config": (
        lambda: tune.run(train_once, name="x", resume_config=object()),
        r'say resume="AUTO\+ERRORED"',
    ),
    "resuming without a name": (lambda: tune.run(train_once, resume=True), "a named experiment"),
}


def with_checkpoint_dir(config, checkpoint_dir=None):
    pass


def with_reporter(config, reporter):
    pass


@pytest.mark.parametrize("what", SET_ASIDE)
def test_what_means_nothing_here_is_accepted_with_one_line(what, log):
    use, reason = SET_ASIDE[what]
    use()
    assert len([line for line in log() if reason in line]) == 1


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_honoured_is_refused_with_a_reason(what):
    use, reason = REFUSED[what]
    with pytest.raises(poptune.ConfigurationError, match=reason):
        use()


@pytest.mark.parametrize(
    ("use", "hint"),
    [
        (lambda: tune.TuneConfig(reuse_actor=True), "did you mean 'reuse_actors'"),
        (lambda: tune.RunConfig(storage_pth="x"), "did you mean 'storage_path'"),
        (lambda: PopulationBasedTraining(hyperparam_mutation={}), "did you mean 'hyperparam_mutations'"),
        (lambda: tune.Tuner(train_once, param_spaces={}), "did you mean 'param_space'"),
        (lambda: tune.run(train_once, num_sample=2), "did you mean 'num_samples'"),
        (lambda: tune.run(train_once, nope=1), "has no argument 'nope'$"),
        (lambda: tune.run(train_once, restart=True), "has no argument 'restart'$"),
        (lambda: tune.run(train_once, checkpoint_frequency=2), "did you mean 'checkpoint_freq'"),
        (
            lambda: tune.run(train_once, param_space={}),
            "has no argument 'param_space', a Tuner has: say config",
        ),
        (lambda: tune.run(train_once, run_config=None), "as storage_path="),
        (lambda: tune.TuneConfig(nope=1), "has no argument 'nope'; it takes: "),
        (lambda: tune.run(train_once, loggers=[]), "any more: pass callbacks="),
        (lambda: tune.run(train_once, queue_trials=True), "any more: trials always wait"),
    ],
)
def test_an_unknown_argument_names_the_right_one(use, hint):
    with pytest.raises(TypeError, match=hint):
        use()


def test_initialising_says_once_that_it_does_nothing(log):
    ray.shutdown()
    assert len(log()) == 1
    assert not ray.is_initialized()
    ray.init(ignore_reinit_error=True)
    assert ray.is_initialized()
    assert [line for line in log() if "does nothing" in line] == [
        "ray.init() does nothing: trials run in processes of this machine, started when a Tuner needs them"
    ]
    ray.shutdown()
    assert not ray.is_initialized()
    assert len(log()) == 1


@pytest.mark.parametrize("logger", [CSVLoggerCallback, JsonLoggerCallback, TBXLoggerCallback])
def test_the_loggers_of_files_are_accepted_since_the_files_are_always_written(logger, log):
    logger()
    assert len(log()) == 1


def test_an_argument_is_logged_once_however_often_the_config_is_used(log, inline):
    config = tune.RunConfig(sync_config=tune.SyncConfig(), verbose=0)
    for _ in range(2):
        tune.Tuner(train_once, run_config=config)
    assert len(log()) == 1


def test_a_tune_config_says_the_same_in_native_terms():
    scheduler = ASHAScheduler()
    native = tune.TuneConfig(
        metric="loss",
        mode="min",
        search_alg=BasicVariantGenerator([{"lr": 1}], max_concurrent=3, random_state=7),
        scheduler=scheduler,
        num_samples=5,
        time_budget_s=timedelta(minutes=1),
        reuse_actors=False,
    ).to_native()
    assert native == poptune.TuneConfig(
        metric="loss",
        mode="min",
        scheduler=scheduler,
        num_samples=5,
        max_concurrent_trials=3,
        time_budget_s=60.0,
        seed=7,
        reuse_workers=False,
        points_to_evaluate=[{"lr": 1}],
    )
    assert tune.TuneConfig(max_concurrent_trials=0).to_native() == poptune.TuneConfig(
        scheduler=FIFOScheduler()
    )


def test_a_run_config_says_the_same_in_native_terms_whichever_module_it_comes_from():
    assert air.RunConfig is train.RunConfig is tune.RunConfig
    native = air.RunConfig(
        name="pbt",
        local_dir="here",
        stop={"loss": 1},
        failure_config=air.FailureConfig(max_failures=2),
        checkpoint_config=air.CheckpointConfig(num_to_keep=1),
        verbose=3,
    ).to_native()
    assert native == poptune.RunConfig(
        name="pbt",
        storage_path="here",
        stop={"loss": 1},
        failure_config=air.FailureConfig(max_failures=2),
        checkpoint_config=poptune.CheckpointConfig(num_to_keep=1),
    )
    assert tune.RunConfig().to_native().storage_path == "~/ray_results"


def test_resources_keep_their_amounts():
    for resources in (
        {"cpu": 2, "gpu": 0},
        {"CPU": 2, "GPU": 0},
        tune.PlacementGroupFactory([{"CPU": 2, "GPU": 0}]),
    ):
        assert tune.with_resources(train_once, resources).resources == {"cpu": 2, "gpu": 0}


def test_equal_requests_are_one_key():
    one, other = (tune.PlacementGroupFactory([{"CPU": 2, "GPU": 0}]) for _ in range(2))
    assert len({one, other, tune.PlacementGroupFactory([{"CPU": 1}])}) == 2


def test_the_machine_tells_its_resources():
    assert ray.cluster_resources() == ray.available_resources()
    assert ray.cluster_resources()["CPU"] >= 1


def test_objects_are_put_and_got_one_by_one_or_in_lists():
    one, two = ray.put([1]), ray.put([2])
    assert ray.get(one) == [1]
    assert ray.get([one, two], timeout=5) == [[1], [2]]


def test_population_based_training_has_the_incumbents_numbers():
    scheduler = PopulationBasedTraining(hyperparam_mutations={"lr": tune.uniform(0, 1)})
    assert scheduler.respect_bounds is False
    assert poptune.schedulers.PopulationBasedTraining(hyperparam_mutations={"lr": [1, 2]}).respect_bounds
    positional = PopulationBasedTraining("step", "loss", "min", 7.0, 3.0, {"lr": [1, 2]}, 0.5, 0.0, (2.0,))
    assert (positional.time_attr, positional.mode, positional.perturbation_interval) == ("step", "min", 7.0)
    assert (positional.burn_in_period, positional.quantile_fraction) == (3.0, 0.5)


def test_a_scheduler_is_made_by_its_name():
    assert isinstance(tune.create_scheduler("fifo"), FIFOScheduler)
    assert isinstance(tune.create_scheduler("pbt", hyperparam_mutations={"a": [1]}), PopulationBasedTraining)
    assert isinstance(tune.create_scheduler("pbt_replay", policy_file="x"), PopulationBasedTrainingReplay)


def test_a_reporter_of_ones_own_is_refused():
    with pytest.raises(poptune.ConfigurationError, match="from a tune.Callback"):

        class Mine(tune.CLIReporter):
            pass


@pytest.mark.parametrize(
    ("method", "remedy"),
    [("_train", "call it step"), ("log_result", "Callback")],
)
def test_a_method_that_nobody_calls_is_refused(method, remedy):
    with pytest.raises(poptune.ConfigurationError, match=remedy):
        type("Old", (tune.Trainable,), {method: lambda self: None})
