"""How training code tells its results and saves its state: the habits that scripts of Ray have."""

import os
import tempfile
from pathlib import Path

import numpy as np
from fitting import RESULTS, fit, says
from ray import tune
from ray.tune import Checkpoint
from ray.tune.schedulers import PopulationBasedTraining


def returns(config):
    return {"score": config["a"] ** 2}


def yields(config):
    for step in range(3):
        yield {"score": config["a"] + step}


def number(_):
    return 7


def gives_up(_):
    return


def text(_):
    return "neither metrics nor a number"


def returned():
    def told(function, metric="score"):
        (result,) = fit(function, function.__name__, space={"a": 3})
        return [result.error is None, (result.metrics or {}).get(metric)]

    yield "a dict is returned", told(returns)
    yield "dicts are yielded", told(yields)
    yield "a number is returned: the metric _metric", told(number, "_metric")
    yield "nothing is returned, nor reported", told(gives_up)
    yield "a text is returned", told(text)
    (result,) = fit(yields, "rows", space={"a": 1})
    yield "dicts are yielded: rows of the frame", list(result.metrics_dataframe["score"])


def says_done(config):
    for step in range(1, 6):
        tune.report({"score": step, "done": step >= config["until"]})


class Saver(tune.Trainable):
    """Notes at which iteration each of its methods was called."""

    def setup(self, config):
        self.saved = self.loaded = -1
        self.in_setup = self.iteration

    def step(self):
        return {
            "in_setup": self.in_setup,
            "in_step": self.iteration,
            "saved_at": self.saved,
            "done": self.iteration + 1 >= self.config.get("until", 99),
            "should_checkpoint": self.iteration + 1 == self.config.get("saves_at"),
        }

    def save_checkpoint(self, checkpoint_dir):
        self.saved = self.iteration
        (Path(checkpoint_dir) / "iteration").write_text(str(self.iteration))

    def load_checkpoint(self, checkpoint):
        self.saved = int((Path(checkpoint) / "iteration").read_text())


def saver(name, space=None, **wishes):
    """Train the saver for three iterations, with these wishes for its checkpoints."""
    run = tune.RunConfig(
        name=name,
        storage_path=str(RESULTS),
        stop={"training_iteration": 3},
        checkpoint_config=tune.CheckpointConfig(**wishes),
        verbose=0,
    )
    (result,) = tune.Tuner(Saver, param_space=space or {"a": 1}, run_config=run).fit()
    return result


def saved_at(result):
    return [int((Path(c.path) / "iteration").read_text()) for c, _ in result.best_checkpoints]


def done():
    def last(trainable, space, stop):
        (result,) = fit(trainable, f"done_{space['until']}", space=space, stop=stop)
        return result.metrics["training_iteration"]

    many = {"training_iteration": 5}
    yield "a function reports done: True", last(says_done, {"until": 3}, many)
    yield "a class returns done: True", last(Saver, {"until": 2}, many)
    yield "stop={'done': True}", last(says_done, {"until": 4}, {"done": True, "training_iteration": 5})


def saving():
    each = saver("each", checkpoint_frequency=1)
    yield (
        "iteration in setup and in step, and of the save before the last",
        [each.metrics[key] for key in ("in_setup", "in_step", "saved_at")],
    )
    yield "checkpoint_frequency=1: iteration while saving", saved_at(each)
    yield "checkpoint_frequency=2", saved_at(saver("second", checkpoint_frequency=2))
    yield "checkpoint_at_end=True", saved_at(saver("end", checkpoint_at_end=True))
    yield "a class returns should_checkpoint: True", saved_at(saver("asked", {"saves_at": 2}))
    yield "num_to_keep=1", saved_at(saver("one", checkpoint_frequency=1, num_to_keep=1))
    yield (
        "num_to_keep=1 by a metric, the least",
        saved_at(
            saver(
                "least",
                checkpoint_frequency=1,
                num_to_keep=1,
                checkpoint_score_attribute="in_step",
                checkpoint_score_order="min",
            )
        ),
    )
    for name, wish in {
        "frequency": {"checkpoint_frequency": 1},
        "at_end": {"checkpoint_at_end": True},
    }.items():
        run = tune.RunConfig(
            name=f"f_{name}", storage_path=str(RESULTS), checkpoint_config=tune.CheckpointConfig(**wish)
        )
        yield (
            f"a function with checkpoint_{name}",
            says(lambda run=run: tune.Tuner(returns, param_space={"a": 1}, run_config=run).fit()),
        )


def counts(_):
    for _ in range(9):
        tune.report({"timesteps_this_iter": 10, "episodes_this_iter": 2, "score": 1})


def own_total(_):
    for step in range(1, 4):
        tune.report({"timesteps_total": 100 * step})


def totals():
    (result,) = fit(counts, "totals", space={}, stop={"timesteps_total": 40})
    names = ("training_iteration", "timesteps_total", "episodes_total", "iterations_since_restore")
    yield "*_this_iter add up, and stop", [result.metrics.get(name) for name in names]
    (result,) = fit(own_total, "own_total", space={}, stop={"timesteps_total": 200})
    yield "a total of the user's own", [result.metrics.get(name) for name in names[:2]]


class Opaque:
    def __str__(self):
        return "an object"


def reports_objects(_):
    tune.report(
        {
            "object": Opaque(),
            "numpy": np.float32(0.5),
            "array": np.array([1, 2]),
            "tuple": (1, 2),
            "set": {1},
            "none": None,
            "text": "words",
            "path": Path("a"),
            "nan": float("nan"),
        }
    )


def objects():
    (result,) = fit(reports_objects, "objects", space={})
    yield "objects among the metrics: is there an error", result.error is not None
    for name in ("object", "numpy", "array", "tuple", "set", "none", "text", "path", "nan"):
        yield f"a metric that is a {name}: its type in the result", type(result.metrics.get(name)).__name__


def reads_data(_):
    there = Path(os.environ["TUNE_ORIG_WORKING_DIR"])
    tune.report({"read": (there / "read.txt").read_text(), "apart": there.resolve() != Path.cwd().resolve()})


def original_folder():
    Path("read.txt").write_text("data")
    (result,) = fit(reads_data, "reads", space={})
    yield (
        "TUNE_ORIG_WORKING_DIR: what lies there, and is it another folder",
        [
            result.metrics.get("read"),
            result.metrics.get("apart"),
        ],
    )


class ByHand(tune.Trainable):
    def setup(self, config):
        self.n = config["start"]

    def step(self):
        self.n += 1
        return {"n": self.n}

    def save_checkpoint(self, checkpoint_dir):
        (Path(checkpoint_dir) / "n").write_text(str(self.n))

    def load_checkpoint(self, checkpoint):
        self.n = int((Path(checkpoint) / "n").read_text())

    def reset_config(self, new_config):
        self.n = new_config["start"]
        return True


def by_hand():
    model = ByHand(config={"start": 5})
    yield (
        "train() twice: n and training_iteration",
        [
            model.train()["n"],
            *map(model.train().get, ("n", "training_iteration")),
        ],
    )
    yield "train(): which keys", sorted(model.train())
    folder = tempfile.mkdtemp()
    saved = model.save(folder)
    yield "save(): what it has", [hasattr(saved, name) for name in ("checkpoint", "metrics")]
    yield "save(): what is in the folder", (Path(folder) / "n").read_text()
    other = ByHand(config={"start": 0})
    other.restore(saved)
    yield "restore(what save() returned): n, iteration", [other.n, other.iteration]
    other = ByHand(config={"start": 0})
    other.restore(folder)
    yield "restore(folder): n, iteration", [other.n, other.iteration]
    yield "reset(config): what it says, n, config", [other.reset({"start": 9}), other.n, other.config]
    yield "trial_id, trial_name, get_config()", [model.trial_id, model.trial_name, model.get_config()]
    yield "stop()", model.stop()


def checkpoints():
    folder = tempfile.mkdtemp()
    (Path(folder) / "w").write_text("1")

    def files(checkpoint):
        with checkpoint.as_directory() as there:
            return sorted(path.name for path in Path(there).iterdir())

    yield (
        "Checkpoint(path), by position and by name",
        [
            files(Checkpoint(folder)),
            files(Checkpoint(path=folder)),
        ],
    )
    yield "as_directory() is the folder itself", _same_folder(Checkpoint(folder), folder)
    yield (
        "two of one folder are equal, of two are not",
        [
            Checkpoint(folder) == Checkpoint.from_directory(folder),
            Checkpoint(folder) == Checkpoint(tempfile.mkdtemp()),
        ],
    )
    yield "two of one folder as keys", says(lambda: {Checkpoint(folder): 1})
    made = Checkpoint(folder)
    made.set_metadata({"a": 1})
    made.update_metadata({"b": 2})
    yield "metadata of a folder", Checkpoint(folder).get_metadata()
    yield "Checkpoint of no folder", says(lambda: Checkpoint("/nowhere"))
    yield "Checkpoint()", says(Checkpoint)


def _same_folder(checkpoint, folder):
    with checkpoint.as_directory() as there:
        return os.path.realpath(there) == os.path.realpath(folder)


class Resettable(tune.Trainable):
    """Reports how it came to its config: by ``setup`` or by ``reset_config``."""

    def setup(self, config):
        self.came_by, self.n = "setup", 0

    def reset_config(self, new_config):
        self.came_by, self.n = "reset_config", 0
        return True

    def step(self):
        self.n += 1
        return {"score": self.config["rank"], "came_by": self.came_by, "lr": self.config["lr"], "n": self.n}

    def save_checkpoint(self, checkpoint_dir):
        (Path(checkpoint_dir) / "n").write_text(str(self.n))

    def load_checkpoint(self, checkpoint):
        self.n = int((Path(checkpoint) / "n").read_text())


def reused_actors():
    def copied(reuse):
        results = tune.Tuner(
            Resettable,
            param_space={"rank": tune.grid_search([1, 2, 3, 4]), "lr": 0.5},
            tune_config=tune.TuneConfig(
                scheduler=PopulationBasedTraining(
                    metric="score",
                    mode="max",
                    time_attr="training_iteration",
                    perturbation_interval=2,
                    hyperparam_mutations={"lr": [0.25]},
                    resample_probability=1.0,
                    synch=True,
                ),
                reuse_actors=reuse,
            ),
            run_config=tune.RunConfig(
                name=f"reuse_{reuse}", storage_path=str(RESULTS), stop={"training_iteration": 3}, verbose=0
            ),
        ).fit()
        return [
            [result.metrics[key] for key in ("came_by", "lr", "n")]
            for result in results
            if result.config["lr"] == 0.25
        ]

    yield "reuse_actors=True: who made the recipient's config", copied(True)
    yield "reuse_actors=False: who made the recipient's config", copied(False)


CASES = [
    returned,
    done,
    saving,
    totals,
    objects,
    original_folder,
    by_hand,
    checkpoints,
    reused_actors,
]
