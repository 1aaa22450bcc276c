"""Every module path and name of Ray that scripts use is here, or says why it is not."""

import importlib
import subprocess
import sys

import pytest

MIRRORED = {
    "": "air available_resources cluster_resources get init is_initialized put shutdown train tune ObjectRef",
    "air": "Checkpoint CheckpointConfig FailureConfig Result RunConfig session",
    "air.checkpoint": "Checkpoint",
    "air.config": "CheckpointConfig FailureConfig RunConfig",
    "air.session": "get_checkpoint get_experiment_name get_trial_dir get_trial_id get_trial_name "
    "get_trial_resources report",
    "train": "Checkpoint CheckpointConfig FailureConfig Result RunConfig SyncConfig get_checkpoint "
    "get_context report",
    "tune": "CLIReporter Callback Checkpoint CheckpointConfig ExperimentAnalysis FailureConfig "
    "JupyterNotebookReporter PlacementGroupFactory Result ResultGrid RunConfig Stopper SyncConfig Trainable "
    "TuneConfig TuneError Tuner choice create_scheduler get_checkpoint get_context get_trial_dir "
    "get_trial_id get_trial_name get_trial_resources grid_search lograndint loguniform qlograndint "
    "qloguniform qrandint qrandn quniform randint randn register_trainable report run sample_from uniform "
    "with_parameters with_resources",
    "tune.analysis": "ExperimentAnalysis",
    "tune.callback": "Callback",
    "tune.error": "TuneError",
    "tune.examples.mnist_pytorch": "ConvNet get_data_loaders train test train_func test_func",
    "tune.execution.placement_groups": "PlacementGroupFactory",
    "tune.experiment": "Trial",
    "tune.logger": "CSVLoggerCallback JsonLoggerCallback LoggerCallback TBXLoggerCallback",
    "tune.progress_reporter": "CLIReporter JupyterNotebookReporter",
    "tune.registry": "register_trainable",
    "tune.result_grid": "Result ResultGrid",
    "tune.schedulers": "ASHAScheduler AsyncHyperBandScheduler FIFOScheduler MedianStoppingRule "
    "PopulationBasedTraining PopulationBasedTrainingReplay create_scheduler",
    "tune.schedulers.async_hyperband": "ASHAScheduler AsyncHyperBandScheduler",
    "tune.schedulers.median_stopping_rule": "MedianStoppingRule",
    "tune.schedulers.pbt": "PopulationBasedTraining PopulationBasedTrainingReplay",
    "tune.schedulers.trial_scheduler": "FIFOScheduler",
    "tune.search": "BasicVariantGenerator grid_search",
    "tune.search.basic_variant": "BasicVariantGenerator",
    "tune.search.sample": "Categorical Domain Float Integer choice loguniform uniform",
    "tune.stopper": "CombinedStopper ExperimentPlateauStopper FunctionStopper MaximumIterationStopper "
    "NoopStopper Stopper TimeoutStopper TrialPlateauStopper",
    "tune.syncer": "SyncConfig",
    "tune.trainable": "Trainable with_parameters with_resources",
    "tune.tune": "run",
    "tune.tune_config": "TuneConfig",
    "tune.tuner": "Tuner",
}

REFUSED = [
    ("ray", "remote", "no tasks and no actors"),
    ("ray.rllib", "algorithms", "no tasks and no actors"),
    ("ray.air", "ScalingConfig", "tune.with_resources"),
    ("ray.air.session", "get_world_rank", "a trial is one process"),
    ("ray.air.integrations.wandb", "WandbLoggerCallback", "from a tune.Callback"),
    ("ray.train", "get_dataset_shard", "tune.Tuner"),
    ("ray.train.torch", "TorchTrainer", "tune.Tuner"),
    ("ray.tune", "checkpoint_dir", "Checkpoint.from_directory"),
    ("ray.tune", "run_experiments", "tune.run"),
    ("ray.tune.schedulers", "PB2", "use PopulationBasedTraining"),
    ("ray.tune.schedulers", "HyperBandScheduler", "use ASHAScheduler"),
    ("ray.tune.schedulers.pb2", "PB2", "use PopulationBasedTraining"),
    ("ray.tune.search", "ConcurrencyLimiter", "max_concurrent_trials"),
    ("ray.tune.search.optuna", "OptunaSearch", "the scheduler adapts them"),
    ("ray.tune.logger", "DEFAULT_LOGGERS", "LoggerCallback"),
    ("ray.tune.registry", "register_env", "RLlib"),
]


@pytest.mark.parametrize("path", MIRRORED)
def test_a_module_of_ray_has_its_names(path):
    module = importlib.import_module(f"poptune.compat.ray.{path}".rstrip("."))
    for name in MIRRORED[path].split():
        assert getattr(module, name).__doc__, name


@pytest.mark.parametrize(("path", "name", "remedy"), REFUSED)
def test_a_name_that_is_not_mirrored_says_why(path, name, remedy):
    with pytest.raises(ImportError, match=remedy):
        exec(f"from poptune.compat.{path} import {name}", {})


def test_a_misspelled_name_is_an_ordinary_import_error():
    with pytest.raises(ImportError, match="cannot import name 'PopulationBasedTrainign'"):
        exec("from poptune.compat.ray.tune.schedulers import PopulationBasedTrainign", {})


def test_importing_the_mirror_imports_neither_ray_nor_a_framework():
    code = (
        "import sys, poptune.compat.ray; "
        "print(sorted({'torch', 'numpy', 'pandas', 'matplotlib', 'ray', 'tensorboard'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
