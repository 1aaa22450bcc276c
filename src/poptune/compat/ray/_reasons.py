"""Why modules and names of Ray's are not mirrored, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable

NO_TASKS = "poptune runs trials only; it has no tasks and no actors"
NO_TRAINERS = "a trial is one process that trains by itself: pass its function to tune.Tuner"
NO_SEARCH = "configs are drawn from the param_space, and the scheduler adapts them; leave the search_alg out"
USE_ASHA = "it is not built yet: use ASHAScheduler"
USE_PBT = "it is not built yet: use PopulationBasedTraining"
PRIVATE = "it is private to Ray: say what you need it for in an issue of poptune"
_MACHINERY = "it is a part of Ray's own machinery, which poptune has no use for: leave it out"
_CLUSTER = "poptune starts no cluster and has no dashboard: leave it out"
_EXAMPLE = "it is an example of Ray's own: copy its file, and change the imports in it"
_DATA = "give data to a trainable with tune.with_parameters, or with ray.put"
_STEP = "tune.report({...}) for each iteration"
_WANDB = "call wandb.init() and wandb.log() in the trainable, or log from a tune.Callback"
_MLFLOW = "call mlflow.log_metrics() in the trainable, or log from a tune.Callback"
_COMET = "make a comet_ml.Experiment in the trainable, or log from a tune.Callback"
_AIM = "log from a tune.Callback"
_LIGHTNING = (
    "write a lightning Callback whose on_validation_end calls "
    "tune.report({...}, checkpoint=tune.Checkpoint.from_directory(folder))"
)
_KERAS = f"pass a keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: tune.report(logs)): {_STEP}"
_XGBOOST = f"pass an xgboost.callback.TrainingCallback whose after_iteration reports: {_STEP}"
_LIGHTGBM = f"pass lightgbm a function of its callback environment that reports: {_STEP}"
_TRANSFORMERS = (
    "trainer.hyperparameter_search(backend='ray') imports Ray itself: write a function that makes the "
    "Trainer from the config, with a transformers.TrainerCallback whose on_evaluate calls "
    "tune.report(metrics), and pass it to tune.Tuner"
)


def _each(names: str, reason: str, below: str = "") -> dict[str, str]:
    return {f"{below}{name}": reason for name in names.split()}


REASONS: dict[str, str] = {
    **_each("rllib", "environments and their algorithms are RLlib's; train them in a function of your own"),
    **_each("data", _DATA),
    **_each("serve workflow dag llm", NO_TASKS),
    **_each("remote_function actor runtime_context cross_language client_builder util client", NO_TASKS),
    **_each("util.queue util.multiprocessing util.joblib util.actor_pool util.placement_group", NO_TASKS),
    **_each("util.sgd", NO_TRAINERS),
    **_each("util.xgboost util.lightgbm xgboost_ray lightgbm_ray", _XGBOOST),
    **_each(
        "autoscaler cluster_utils dashboard job_submission job_config scripts experimental internal "
        "runtime_env widgets state worker services node nodes timeline",
        _CLUSTER,
    ),
    **_each("exceptions types core raylet ray_constants ray_logging serialization ml", _MACHINERY),
    **_each("_private _raylet _common", PRIVATE),
    # air
    **_each("wandb", _WANDB, "air.integrations."),
    **_each("wandb", _WANDB, "air.callbacks."),
    **_each("mlflow", _MLFLOW, "air.integrations."),
    **_each("mlflow", _MLFLOW, "air.callbacks."),
    **_each("comet", _COMET, "air.integrations."),
    **_each("comet", _COMET, "air.callbacks."),
    **_each("keras", _KERAS, "air.integrations."),
    **_each("keras", _KERAS, "air.callbacks."),
    **_each("integrations callbacks", "log from a tune.Callback, or from the trainable itself", "air."),
    **_each("constants data_batch_type execution util examples train", _MACHINERY, "air."),
    **_each("batch_predictor predictor preprocessors datasets", _DATA, "air."),
    # train
    **_each("huggingface huggingface.transformers", _TRANSFORMERS, "train."),
    **_each("lightning", _LIGHTNING, "train."),
    **_each("xgboost", _XGBOOST, "train."),
    **_each("lightgbm", _LIGHTGBM, "train."),
    **_each(
        "torch tensorflow horovod jax mosaic accelerate rl sklearn gbdt_trainer trainer backend base_trainer "
        "collective data_parallel_trainer v2 examples predictor batch_predictor callbacks utils error "
        "constants",
        NO_TRAINERS,
        "train.",
    ),
    # tune
    **_each("wandb", _WANDB, "tune.integration."),
    **_each("mlflow", _MLFLOW, "tune.integration."),
    **_each("comet", _COMET, "tune.integration."),
    **_each("pytorch_lightning", _LIGHTNING, "tune.integration."),
    **_each("keras", _KERAS, "tune.integration."),
    **_each("xgboost", _XGBOOST, "tune.integration."),
    **_each("lightgbm", _LIGHTGBM, "tune.integration."),
    **_each("torch tensorflow horovod ray_train", NO_TRAINERS, "tune.integration."),
    **_each("integration", f"report from the library's own callback: {_STEP}", "tune."),
    **_each("wandb", _WANDB, "tune.logger."),
    **_each("mlflow", _MLFLOW, "tune.logger."),
    **_each("comet", _COMET, "tune.logger."),
    **_each("aim", _AIM, "tune.logger."),
    **_each("pb2 pb2_utils", USE_PBT, "tune.schedulers."),
    **_each("hyperband hb_bohb", USE_ASHA, "tune.schedulers."),
    **_each("resource_changing_scheduler", "the resources of a trial do not change", "tune.schedulers."),
    **_each("util", _MACHINERY, "tune.schedulers."),
    **_each("concurrency_limiter", "set max_concurrent_trials in the TuneConfig", "tune.search."),
    **_each("repeater", "set num_samples in the TuneConfig", "tune.search."),
    **_each(
        "ax bayesopt bohb cfo dragonfly flaml hebo hyperopt nevergrad optuna sigopt skopt zoopt searcher "
        "search_algorithm search_generator search util",
        NO_SEARCH,
        "tune.search.",
    ),
    **_each(
        "ax bayesopt bohb cfo dragonfly flaml hebo hyperopt nevergrad optuna sigopt skopt zoopt suggestion "
        "searcher search search_generator repeater util concurrency_limiter",
        NO_SEARCH,
        "tune.suggest.",
    ),
    **_each("track", f"report from the trainable: {_STEP}", "tune."),
    **_each("automl automlboard cli web_server scripts", _CLUSTER, "tune."),
    **_each("examples", _EXAMPLE, "tune."),
    **_each("durable_trainable", "the storage_path may be the URL of a remote folder", "tune."),
    **_each("function_runner", "pass the function itself", "tune."),
    **_each(
        "cluster_info commands checkpoint_manager config_parser constants error_pages", _MACHINERY, "tune."
    ),
    **_each(
        "impl experimental insufficient_resources_manager ray_trial_executor trial_executor trial_runner "
        "resources sync_client job log_sync visual_utils",
        _MACHINERY,
        "tune.",
    ),
    **_each(
        "class_cache cluster_info experiment_state insufficient_resources_manager tune_controller "
        "ray_trial_executor trial_runner",
        _MACHINERY,
        "tune.execution.",
    ),
    **_each("config_parser experiment", "pass its parts to tune.Tuner, or to tune.run", "tune.experiment."),
    **_each(
        "callback file_transfer log mock mock_trainable object_cache release_test_util "
        "resource_updater serialization trainable",
        _MACHINERY,
        "tune.utils.",
    ),
    **_each(
        "function_trainable metadata trainable_fn_utils session",
        "pass the function itself; a class is derived from tune.Trainable",
        "tune.trainable.",
    ),
}
"""By the modules of Ray of all years, for each and for all below it."""

ALIASES: dict[str, str] = {
    "air.result": "tune.result_grid",
    **dict.fromkeys(
        _each("cloudpickle cloudpickle_fast compat py_pickle", "", "cloudpickle."), "cloudpickle"
    ),
    "train.context": "_context",
    "train.session": "air.session",
    "tune.context": "_context",
    "tune.session": "air.session",
    "tune.sample": "tune.search.sample",
    "tune.suggest": "tune.search",
    "tune.suggest.basic_variant": "tune.search.basic_variant",
    "tune.suggest.variant_generator": "tune.search.variant_generator",
    "tune.trial": "tune.experiment",
    "tune.experiment.trial": "tune.experiment",
    "tune.analysis.experiment_analysis": "tune.analysis",
    "tune.utils.util": "tune.utils",
    "tune.utils.placement_groups": "tune.execution.placement_groups",
    **dict.fromkeys(_each("logger csv json tensorboardx", "", "tune.logger."), "tune.logger"),
    **dict.fromkeys(_each("trainable util", "", "tune.trainable."), "tune.trainable"),
    **dict.fromkeys(
        _each(
            "experiment_plateau function_stopper maximum_iteration noop stopper timeout trial_plateau",
            "",
            "tune.stopper.",
        ),
        "tune.stopper",
    ),
}
"""Modules that Ray has, or had, under another name than the mirror."""

HOMES = (
    "tune",
    "tune.experiment",
    "tune.result",
    "tune.schedulers",
    "tune.search",
    "tune.search.sample",
    "tune.stopper",
    "tune.logger",
    "tune.registry",
    "tune.utils",
    "tune.trainable",
    "_context",
)
"""Where the mirror has what Ray's modules have from each other, in this order."""


def _same(reason: str, names: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(names, reason)


NAME_REASONS: dict[str, str] = {
    "Experiment": "pass its parts to tune.Tuner, or to tune.run",
    "run_experiments": "call tune.run once for each",
    "ProgressReporter": "show the progress from a tune.Callback",
    "ResumeConfig": "Tuner.restore continues unfinished trials",
    "ExportFormat": "read the checkpoints",
    "TrialScheduler": "an algorithm of one's own is a poptune.extending.Scheduler",
    "ResourceChangingScheduler": "the resources of a trial do not change",
    "wait_for_gpu": "a trial gets its GPU before it starts",
    "diagnose_serialization": "the error of the Tuner names what cannot be pickled",
    "pretty_print": "print the result",
    "register_env": "environments are RLlib's",
    "get_gpu_ids": "a trial sees its own GPUs only; they are in CUDA_VISIBLE_DEVICES",
    "ScalingConfig": "a trial is one process; say what it needs with tune.with_resources",
    **_same(USE_ASHA, ("HyperBandScheduler", "HyperBandForBOHB")),
    **_same(USE_PBT, ("PB2",)),
    **_same(
        NO_SEARCH, ("ConcurrencyLimiter", "SearchAlgorithm", "SearchGenerator", "Searcher", "create_searcher")
    ),
    **_same(
        "pass the function itself; a class is derived from tune.Trainable",
        ("FunctionTrainable", "wrap_function", "DurableTrainable"),
    ),
    **_same(
        NO_TASKS,
        ("cancel", "client", "get_actor", "get_runtime_context", "kill", "method", "nodes", "remote", "wait"),
    ),
}
"""By the name, wherever Ray has it."""
