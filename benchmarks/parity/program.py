"""Scripted runs whose outcome can be told beforehand, written for Ray Tune; prints what came of them.

It runs as it is with Ray, and with ``poptune.compat.ray`` for ``ray`` in its imports. Scores come from
tables, so nothing but the library decides who copies whom. Each observation is a row of the comparison.
"""

import inspect
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import habits
import outcomes
import ray
from fitting import RESULTS, fit, ordered, says
from ray import tune
from ray.tune import Checkpoint
from ray.tune.logger import LoggerCallback
from ray.tune.schedulers import (
    ASHAScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    PopulationBasedTrainingReplay,
)
from ray.tune.stopper import MaximumIterationStopper, TrialPlateauStopper

import training

FOUR = [[1, 2, 3, 9, 9, 9], [2, 3, 4, 8, 1, 1], [3, 4, 5, 7, 5, 5], [4, 5, 6, 1, 7, 7]]
"""Scores of four trials at six iterations: the lowest and the highest change at each milestone."""


class Table(tune.Trainable):
    """Reports the scores of its trial's row; what it saves is who trained it at which iteration."""

    def setup(self, config):
        self.history = []

    def step(self):
        here = self.training_iteration
        number = int(self.trial_id.rsplit("_", 1)[1])
        self.history.append([number, here + 1])
        table = self.config["table"]
        return {"score": table[number % len(table)][here % len(table[0])], "lr_now": self.config["lr"]}

    def save_checkpoint(self, checkpoint_dir):
        (Path(checkpoint_dir) / "history.json").write_text(json.dumps(self.history))

    def load_checkpoint(self, checkpoint):
        self.history = json.loads((Path(checkpoint) / "history.json").read_text())

    def reset_config(self, new_config):
        self.config, self.history = new_config, []
        return True


def pbt(**changes):
    arguments = {
        "time_attr": "training_iteration",
        "metric": "score",
        "mode": "max",
        "perturbation_interval": 2,
        "hyperparam_mutations": {"lr": tune.uniform(0, 1)},
        "resample_probability": 0.0,
        "perturbation_factors": (1.0,),
        "synch": True,
        **changes,
    }
    return PopulationBasedTraining(**arguments)


def perturbations(results):
    lines = (Path(results.experiment_path) / "pbt_global.txt").read_text().splitlines()
    return [json.loads(line) for line in lines]


def who(tag):
    return int(re.match(r"\d+", str(tag).split("_")[0])[0])


def who_copies_whom():
    space = {"lr": tune.grid_search([0.1, 0.2, 0.3, 0.4]), "table": FOUR, "nested": {"a": [1, "b"]}}
    results = fit(Table, "copies", space=space, scheduler=pbt())
    lines = perturbations(results)
    yield "four trials: who copies whom", [[who(line[0]), who(line[1])] for line in lines]
    yield "four trials: iterations of both in the log", [[line[2], line[3]] for line in lines]
    yield (
        "log line: types of its parts",
        sorted({" ".join(type(part).__name__ for part in line) for line in lines}),
    )
    yield "log line: the tag of the recipient", re.sub(r"\d\.\d+", "N", str(lines[0][0]))
    yield "log line: keys of both configs", [sorted(lines[0][4]), sorted(lines[0][5])]
    policies = sorted(path.name for path in Path(results.experiment_path).glob("pbt_policy_*.txt"))
    yield (
        "policy files: how they are called",
        sorted({re.sub(r"[0-9a-f]{5}_\d{5}", "ID", name) for name in policies}),
    )
    best = ordered(results)[0]
    folder = best.checkpoint.path
    yield "state along the lineage: who trained it", json.loads((Path(folder) / "history.json").read_text())
    yield "final configs: lr", [result.config["lr"] for result in ordered(results)]
    yield "final config: all of it", ordered(results)[3].config
    yield (
        "the config that was reported: metrics['config'] is the result's",
        best.metrics["config"] == best.config,
    )
    yield "rows of each trial's frame", [len(result.metrics_dataframe) for result in ordered(results)]
    yield "config/lr in the frame of the first trial", list(best.metrics_dataframe["config/lr"])
    yield from replayed(results, policies)


def replayed(results, policies):
    """The lowest trial that copied is replayed from its policy."""
    policy = Path(results.experiment_path) / policies[0]
    replay = fit(
        Table,
        "replay",
        space=None,
        scheduler=PopulationBasedTrainingReplay(str(policy)),
    )
    yield "replay: the config at each iteration", list(replay[0].metrics_dataframe["lr_now"])


def eight_trials():
    table = [[score] for score in (1, 2, 3, 4, 5, 6, 7, 8)]
    space = {"lr": tune.grid_search([round(0.1 * k, 1) for k in range(1, 9)]), "table": table}
    lines = perturbations(fit(Table, "eight", space=space, scheduler=pbt()))
    recipients = [who(line[0]) for line in lines]
    yield "eight trials: recipients at each milestone", [sorted(recipients[:2]), sorted(recipients[2:])]
    yield "eight trials: donors are among", sorted({who(line[1]) for line in lines} | {6, 7})


MUTATIONS = {
    "list": [1, 2, 3],
    "edge": [1, 2, 3],
    "unlisted": [1, 2, 3],
    "uniform": tune.uniform(0.0, 1.0),
    "top": tune.uniform(0.0, 1.0),
    "int": tune.randint(1, 100),
    "one": tune.randint(1, 100),
    "zero": lambda: 0.25,
    "function": lambda: 7.0,
    "bool": tune.choice([True, False]),
    "nested": {"inner": [10, 20, 30]},
}
START = {
    "list": 2,
    "edge": 3,
    "unlisted": 5,
    "uniform": 0.5,
    "top": 1.0,
    "int": 10,
    "one": 1,
    "zero": 0.0,
    "function": 2.0,
    "bool": True,
    "nested": {"inner": 20},
}


def explored(resample, name):
    """Return what each mutation gave. Two of four trials always copy, and each key is there eight times."""
    results = fit(
        Table,
        name,
        space={**eightfold(START), "lr": 0.1, "table": [[4], [3], [2], [1]]},
        trials=4,
        scheduler=pbt(
            perturbation_interval=1,
            quantile_fraction=0.5,
            hyperparam_mutations=eightfold(MUTATIONS),
            resample_probability=resample,
            perturbation_factors=(1.2, 0.8),
        ),
        stop={"training_iteration": 4},
    )
    drawn = [line[5] for line in perturbations(results)]
    return {key: [config[f"{key}{copy}"] for config in drawn for copy in range(8)] for key in MUTATIONS}


def eightfold(keys):
    return {f"{key}{copy}": value for key, value in keys.items() for copy in range(8)}


def what_explore_reaches():
    moved = explored(0.0, "moved")
    for key, values in moved.items():
        said = {json.dumps(round(v, 9) if isinstance(v, float) else v) for v in values}
        yield f"explore without resampling, {key} from {START[key]}", sorted(said)
    drawn = explored(1.0, "drawn")
    for key in ("list", "unlisted", "function", "bool", "nested"):
        yield f"explore with resampling, {key} from {START[key]}", sorted({json.dumps(v) for v in drawn[key]})
    yield (
        "explore with resampling, uniform: all within its bounds",
        all(0 <= v <= 1 for v in drawn["uniform"]),
    )
    yield "explore with resampling, int: types", sorted({type(v).__name__ for v in drawn["int"]})


def missing_keys():
    scheduler = pbt(hyperparam_mutations={"lr": [0.5], "deep": {"x": [4]}})
    results = fit(Table, "missing", space={"table": FOUR}, trials=2, scheduler=scheduler)
    yield (
        "a mutated key that the space lacks, at any depth",
        [{key: result.config[key] for key in ("lr", "deep")} for result in ordered(results)],
    )


def counter(config):
    for step in range(1, config["until"] + 1):
        if step == config.get("fails_at"):
            raise ValueError("bad luck")
        tune.report({"score": config["sign"] * step, "flat": 1.0})


def stops():
    up = {"sign": 1, "until": 10}

    def last(name, stop, space=up):
        (result,) = fit(counter, name, space=space, stop=stop)
        return [result.metrics["training_iteration"], result.metrics["done"]]

    yield "stop: a dict, reached from below", last("below", {"score": 3})
    yield "stop: a dict, the first key that is reached", last("first", {"score": 5, "training_iteration": 4})
    yield (
        "stop: a dict ends at >=, also where less is better",
        last("least", {"score": -3}, {**up, "sign": -1}),
    )
    yield "stop: MaximumIterationStopper(4)", last("most", MaximumIterationStopper(4))
    yield (
        "stop: TrialPlateauStopper",
        last("flat", TrialPlateauStopper("flat", num_results=3, grace_period=3)),
    )
    yield (
        "stop: a function of trial_id and result",
        last("function", lambda _, result: result["score"] >= 2),
    )
    yield "stop: the function returns by itself", last("returns", {"score": 99}, {"sign": 1, "until": 3})


def failures():
    space = {"sign": 1, "until": 3, "fails_at": tune.grid_search([2, 99])}
    results = fit(counter, "failures", space=space)
    bad, good = ordered(results)
    yield (
        "a failed trial: num_errors, num_terminated, len",
        [results.num_errors, results.num_terminated, len(results)],
    )
    yield (
        "a failed trial: its result has an error, the other none",
        [bad.error is not None, good.error is None],
    )
    yield "a failed trial: the error says why", "bad luck" in str(bad.error)
    yield "a failed trial: its last metrics", bad.metrics["score"]


def keeper(config):
    start = 0
    checkpoint = tune.get_checkpoint()
    if checkpoint:
        with checkpoint.as_directory() as folder:
            start = int((Path(folder) / "step").read_text())
    for step in range(start + 1, 4):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "step").write_text(str(step))
            metrics = {"loss": config["a"] / step, "deep": {"b": step}}
            tune.report(metrics, checkpoint=Checkpoint.from_directory(folder))


ATTRIBUTES = {
    "ResultGrid": "errors experiment_path filesystem get_best_result get_dataframe num_errors num_terminated",
    "Result": "best_checkpoints checkpoint config error filesystem from_path get_best_checkpoint log_dir "
    "metrics metrics_dataframe path",
    "Checkpoint": "as_directory filesystem from_directory get_metadata path set_metadata to_directory "
    "update_metadata",
}


def results():
    grid = fit(keeper, "results", space={"a": tune.grid_search([1.0, 2.0])}, metric="loss", mode="min")
    one, two = ordered(grid)
    things = {"ResultGrid": grid, "Result": one, "Checkpoint": one.checkpoint}
    for kind, names in ATTRIBUTES.items():
        yield f"{kind}: which attributes there are", [n for n in names.split() if hasattr(things[kind], n)]
    yield (
        "best result: by the TuneConfig, by arguments, by scope",
        [
            grid.get_best_result().config["a"],
            grid.get_best_result("loss", "max").config["a"],
            grid.get_best_result("loss", "max", scope="avg").config["a"],
        ],
    )
    yield "best result: by a nested metric", grid.get_best_result("deep/b", "max").config["a"]
    yield "result: config", one.config
    yield (
        "result: metrics",
        {key: one.metrics[key] for key in ("loss", "deep", "training_iteration", "config")},
    )
    yield "result: keys that are filled in", sorted(set(one.metrics) - {"loss", "deep"})
    yield "frame: columns", sorted(one.metrics_dataframe.columns)
    yield "frame: losses", [round(value, 9) for value in one.metrics_dataframe["loss"]]
    yield "grid frame: columns", sorted(grid.get_dataframe().columns)
    yield "grid frame: the best row by a metric", sorted(grid.get_dataframe("loss", "max")["loss"])
    yield "checkpoint: what is in it", (Path(one.checkpoint.path) / "step").read_text()
    yield "checkpoint: files in it", sorted(path.name for path in Path(one.checkpoint.path).iterdir())
    yield (
        "checkpoint: types of path and to_directory()",
        [
            type(one.checkpoint.path).__name__.removeprefix("Posix"),
            type(one.checkpoint.to_directory()).__name__.removeprefix("Posix"),
        ],
    )
    yield (
        "best checkpoints: how many, and their losses",
        [round(m["loss"], 9) for _, m in one.best_checkpoints],
    )
    best = two.get_best_checkpoint("loss", "max")
    yield "best checkpoint by a metric", (Path(best.path) / "step").read_text()
    yield (
        "folder of a trial",
        re.sub(r"[0-9a-f]{5}_(\d{5})", r"ID_\1", re.sub(r"_\d{4}-.*", "", Path(one.path).name)),
    )
    files = {path.name for path in Path(one.path).iterdir() if path.is_file()}
    yield "files of a trial", sorted(re.sub(r"(tfevents).*", r"\1", name) for name in files)
    yield "folders of checkpoints", sorted(path.name for path in Path(one.path).iterdir() if path.is_dir())
    again = type(one).from_path(one.path)
    yield "from_path: loss and config", [round(again.metrics["loss"], 9), again.config]


def surroundings(_):
    context = tune.get_context()
    tune.report(
        {
            "in_folder": str(Path.cwd().resolve()),
            "folder": os.path.realpath(context.get_trial_dir()),
            "name": context.get_trial_name(),
            "experiment": context.get_experiment_name(),
            "resources": str(context.get_trial_resources()),
        }
    )


def contexts():
    (result,) = fit(surroundings, "contexts", space={"a": 1})
    told = result.metrics
    yield "context: trial name", re.sub(r"[0-9a-f]{5}_\d{5}", "ID", told["name"])
    yield "context: experiment name", told["experiment"]
    yield (
        "context: the trial's folder is where its result says",
        told["folder"] == os.path.realpath(result.path),
    )
    yield "context: the trial works in its folder", told["in_folder"].startswith(told["folder"])


class Hooks(LoggerCallback):
    def __init__(self, path):
        self.path = str(path)

    def note(self, hook, trial):
        with Path(self.path).open("a") as file:
            file.write(f"{trial.trial_id[-1]} {hook}\n")

    def log_trial_start(self, trial):
        self.note("start", trial)

    def log_trial_restore(self, trial):
        self.note("restore", trial)

    def log_trial_save(self, trial):
        self.note("save", trial)

    def log_trial_result(self, iteration, trial, result):
        self.note("result", trial)

    def log_trial_end(self, trial, failed=False):
        self.note("failed" if failed else "end", trial)


def hooks():
    path = RESULTS / "hooks.txt"
    space = {"a": 1.0, "until": 2, "sign": 1, "fails_at": tune.grid_search([99, 2])}
    fit(counter, "hooks", space=space, callbacks=[Hooks(path)])
    lines = path.read_text().splitlines()
    for trial, what in enumerate(("ends", "fails")):
        yield f"hooks of a logger: a trial that {what}", [line[2:] for line in lines if line[0] == str(trial)]
    path.unlink()
    fit(keeper, "saves", space={"a": 1.0}, callbacks=[Hooks(path)])
    yield "hooks of a logger: a trial that saves", [line[2:] for line in path.read_text().splitlines()]


def early_stopping():
    table = [[k] for k in (5, 1, 4, 2, 3, 6)]
    space = {"lr": tune.grid_search([0.1 * k for k in range(6)]), "table": table}
    asha = ASHAScheduler(metric="score", mode="max", max_t=8, grace_period=1, reduction_factor=2)
    stopped = fit(Table, "asha", space=space, scheduler=asha, max_concurrent_trials=1, stop={"score": 99})
    yield (
        "ASHA, one trial after the other: iterations of each",
        [result.metrics["training_iteration"] for result in ordered(stopped)],
    )
    median = MedianStoppingRule(
        time_attr="training_iteration", metric="score", mode="max", grace_period=1, min_samples_required=2
    )
    stopped = fit(Table, "median", space=space, scheduler=median, max_concurrent_trials=1)
    yield (
        "median stopping rule, one trial after the other: iterations of each",
        [result.metrics["training_iteration"] for result in ordered(stopped)],
    )


def analyses():
    analysis = tune.run(
        keeper,
        name="analysis",
        storage_path=str(RESULTS),
        config={"a": tune.grid_search([1.0, 2.0])},
        metric="loss",
        mode="min",
        verbose=0,
    )
    yield (
        "tune.run: best config, by the defaults and by arguments",
        [
            analysis.best_config,
            analysis.get_best_config("loss", "max"),
        ],
    )
    yield "tune.run: best result", round(analysis.best_result["loss"], 9)
    yield (
        "tune.run: best_trial has config, last_result, checkpoint, trial_id, local_path",
        [
            hasattr(analysis.best_trial, name)
            for name in ("config", "last_result", "checkpoint", "trial_id", "local_path")
        ],
    )
    yield "tune.run: best checkpoint", (Path(analysis.best_checkpoint.path) / "step").read_text()
    yield (
        "tune.run: rows of dataframe, results_df and each trial's",
        [
            len(analysis.dataframe()),
            len(analysis.results_df),
            sorted(len(frame) for frame in analysis.trial_dataframes.values()),
        ],
    )
    yield "tune.run: the index of results_df", analysis.results_df.index.name


def refusals():
    yield "PBT: nothing to explore", says(PopulationBasedTraining)
    yield "PBT: quantile_fraction=0.6", says(lambda: pbt(quantile_fraction=0.6))
    yield "PBT: perturbation_interval=0", says(lambda: pbt(perturbation_interval=0))
    yield "PBT: a misspelled argument", says(lambda: PopulationBasedTraining(hyperparam_mutation={}))
    yield "PBT: resample_probability=2", says(lambda: pbt(resample_probability=2))
    yield "PBT: burn_in_period=-1", says(lambda: pbt(burn_in_period=-1))
    yield "replay of a file that is not there", says(lambda: PopulationBasedTrainingReplay("nowhere.txt"))
    yield "a misspelled argument of TuneConfig", says(lambda: tune.TuneConfig(num_sample=1))
    yield (
        "a metric that nobody reported",
        says(
            lambda: fit(counter, "x", space={"sign": 1, "until": 1}, trials=2).get_best_result("nope", "max")
        ),
    )


def defaults():
    for made in (
        PopulationBasedTraining,
        ASHAScheduler,
        MedianStoppingRule,
        tune.CheckpointConfig,
        tune.FailureConfig,
    ):
        taken = inspect.signature(made).parameters.values()
        shown = {
            p.name: str(p.default) for p in taken if not p.name.startswith("_") and p.default is not p.empty
        }
        yield f"defaults of {made.__name__}", shown
    for made in (tune.TuneConfig, tune.RunConfig):
        taken = inspect.signature(made).parameters.values()
        yield f"arguments of {made.__name__}", [p.name for p in taken]


CASES = [
    who_copies_whom,
    eight_trials,
    what_explore_reaches,
    missing_keys,
    early_stopping,
    stops,
    failures,
    results,
    contexts,
    hooks,
    analyses,
    refusals,
    defaults,
    *training.CASES,
    *outcomes.CASES,
    *habits.CASES,
]


def main():
    out, only = Path(sys.argv[1]), sys.argv[2:]
    cases = [case for case in CASES if not only or case.__name__ in only]
    print(f"cases {len(cases)}", flush=True)
    ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False)
    rows = {}
    for case in cases:
        rows.update({f"{case.__name__}: {what}": seen for what, seen in case()})
        print(f"case {case.__name__}", flush=True)
        out.write_text(json.dumps(rows, default=repr))
    ray.shutdown()


if __name__ == "__main__":
    main()
