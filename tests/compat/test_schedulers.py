"""Subclasses of Ray's schedulers: hooks that nobody calls are refused, and an __init__ of one's own works."""

import pickle
from pathlib import Path

import pytest

import poptune
from poptune.compat.ray import tune
from poptune.compat.ray.tune import schedulers
from poptune.compat.ray.tune.schedulers.hooks import HOOKS

SPACE = {"lr": tune.uniform(0, 1)}
KINDS = [
    schedulers.PopulationBasedTraining,
    schedulers.PopulationBasedTrainingReplay,
    schedulers.ASHAScheduler,
    schedulers.AsyncHyperBandScheduler,
    schedulers.MedianStoppingRule,
    schedulers.FIFOScheduler,
]


def learn(config):
    for step in range(4):
        tune.report({"loss": config["lr"]}, checkpoint=tune.Checkpoint.from_dict({"step": step}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_of_rays_is_refused_when_the_class_is_made(kind, hook):
    with pytest.raises(poptune.ConfigurationError, match=f"Mine.{hook} is never called here: .+"):
        type("Mine", (kind,), {hook: lambda self, *arguments: None})


@pytest.mark.parametrize(
    ("hook", "remedy"),
    [("_get_new_config", "custom_explore_fn"), ("_quantiles", "selector="), ("on_trial_result", "Callback")],
)
def test_the_refusal_names_the_native_way(hook, remedy):
    with pytest.raises(poptune.ConfigurationError, match=remedy):
        type("Mine", (schedulers.PopulationBasedTraining,), {hook: None})


class Mine(schedulers.PopulationBasedTraining):
    def __init__(self, interval, *, note):
        super().__init__(
            time_attr="training_iteration",
            perturbation_interval=interval,
            hyperparam_mutations=SPACE,
            synch=True,
        )
        self.note = note


class Impatient(schedulers.ASHAScheduler):
    def __init__(self, longest):
        super().__init__(max_t=longest, grace_period=1, reduction_factor=2)


class Fair(schedulers.MedianStoppingRule):
    def __init__(self):
        super().__init__(grace_period=1, time_attr="training_iteration")


class Named(schedulers.FIFOScheduler):
    def __init__(self, name):
        super().__init__()
        self.name = name


@pytest.mark.parametrize("make", [lambda: Mine(2, note="n"), lambda: Impatient(3), Fair, lambda: Named("n")])
def test_a_subclass_with_an_init_of_its_own_trains(make, inline):
    results = tune.Tuner(
        learn,
        param_space={"lr": tune.grid_search([0.1, 0.2, 0.3, 0.4])},
        tune_config=tune.TuneConfig(metric="loss", mode="min", scheduler=make()),
        run_config=inline(stop={"training_iteration": 4}),
    ).fit()
    assert results.num_errors == 0
    assert results.metric == "loss"


def test_what_a_subclass_keeps_is_there_when_the_metric_has_come():
    scheduler = Mine(2, note="n")
    named = pickle.loads(pickle.dumps(scheduler)).for_metric("loss", "min")
    assert (named.metric, named.note, named.perturbation_interval) == ("loss", "n", 2)
    assert scheduler.metric is None


class MyReplay(schedulers.PopulationBasedTrainingReplay):
    def __init__(self, folder):
        super().__init__(next(Path(folder).glob("pbt_policy_*.txt")))


@pytest.fixture
def policy(inline):
    scheduler = schedulers.PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=2,
        hyperparam_mutations=SPACE,
        synch=True,
        resample_probability=0,
    )
    return tune.Tuner(
        learn,
        param_space={"lr": tune.grid_search([0.5, 1.0])},
        tune_config=tune.TuneConfig(metric="loss", mode="min", scheduler=scheduler),
        run_config=inline(stop={"training_iteration": 4}),
    ).fit()


def test_a_replay_tells_its_policy_and_may_be_derived_from(policy, inline):
    replay = MyReplay(policy.experiment_path)
    assert replay.config == {"lr": 0.5}
    assert [at for at, _ in replay._policy] == [2]
    results = tune.Tuner(learn, tune_config=tune.TuneConfig(scheduler=replay), run_config=inline()).fit()
    assert results[0].config == replay._policy[-1][1] == policy[1].config
    assert schedulers.PopulationBasedTrainingReplay(policy[1].schedule).config == {"lr": 0.5}
