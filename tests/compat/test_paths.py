"""Every module path and name of Ray that scripts use is here, or says why it is not."""

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from poptune.compat import ray
from poptune.compat.ray._missing import _Finder, install

MIRRORED = {
    "": "air available_resources cluster_resources get init is_initialized put shutdown train tune ObjectRef",
    "air": "Checkpoint CheckpointConfig FailureConfig Result RunConfig session",
    "air.checkpoint": "Checkpoint",
    "air.config": "CheckpointConfig FailureConfig RunConfig",
    "air.session": "get_checkpoint get_experiment_name get_trial_dir get_trial_id get_trial_name "
    "get_trial_resources get_world_rank get_world_size get_local_rank report",
    "cloudpickle": "dumps loads",
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
    "tune.registry": "get_trainable_cls register_trainable",
    "tune.utils": "flatten_dict validate_save_restore",
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
    ("ray.rllib", "algorithms", "RLlib"),
    ("ray.air", "ScalingConfig", "tune.with_resources"),
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
    ("ray.tune.logger", "UnifiedLogger", "LoggerCallback"),
    ("ray.tune.trial", "ExportFormat", "read the checkpoints"),
    ("ray.tune.integration.wandb", "WandbLoggerCallback", "wandb.log"),
    ("ray.tune.integration.mlflow", "MLflowLoggerCallback", "mlflow.log_metrics"),
    ("ray.tune.integration.pytorch_lightning", "TuneReportCallback", "on_validation_end"),
    ("ray.tune.integration.keras", "TuneReportCallback", "LambdaCallback"),
    ("ray.tune.integration.xgboost", "TuneReportCheckpointCallback", "TrainingCallback"),
    ("ray.train.huggingface.transformers", "RayTrainReportCallback", "TrainerCallback"),
    ("ray.tune.suggest.hyperopt", "HyperOptSearch", "leave the search_alg out"),
    ("ray.tune.schedulers.hb_bohb", "HyperBandForBOHB", "not built yet"),
    ("ray.tune.examples.pbt_function", "pbt_function", "copy its file"),
    ("ray.util.sgd.torch", "TorchTrainer", "tune.Tuner"),
    ("ray.util.queue", "Queue", "no tasks"),
    ("ray.rllib.algorithms.ppo", "PPO", "RLlib"),
    ("ray.data", "read_csv", "with_parameters"),
    ("ray", "serve", "no tasks"),
    ("ray.tune", "track", "tune.report"),
    ("ray.tune.registry", "register_env", "RLlib"),
    ("ray.train._internal.storage", "StorageContext", "private to Ray"),
    ("ray.train", "_internal", "private to Ray"),
    ("ray.air._internal.checkpoint_manager", "CheckpointStorage", "private to Ray"),
    ("ray.tune.utils._mock", "Mock", "private to Ray"),
]


HERE = Path(__file__).parent
RAYS_MODULES = (HERE / "ray_modules.txt").read_text().split()
"""The modules of Ray 2.60, listed once from its source."""
RAYS_NAMES = {
    line.partition(": ")[0].strip("."): line.partition(": ")[2].split()
    for line in (HERE / "ray_names.txt").read_text().splitlines()
}
"""Their names, listed once from its source."""


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
    with pytest.raises(AttributeError, match="did you mean 'PopulationBasedTraining'"):
        ray.tune.schedulers.PopulationBasedTrainign  # noqa: B018


@pytest.mark.parametrize(
    ("module", "near"),
    [
        ("tune.schedulers.pbtt", "tune.schedulers.pbt"),
        ("tune.stoper", "tune.stopper"),
        ("tunes", "tune"),
        ("tune.integration_", None),
        ("rlib", None),
        ("train.tourch", None),
        ("nosuch", None),
        ("tune.tuner.nothing_like_it", None),
    ],
)
def test_a_module_that_ray_has_not_either_is_not_found_and_only_what_is_there_is_named(module, near):
    answer("tune.integration")  # which is imported where it says more of a module below it
    hint = f"; did you mean '{near}'" if near else "$"
    with pytest.raises(ModuleNotFoundError, match=f"No module named 'poptune.compat.ray.{module}'{hint}"):
        importlib.import_module(f"poptune.compat.ray.{module}")


def answer(path):
    """Return a module, or what was said instead."""
    try:
        return importlib.import_module(f"poptune.compat.ray.{path}".rstrip("."))
    except ImportError as error:
        return str(error)


@pytest.mark.parametrize("path", RAYS_MODULES)
def test_every_module_of_ray_is_there_or_says_why_not(path):
    found = answer(path)
    assert not isinstance(found, str) or "is not mirrored: " in found


@pytest.mark.parametrize("path", RAYS_NAMES)
def test_every_name_of_rays_modules_is_there_or_says_why_not(path):
    module = answer(path)
    for name in [] if isinstance(module, str) else RAYS_NAMES[path]:
        try:
            getattr(module, name)
        except ImportError as error:
            assert f"{name} is not mirrored: " in str(error)  # noqa: PT017 - most names raise nothing


@pytest.mark.parametrize(
    ("path", "name", "home"),
    [
        ("tune.sample", "Domain", "tune.search.sample"),
        ("tune.trial", "Trial", "tune.experiment"),
        ("tune.experiment.trial", "Trial", "tune.experiment"),
        ("tune.suggest.basic_variant", "BasicVariantGenerator", "tune.search"),
        ("tune.stopper.maximum_iteration", "MaximumIterationStopper", "tune.stopper"),
        ("tune.logger.csv", "CSVLoggerCallback", "tune.logger"),
        ("tune.trainable.trainable", "Trainable", "tune"),
        ("tune.trainable.util", "with_parameters", "tune"),
        ("tune.analysis.experiment_analysis", "ExperimentAnalysis", "tune"),
        ("tune.utils.util", "flatten_dict", "tune.utils"),
        ("tune.utils.placement_groups", "PlacementGroupFactory", "tune"),
        ("tune.context", "get_context", "tune"),
        ("train.context", "TrainContext", "train"),
        ("tune.session", "get_trial_dir", "tune"),
        ("air.result", "Result", "air"),
        ("tune.callback", "Trial", "tune.experiment"),
        ("tune.schedulers.pbt", "TrialScheduler", None),
        ("tune.progress_reporter", "TRAINING_ITERATION", "tune.result"),
    ],
)
def test_what_has_moved_between_rays_releases_is_found_where_it_was(path, name, home):
    module = importlib.import_module(f"poptune.compat.ray.{path}")
    if home is None:
        with pytest.raises(ImportError, match="not mirrored"):
            getattr(module, name)
        return
    assert getattr(module, name) is getattr(importlib.import_module(f"poptune.compat.ray.{home}"), name)


def test_the_finder_is_there_once_and_leaves_others_imports_alone():
    install()
    install()
    assert [type(finder) for finder in sys.meta_path].count(_Finder) == 1
    with pytest.raises(ModuleNotFoundError, match="No module named 'nobody'"):
        importlib.import_module("nobody")
    assert importlib.util.find_spec("poptune.compat.ray.tune.tuner") is not None


def test_the_constants_have_rays_values():
    names = importlib.import_module("poptune.compat.ray.tune.result")
    for name, value in vars(names).items():
        if name in {"DEFAULT_METRIC", "CONFIG_PREFIX"} or name.startswith(("EXPR_", "_")):
            continue
        if isinstance(value, str) and name.isupper():
            assert value == name.lower()


def test_importing_the_mirror_imports_neither_ray_nor_a_framework():
    code = (
        "import sys, poptune.compat.ray; "
        "print(sorted({'torch', 'numpy', 'pandas', 'matplotlib', 'ray', 'tensorboard'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
