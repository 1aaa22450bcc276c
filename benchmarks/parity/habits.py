"""What scripts write around their training code: spaces, stops, callbacks, subclasses and imports."""

import importlib
import re
import tempfile
from pathlib import Path

import numpy as np
from fitting import RESULTS, fit, says, told, without_id
from ray import tune
from ray.tune.schedulers import ASHAScheduler, PopulationBasedTraining
from ray.tune.stopper import CombinedStopper, MaximumIterationStopper, Stopper, TimeoutStopper


def counter(config):
    for step in range(1, config.get("until", 10) + 1):
        tune.report({"i": step, "deep": {"i": step}, "a": config.get("a")})


def configs(name, space, **more):
    """Return the configs that a space gives, in an order that does not depend on the library."""
    grid = fit(counter, name, space=space, stop={"training_iteration": 1}, **more)
    return sorted((result.config for result in grid), key=str)


def spaces():
    yield "grid_search() itself", tune.grid_search([1, 2])
    yield "a grid written out", configs("written", {"lr": {"grid_search": [0.1, 0.01]}})
    yield (
        "grids at any depth, times num_samples",
        configs("deep", {"a": {"b": tune.grid_search([1, 2]), "c": {"grid_search": [3, 4]}}}, trials=2),
    )
    yield "a grid of dicts", configs("dicts", {"a": tune.grid_search([{"b": 1}, {"b": 2, "c": 3}])})
    yield "a domain within a list", says(lambda: configs("listed", {"a": [1, tune.uniform(0, 1)]}))
    yield (
        "sample_from(lambda spec: spec.config.a)",
        configs(
            "spec", {"a": tune.grid_search([1, 2]), "b": tune.sample_from(lambda spec: spec.config.a * 10)}
        ),
    )
    yield (
        "sample_from(lambda config: config['a'])",
        configs(
            "config", {"a": tune.grid_search([1, 2]), "b": tune.sample_from(lambda config: config["a"] * 10)}
        ),
    )
    yield (
        "sample_from(lambda spec: spec['config']['a'])",
        configs("item", {"a": tune.choice([3]), "b": tune.sample_from(lambda spec: spec["config"]["a"])}),
    )
    yield "sample_from(lambda: ...)", told(lambda: configs("none", {"b": tune.sample_from(lambda: 5)}))
    yield (
        "a function is a value",
        [callable(config["f"]) for config in configs("function", {"f": counter, "a": tune.choice([1])})],
    )
    yield (
        "a list, None, a text and a bool are values",
        configs("values", {"l": [1, [2]], "n": None, "s": "x", "b": True}),
    )
    yield (
        "sample_from in a space of num_samples=3",
        len(
            {
                c["a"]
                for c in configs("many", {"a": tune.sample_from(lambda _: np.random.uniform())}, trials=3)
            }
        ),
    )


DOMAINS = {
    "uniform(0, 1)": lambda: tune.uniform(0, 1),
    "quniform(0, 1, 0.25)": lambda: tune.quniform(0, 1, 0.25),
    "loguniform(1e-4, 1e-1)": lambda: tune.loguniform(1e-4, 1e-1),
    "qloguniform(1e-4, 1e-1, 5e-5)": lambda: tune.qloguniform(1e-4, 1e-1, 5e-5),
    "randn(10, 2)": lambda: tune.randn(10, 2),
    "qrandn(10, 2, 0.2)": lambda: tune.qrandn(10, 2, 0.2),
    "randint(1, 9)": lambda: tune.randint(1, 9),
    "qrandint(0, 10, 5)": lambda: tune.qrandint(0, 10, 5),
    "lograndint(1, 10)": lambda: tune.lograndint(1, 10),
    "qlograndint(2, 10, 2)": lambda: tune.qlograndint(2, 10, 2),
    "choice(['a'])": lambda: tune.choice(["a"]),
    "sample_from(lambda _: 5)": lambda: tune.sample_from(lambda _: 5),
}


def domains():
    for name, make in DOMAINS.items():
        yield f"{name}: type of sample()", told(lambda make=make: type(make().sample()).__name__)
        yield (
            f"{name}: sample(size=3)",
            told(lambda make=make: [type(make().sample(size=3)).__name__, len(make().sample(size=3))]),
        )
    yield (
        "values that are drawn of randint(1, 4)",
        sorted({int(tune.randint(1, 4).sample()) for _ in range(99)}),
    )
    yield (
        "values that are drawn of qrandint(0, 10, 5)",
        sorted({int(tune.qrandint(0, 10, 5).sample()) for _ in range(99)}),
    )
    yield (
        "values that are drawn of lograndint(1, 4)",
        sorted({int(tune.lograndint(1, 4).sample()) for _ in range(199)}),
    )
    yield (
        "values that are drawn of quniform(0, 1, 0.5)",
        sorted({float(tune.quniform(0, 1, 0.5).sample()) for _ in range(99)}),
    )
    yield "func(None) of uniform", told(lambda: type(tune.uniform(0, 1).func(None)).__name__)
    yield "func(None) of sample_from", told(lambda: tune.sample_from(lambda _: 5).func(None))
    yield "lower, upper of uniform(1, 2)", [tune.uniform(1, 2).lower, tune.uniform(1, 2).upper]
    yield "categories of choice", tune.choice([1, 2]).categories
    yield "is_valid of uniform", told(lambda: [tune.uniform(0, 1).is_valid(value) for value in (0.5, 2)])
    yield "is_valid of choice", told(lambda: [tune.choice([1, 2]).is_valid(value) for value in (1, 3)])
    yield "domain_str", told(lambda: [tune.uniform(0, 1).domain_str, tune.choice([1, 2]).domain_str])
    yield "loguniform from 0", says(lambda: tune.loguniform(0, 1))
    yield (
        "choice of a generator, of a range",
        [
            says(lambda: tune.choice(value for value in (1, 2)).sample()),
            says(lambda: tune.choice(range(3)).sample()),
        ],
    )


def seeds():
    space = {"a": tune.uniform(0, 1), "b": tune.sample_from(lambda _: np.random.uniform())}

    def drawn(seed, name):
        np.random.seed(seed)
        return configs(name, space, trials=2)

    first, again, other = drawn(1, "seed_a"), drawn(1, "seed_b"), drawn(2, "seed_c")
    yield "np.random.seed before two runs: the same configs", first == again
    yield "another seed: others", first != other


class EndsAll(TimeoutStopper):
    seen = 0

    def __call__(self, trial_id, result):
        self.seen += 1
        return False

    def stop_all(self):
        return self.seen >= 3 or super().stop_all()


class OwnStopper(Stopper):
    def __call__(self, trial_id, result):
        return result["i"] >= 2

    def stop_all(self):
        return False


def more_stops():
    def last(name, stop):
        try:
            (result,) = fit(counter, f"stop_{name}", space={"until": 6}, stop=stop)
        except Exception as error:  # noqa: BLE001 - that there is one is what is observed
            return type(error).__name__
        return result.metrics["training_iteration"]

    yield "a list of stoppers", last("list", [MaximumIterationStopper(4), MaximumIterationStopper(6)])
    yield "a list of a dict", last("dicts", [{"i": 3}])
    yield "CombinedStopper", last("both", CombinedStopper(MaximumIterationStopper(5), OwnStopper()))
    yield "a stopper of one's own", last("own", OwnStopper())
    yield "the class of a stopper", last("class", OwnStopper)
    yield "a nested key with a slash", last("slash", {"deep/i": 3})
    yield "a nested dict", last("nested", {"deep": {"i": 3}})
    yield "a text", last("text", "3")
    (result,) = fit(counter, "ends_all", space={"until": 5000}, stop=EndsAll(60))
    yield "a subclass of TimeoutStopper ends all, soon", result.metrics["training_iteration"] < 2500
    yield (
        "stop of tune.run as a list",
        told(
            lambda: (
                tune.run(counter, stop=[{"i": 2}], name="run_list", storage_path=str(RESULTS), verbose=0)
                .trials[0]
                .last_result["i"]
            )
        ),
    )


ATTRIBUTES = [
    "checkpoint",
    "config",
    "evaluated_params",
    "experiment_tag",
    "is_finished",
    "last_result",
    "local_path",
    "path",
    "status",
    "trainable_name",
    "trial_id",
]


class Hooks(tune.Callback):
    """Notes the order of the hooks, and what a trial shows to them."""

    def __init__(self):
        self.calls, self.shown, self.files, self.steps = [], {}, {}, 0

    def setup(self, stop=None, num_samples=None, total_num_samples=None, **info):
        self.calls.append("setup")
        self.shown["setup"] = [stop, num_samples, total_num_samples]

    def on_step_begin(self, iteration, trials, **info):
        self.steps += 1

    def on_trial_start(self, iteration, trials, trial, **info):
        self.calls.append("start")
        self.files[trial] = []

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.calls.append("result")
        self.files[trial].append(result["training_iteration"])
        self.shown["attributes"] = [name for name in ATTRIBUTES if hasattr(trial, name)]
        self.shown["str"] = without_id(trial)
        self.shown["config in the result"] = result["config"] == trial.config

    def on_checkpoint(self, iteration, trials, trial, checkpoint, **info):
        self.calls.append("checkpoint")
        self.shown["checkpoint"] = [type(checkpoint).__name__, hasattr(checkpoint, "path")]

    def on_trial_save(self, iteration, trials, trial, **info):
        self.calls.append("save")

    def on_trial_complete(self, iteration, trials, trial, **info):
        self.calls.append("complete")
        self.shown["last"] = trial.last_result["training_iteration"]

    def on_experiment_end(self, trials, **info):
        self.calls.append("end")
        self.shown["trials"] = len(trials)


class Model(tune.Trainable):
    def step(self):
        return {"i": self.iteration + 1}

    def save_checkpoint(self, checkpoint_dir):
        (Path(checkpoint_dir) / "i").write_text(str(self.iteration))

    def load_checkpoint(self, checkpoint):
        pass


class AsksForACheckpoint(tune.Callback):
    """Ray's ``SmartCheckpointCallback``: it wishes for a checkpoint in the result that it is shown."""

    def on_trial_result(self, iteration, trials, trial, result, **info):
        if result["i"] == 2:
            result["should_checkpoint"] = True


class Raises(tune.Callback):
    def on_trial_result(self, iteration, trials, trial, result, **info):
        raise RuntimeError("a callback's own fault")


def callbacks():
    seen = Hooks()
    run = tune.RunConfig(
        name="callbacks",
        storage_path=str(RESULTS),
        stop={"training_iteration": 2},
        callbacks=[seen],
        checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=2),
        verbose=0,
    )
    tune.Tuner(Model, param_space={"a": 1}, run_config=run).fit()
    yield "the order of the hooks", seen.calls
    for what, value in seen.shown.items():
        yield f"what hooks are shown: {what}", value
    yield "trials are keys: results by trial", [results for trial, results in seen.files.items()]
    yield "on_step_begin is called", seen.steps > 0
    (result,) = fit(
        Model, "asks", space={"a": 1}, stop={"training_iteration": 3}, callbacks=[AsksForACheckpoint()]
    )
    yield (
        "a callback sets result['should_checkpoint']",
        [(Path(c.path) / "i").read_text() for c, _ in result.best_checkpoints],
    )
    yield (
        "a callback that raises",
        says(lambda: fit(counter, "raises", space={"until": 2}, callbacks=[Raises()])),
    )
    yield "a callback that is none", says(lambda: fit(counter, "no", space={"until": 1}, callbacks=["print"]))


def without_end():
    """``num_samples=-1`` draws trials until the time is over."""

    def ends(**more):
        return says(
            lambda: fit(counter, f"until_{len(more)}", space={"a": tune.uniform(0, 1)}, trials=-1, **more)
        )

    yield "num_samples=-1 with time_budget_s", ends(time_budget_s=2, max_concurrent_trials=1)
    yield "num_samples=0", says(lambda: fit(counter, "zero", space={"a": 1}, trials=0))
    yield "time_budget_s=0", says(lambda: tune.TuneConfig(time_budget_s=0))


def learns(config):
    checkpoint = tune.get_checkpoint()
    start = int((Path(checkpoint.path) / "i").read_text()) if checkpoint else 0
    for step in range(start + 1, 7):
        folder = tempfile.mkdtemp()
        (Path(folder) / "i").write_text(str(step))
        kind = type(config["lr"]).__name__
        metrics = {"loss": config["rank"], "lr": config["lr"], "kind": kind}
        tune.report(metrics, checkpoint=tune.Checkpoint.from_directory(folder))


def copying(name, scheduler, **mutations):
    grid = tune.Tuner(
        learns,
        param_space={"lr": 0.5, "rank": tune.grid_search([1, 2, 3, 4])},
        tune_config=tune.TuneConfig(
            scheduler=scheduler(
                metric="loss",
                mode="min",
                time_attr="training_iteration",
                perturbation_interval=2,
                hyperparam_mutations=mutations or {"lr": [0.25]},
                resample_probability=1.0,
                synch=True,
            )
        ),
        run_config=tune.RunConfig(name=name, storage_path=str(RESULTS), verbose=0),
    ).fit()
    return sorted({(result.metrics["kind"], result.config["lr"] != 0.5) for result in grid})


def mutations():
    for what, function in {
        "tune.uniform(1, 2).sample()": lambda: tune.uniform(1, 2).sample(),
        "tune.uniform(1, 2).func(None)": lambda: tune.uniform(1, 2).func(None),
        "np.random.uniform(1, 2)": lambda: np.random.uniform(1, 2),
        "the domain tune.uniform(1, 2) itself": lambda: tune.uniform(1, 2),
    }.items():
        name = "mutation_" + re.sub(r"\W+", "_", what)
        yield (
            f"a function that returns {what}: types, and changed",
            told(lambda n=name, f=function: copying(n, PopulationBasedTraining, lr=f)),
        )


def _with_a_hook():
    class Mine(PopulationBasedTraining):
        def _get_new_config(self, trial, trial_to_clone):
            return {**trial_to_clone.config, "lr": 0.777}, {}

    return copying("mine", Mine)


def _with_an_init():
    class MineWithInit(PopulationBasedTraining):
        def __init__(self, **arguments):
            super().__init__(**arguments)
            self.mine = 1

    return copying("mine_with_init", MineWithInit)


def _with_on_trial_result():
    class Watching(ASHAScheduler):
        def on_trial_result(self, *arguments):
            return super().on_trial_result(*arguments)

    return Watching.__name__


def subclasses():
    yield "PBT with _get_new_config of one's own", told(_with_a_hook)
    yield "PBT with an __init__ of one's own", told(_with_an_init)
    yield "ASHA with on_trial_result of one's own", told(_with_on_trial_result)


NAMES = """
tune Callback|tune Stopper|tune CLIReporter|tune run|tune ExperimentAnalysis|tune with_parameters
tune with_resources|tune.schedulers ASHAScheduler|tune.schedulers AsyncHyperBandScheduler
tune.schedulers HyperBandScheduler|tune.schedulers FIFOScheduler|tune.schedulers MedianStoppingRule
tune.schedulers create_scheduler|tune.schedulers.pb2 PB2
tune.schedulers.pbt PopulationBasedTraining|tune.schedulers ResourceChangingScheduler
tune.search BasicVariantGenerator|tune.search ConcurrencyLimiter|tune.search.optuna OptunaSearch
tune.search.sample Domain|tune.search.variant_generator generate_variants|tune.logger DEFAULT_LOGGERS
tune.logger LoggerCallback|tune.logger CSVLoggerCallback|tune.logger TBXLoggerCallback
tune.registry register_env|tune.registry register_trainable|tune.registry get_trainable_cls
tune.result TRAINING_ITERATION|tune.result DEFAULT_METRIC|tune.result SHOULD_CHECKPOINT|tune.result DONE
tune.experiment Trial|tune.experiment Experiment|tune.error TuneError|tune.trainable Trainable
tune.utils wait_for_gpu|tune.utils validate_save_restore|tune.utils.util flatten_dict
tune.stopper FunctionStopper
air.integrations.wandb WandbLoggerCallback
air.integrations.mlflow MLflowLoggerCallback|train RunConfig|train ScalingConfig|train Checkpoint
train get_context|train report|cloudpickle dumps|tune PlacementGroupFactory|tune ResumeConfig
tune TuneContext|tune run_experiments|tune randn|tune get_context
"""


def imports():
    root = tune.__name__.rpartition(".")[0]

    def is_there(module, name):
        try:
            return hasattr(importlib.import_module(f"{root}.{module}"), name)
        except ImportError:
            return False

    for entry in NAMES.replace("\n", "|").split("|"):
        if entry:
            yield f"import of {entry.replace(' ', '.')}", is_there(*entry.split())
    pickle = importlib.import_module(f"{root}.cloudpickle")
    yield "cloudpickle of a lambda", pickle.loads(pickle.dumps(lambda value: value + 1))(1)


CASES = [
    spaces,
    domains,
    seeds,
    more_stops,
    callbacks,
    without_end,
    mutations,
    subclasses,
    imports,
]
