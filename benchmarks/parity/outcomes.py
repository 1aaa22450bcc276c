"""How a run ends, what it is then known by, and how it goes on: errors, names, analyses, restored runs."""

import math
import re
import tempfile
from pathlib import Path

from fitting import RESULTS, fit, says, told, without_id
from ray import tune
from ray.tune import Checkpoint, ExperimentAnalysis, ResultGrid


class Own(Exception):  # noqa: N818 - as a user would call it
    """An error of a script's own."""


def fails(config):
    errors = {
        "memory": MemoryError("too large"),
        "key": KeyError("k"),
        "own": Own("mine"),
        "exit": SystemExit(3),
        "assert": AssertionError("no"),
    }
    raise errors[config["how"]]


KINDS = {"memory": MemoryError, "key": KeyError, "own": Own, "assert": AssertionError}


def errors():
    grid = fit(fails, "errors", space={"how": tune.grid_search(list(KINDS))})
    by_how = dict(zip(KINDS, grid.errors, strict=False))
    for how, kind in KINDS.items():
        yield f"{kind.__name__}: the error is one", isinstance(by_how.get(how), kind)
    yield "all failed: num_errors and len", [grid.num_errors, len(grid)]
    yield "all failed: get_best_result", says(lambda: grid.get_best_result("score", "max"))

    def run(**more):
        return tune.run(
            fails, config={"how": "key"}, name="run_fails", storage_path=str(RESULTS), verbose=0, **more
        )

    yield "tune.run of a failing trial", told(lambda: len(run().trials))
    yield "tune.run(raise_on_failed_trial=False)", says(lambda: run(raise_on_failed_trial=False))
    yield "a failing trial's status in tune.run", str(run(raise_on_failed_trial=False).trials[0].status)
    yield "training code that exits: is it an error", bool(fit(fails, "exits", space={"how": "exit"}).errors)


def reports_value(_):
    tune.report({"val": 4})


def reports_nan(config):
    tune.report({"m": config["m"]})


def metrics_that_are_not_there():
    def run(**more):
        return tune.run(
            reports_value,
            config={"a": tune.grid_search([1, 2])},
            name="strict",
            storage_path=str(RESULTS),
            verbose=0,
            **more,
        )

    yield "tune.run(metric=...) that nobody reports", says(lambda: run(metric="acc", mode="max"))
    yield (
        "Tuner with a metric that nobody reports: num_errors",
        told(lambda: fit(reports_value, "strict_tuner", space={"a": 1}, metric="acc", mode="max").num_errors),
    )
    yield (
        "a stop key that nobody reports",
        told(lambda: fit(reports_value, "no_key", space={"a": 1}, stop={"nope": 3}).num_errors),
    )
    nan = {"m": tune.grid_search([math.nan, math.nan])}
    analysis = tune.run(reports_nan, config=nan, name="nan", storage_path=str(RESULTS), verbose=0)
    yield (
        "only NaN: get_best_config, get_best_trial",
        [
            analysis.get_best_config("m", "max"),
            analysis.get_best_trial("m", "max"),
        ],
    )
    yield "only NaN: best_config without a metric", says(lambda: analysis.best_config)
    grid = fit(reports_nan, "nan_grid", space=nan)
    yield "only NaN: get_best_result", says(lambda: grid.get_best_result("m", "max"))
    yield (
        "only NaN: get_best_result(filter_nan_and_inf=False)",
        says(lambda: grid.get_best_result("m", "max", filter_nan_and_inf=False)),
    )
    some = fit(reports_nan, "some_nan", space={"m": tune.grid_search([math.nan, 1.0, math.inf])})
    yield "one finite value: get_best_result", some.get_best_result("m", "max").config


def named(config):
    tune.report({"name": tune.get_context().get_trial_name(), "a": config.get("a")})


class Named(tune.Trainable):
    def step(self):
        return {"name": self.trial_name, "done": True}


def names():
    analysis = tune.run(
        named,
        config={"a": tune.grid_search([1]), "b": {"c": tune.choice([7])}, "d": 2},
        name="names",
        storage_path=str(RESULTS),
        verbose=0,
    )
    (trial,) = analysis.trials
    yield "str(trial)", without_id(trial)
    yield "str(trial) is the context's name", str(trial) == trial.last_result["name"]
    yield "trainable_name, status", [trial.trainable_name, str(trial.status)]
    yield "evaluated_params", trial.evaluated_params
    yield "experiment_tag", str(trial.experiment_tag)
    yield "a trial is equal to itself, and a key", [trial == trial, {trial: 1}[trial]]  # noqa: PLR0124
    for what, trainable in {
        "a class": Named,
        "with_parameters": tune.with_parameters(with_data, data=[1]),
        "with_resources": tune.with_resources(named, {"cpu": 1}),
    }.items():
        (result,) = fit(trainable, f"named_{what}".replace(" ", "_"), space={"a": 1})
        yield f"the name of a trial of {what}", without_id(result.metrics["name"])
    tune.register_trainable("registered", named)
    yield (
        "the name of a trial of what was registered",
        without_id(fit("registered", "named_registered", space={"a": 1})[0].metrics["name"]),
    )
    own = {"trial_name_creator": lambda t: f"x{t.trial_id[-1]}", "trial_dirname_creator": lambda _: "folder"}
    (result,) = fit(named, "creators", space={"a": 1}, **own)
    yield "names by functions: the trial's, its folder's", [result.metrics["name"], Path(result.path).name]
    yield (
        "a trial_dirname_creator that gives a slash",
        says(lambda: fit(named, "slash", space={"a": 1}, trial_dirname_creator=lambda _: "a/b")),
    )


def with_data(config, data=None):
    tune.report({"name": tune.get_context().get_trial_name(), "data": data, "a": config["a"]})


def losses(config):
    for step in range(1, 4):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "step").write_text(str(step))
            tune.report(
                {"loss": config["a"] / step, "deep": {"b": step}},
                checkpoint=Checkpoint.from_directory(folder),
            )


def more_of_analyses():
    analysis = tune.run(
        losses,
        config={"a": tune.grid_search([1.0, 2.0]), "deep": {"c": 3}},
        name="more",
        storage_path=str(RESULTS),
        metric="loss",
        mode="min",
        verbose=0,
    )
    best = analysis.best_trial
    yield (
        "best_result_df: its index, rows, config/a",
        [
            analysis.best_result_df.index.name,
            len(analysis.best_result_df),
            list(analysis.best_result_df["config/a"]),
        ],
    )
    yield "best_dataframe: rows", len(analysis.best_dataframe)
    yield (
        "results: types of keys, and losses",
        [
            sorted({type(key).__name__ for key in analysis.results}),
            sorted(round(last["loss"], 9) for last in analysis.results.values()),
        ],
    )
    yield (
        "metric_analysis of loss",
        {name: round(value, 9) for name, value in sorted(best.metric_analysis["loss"].items())},
    )
    yield (
        "get_all_configs(prefix=True)",
        told(lambda: sorted(analysis.get_all_configs(prefix=True).values(), key=str)),
    )
    yield "get_last_checkpoint", (Path(analysis.get_last_checkpoint(best).path) / "step").read_text()
    yield (
        "get_best_checkpoint(trial, metric, mode)",
        (Path(analysis.get_best_checkpoint(best, "loss", "max").path) / "step").read_text(),
    )
    yield (
        "get_best_trial(scope=...)",
        [
            analysis.get_best_trial("loss", "max", scope=scope).config["a"]
            for scope in ("last", "avg", "all", "last-5-avg", "last-10-avg")
        ],
    )
    yield "get_best_trial(scope='best')", says(lambda: analysis.get_best_trial("loss", "max", scope="best"))
    grid = ResultGrid(analysis)
    yield "ResultGrid(analysis): len, the best", [len(grid), grid.get_best_result().config["a"]]
    again = ExperimentAnalysis(analysis.experiment_path, default_metric="loss", default_mode="min")
    yield "ExperimentAnalysis(path): the best", again.best_config
    yield "dataframe('loss', 'max'): losses", sorted(analysis.dataframe("loss", "max")["loss"])


def _goes_on(config):
    checkpoint = tune.get_checkpoint()
    begin = int((Path(checkpoint.path) / "n").read_text()) if checkpoint else 0
    for n in range(begin + 1, 4):
        folder = tempfile.mkdtemp()
        (Path(folder) / "n").write_text(str(n))
        tune.report({"n": n, "began_at": begin}, checkpoint=Checkpoint.from_directory(folder))
        if n == 2 and not Path(config["mended"]).exists():
            raise RuntimeError("broken")


def restored_runs():
    for flag in ("resume_errored", "restart_errored", "neither"):
        mended = Path(tempfile.mkdtemp()) / "mended"
        fit(_goes_on, f"restored_{flag}", space={"mended": str(mended)})
        path = str(RESULTS / f"restored_{flag}")
        mended.touch()
        more = {} if flag == "neither" else {flag: True}
        (result,) = tune.Tuner.restore(path, trainable=_goes_on, **more).fit()
        yield (
            f"Tuner.restore with {flag}: n, began_at, is there an error",
            [
                result.metrics["n"],
                result.metrics["began_at"],
                result.error is not None,
            ],
        )
    yield (
        "can_restore: an experiment, no experiment",
        [
            tune.Tuner.can_restore(path),
            tune.Tuner.can_restore(str(RESULTS / "nothing")),
        ],
    )
    again = tune.Tuner.restore(path, trainable=_goes_on).get_results()
    yield "restore().get_results(): len, n", [len(again), again[0].metrics["n"]]
    yield "restore of no experiment", says(lambda: tune.Tuner.restore("/nowhere", trainable=_goes_on))


def prints(_):
    print("hello")
    tune.report({"m": 1})


def log_files():
    apart = tempfile.mkdtemp()
    for what, wish in {
        "no": False,
        "True": True,
        "a name": "my.txt",
        "two names": ("my.out", "my.err"),
        "an absolute path": f"{apart}/all.txt",
    }.items():
        yield f"log_to_file: {what}: where hello is", told(lambda wish=wish: _where_hello_is(wish, apart))


def _where_hello_is(wish, apart):
    run = tune.RunConfig(
        name=re.sub(r"\W", "_", f"log_{wish}"), storage_path=str(RESULTS), log_to_file=wish, verbose=0
    )
    (result,) = tune.Tuner(prints, run_config=run).fit()
    folders = {"trial": Path(result.path), "apart": Path(apart)}
    return sorted(
        f"{where}/{path.name}"
        for where, folder in folders.items()
        for path in folder.iterdir()
        if path.is_file() and b"hello\n" in path.read_bytes()
    )


CASES = [
    errors,
    metrics_that_are_not_there,
    names,
    more_of_analyses,
    restored_runs,
    log_files,
]
