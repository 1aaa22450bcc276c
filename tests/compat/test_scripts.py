"""Scripts that were written for Ray run when ``poptune.compat.ray`` stands for ``ray`` in their imports."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

FONTS = mpl.get_cachedir()
"""In the real home: a list of all fonts takes seconds to make."""
SCRIPTS = Path(__file__).parent / "scripts"


def migrated(script):
    """Apply the rule to the imports of a script of Ray."""
    script = re.sub(r"^import ray$", "import poptune.compat.ray as ray", script, flags=re.MULTILINE)
    return re.sub(r"^from ray\b", "from poptune.compat.ray", script, flags=re.MULTILINE)


def original(script):
    """Undo the rule."""
    script = script.replace("import poptune.compat.ray as ray", "import ray")
    return script.replace("from poptune.compat.ray", "from ray")


@pytest.mark.parametrize("name", ["tutorial_2022", "tutorial_current", "dcgan_2022", "dcgan_current"])
def test_the_tutorials_scripts_are_rays_but_for_their_imports(name):
    ours = (SCRIPTS / f"{name}.py").read_text()
    assert "poptune" not in original(ours)
    assert migrated(original(ours)) == ours


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tutorial_2022", "tutorial_current"])
def test_the_tutorial_runs_in_processes(name, home, small_mnist, monkeypatch):
    script = (SCRIPTS / f"{name}.py").read_text()
    slices = {
        '"training_iteration": 50': '"training_iteration": 8',
        "perturbation_interval = 5": "perturbation_interval = 2",
        '"mean_accuracy": 0.96': '"mean_accuracy": 2',
    }
    for whole, short in slices.items():
        assert whole in script
        script = script.replace(whole, short)
    (home / "script.py").write_text(script)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MPLCONFIGDIR", FONTS)
    run = subprocess.run([sys.executable, home / "script.py"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Best final iteration hyperparameter config:\n {'lr': " in run.stdout
    assert "Replayed accuracy: " in run.stdout
    experiment = home / "ray_results" / "pbt_test"
    assert (experiment / "pbt_global.txt").is_file()
    assert len(list(experiment.glob("train_convnet_*_lr=*"))) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dcgan_2022", "dcgan_current"])
def test_the_tutorials_dcgan_runs_in_processes(name, home, small_mnist, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("MPLCONFIGDIR", FONTS)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    run = subprocess.run(
        [sys.executable, SCRIPTS / f"{name}.py"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "Inception scores: [" in run.stdout
    assert (home / "ray_results" / "pbt_dcgan_mnist_tutorial" / "pbt_global.txt").is_file()


RAY = importlib.util.find_spec("ray")
EXAMPLES = Path(RAY.origin).parent / "tune" / "examples" if RAY and RAY.origin else None


@pytest.mark.slow
@pytest.mark.skipif(EXAMPLES is None, reason="Ray is not installed, so its examples are not here")
@pytest.mark.parametrize(
    "name",
    [
        "pbt_function",
        "pbt_example",
        "pbt_convnet_function_example",
        "mnist_pytorch_trainable",
        "async_hyperband_example",
        "custom_func_checkpointing",
        "tune_basic_example",
    ],
)
def test_rays_own_examples_run(name, home, small_mnist, monkeypatch):
    (home / f"{name}.py").write_text(migrated((EXAMPLES / f"{name}.py").read_text()))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run = subprocess.run(
        [sys.executable, home / f"{name}.py", "--smoke-test"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


OLD = {
    "2021, tune.run": """
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler

def objective(config):
    for step in range(3):
        tune.report({"loss": config["a"] * step + config["b"]})

if not ray.is_initialized():
    ray.init()
analysis = tune.run(
    objective,
    name="asha",
    config={"a": tune.uniform(0, 1), "b": tune.choice([1, 2])},
    num_samples=2,
    metric="loss",
    mode="min",
    scheduler=ASHAScheduler(max_t=3),
    local_dir="~/ray_results",
    verbose=0,
)
best = analysis.best_config
assert best["b"] in [1, 2]
assert len(analysis.dataframe()) == 2
ray.shutdown()
""",
    "2022, air": """
import ray
from ray import air, tune
from ray.air import session
from ray.air.checkpoint import Checkpoint
from ray.tune.schedulers.pbt import PopulationBasedTraining

data = ray.put(list(range(100)))

def train(config):
    start = session.get_checkpoint().to_dict()["step"] + 1 if session.get_checkpoint() else 1
    for step in range(start, 7):
        score = sum(ray.get(config["data"])) * config["lr"] * step
        session.report({"score": score}, checkpoint=Checkpoint.from_dict({"step": step}))

results = tune.Tuner(
    tune.with_resources(train, {"cpu": 1}),
    param_space={"lr": tune.uniform(0.1, 1), "data": data},
    tune_config=tune.TuneConfig(
        metric="score",
        mode="max",
        num_samples=3,
        scheduler=PopulationBasedTraining(
            time_attr="training_iteration",
            perturbation_interval=2,
            hyperparam_mutations={"lr": tune.uniform(0.1, 1)},
        ),
    ),
    run_config=air.RunConfig(name="old", verbose=0, failure_config=air.FailureConfig(max_failures=1)),
).fit()
best = results.get_best_result()
assert not results.errors
assert best.metrics["training_iteration"] == 6
assert best.checkpoint.to_dict()["step"] == 6
""",
    "2023, train": """
import os
import tempfile

from ray import train, tune
from ray.train import Checkpoint
from ray.tune.stopper import MaximumIterationStopper

def trainable(config, data=None):
    assert len(data) == 10
    for step in range(100):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "step.txt"), "w") as file:
                file.write(str(step))
            train.report({"loss": config["x"] ** 2}, checkpoint=Checkpoint.from_directory(folder))

tuner = tune.Tuner(
    tune.with_parameters(trainable, data=[0] * 10),
    param_space={"x": tune.grid_search([1, 2])},
    tune_config=tune.TuneConfig(metric="loss", mode="min"),
    run_config=train.RunConfig(
        name="exp",
        storage_path=os.path.expanduser("~/ray_results"),
        stop=MaximumIterationStopper(2),
        verbose=0,
    ),
)
results = tuner.fit()
best = results.get_best_result()
assert best.config == {"x": 1}
with best.checkpoint.as_directory() as folder:
    with open(os.path.join(folder, "step.txt")) as file:
        assert file.read() == "1"
assert list(results.get_dataframe()["config/x"]) == [1, 2]
""",
    "the class form": """
import os

from ray import tune
from ray.tune import Trainable
from ray.tune.schedulers import PopulationBasedTraining

class Climber(Trainable):
    def setup(self, config):
        self.height = 0.0

    def step(self):
        self.height += self.config["lr"]
        return {"height": self.height, "done": self.training_iteration >= 5}

    def save_checkpoint(self, checkpoint_dir):
        with open(os.path.join(checkpoint_dir, "height"), "w") as file:
            file.write(str(self.height))

    def load_checkpoint(self, checkpoint_dir):
        with open(os.path.join(checkpoint_dir, "height")) as file:
            self.height = float(file.read())

    def reset_config(self, new_config):
        self.config = new_config
        return True

results = tune.Tuner(
    Climber,
    param_space={"lr": tune.uniform(0.1, 1)},
    tune_config=tune.TuneConfig(
        num_samples=2,
        reuse_actors=True,
        scheduler=PopulationBasedTraining(
            time_attr="training_iteration",
            metric="height",
            mode="max",
            perturbation_interval=2,
            hyperparam_mutations={"lr": lambda: 0.5},
        ),
    ),
    run_config=tune.RunConfig(verbose=0),
).fit()
assert results.num_terminated == 2, results.errors
assert results.get_best_result("height", "max").metrics["training_iteration"] == 6
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("era", OLD)
def test_an_old_script_runs_after_the_mechanical_rule(era):
    exec(migrated(OLD[era]), {"__name__": "script"})
