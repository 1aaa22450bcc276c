"""Every form of ``stop`` that Ray takes."""

import pytest

import poptune
from poptune.compat.ray import tune
from poptune.compat.ray.tune.stopper import MaximumIterationStopper, NoopStopper


def count(config):
    for step in range(1, 11):
        tune.report({"step": step, "deep": {"step": 2 * step}})


class AtThree(tune.Stopper):
    def __call__(self, trial_id, result):
        return result["step"] == 3

    def stop_all(self):
        return False


@pytest.mark.parametrize(
    ("stop", "at"),
    [
        ({"done": True}, 10),
        ({"done": True, "training_iteration": 4}, 4),
        ([MaximumIterationStopper(4), MaximumIterationStopper(6)], 4),
        ((NoopStopper(), AtThree()), 3),
        ([{"step": 5}, MaximumIterationStopper(7)], 5),
        ([{"deep/step": 4}, lambda trial_id, result: False], 2),
        ([lambda trial_id, result: result["step"] >= 6], 6),
        ([{"nobody": 1}], 10),
        ({"deep": {"step": 6}}, 3),
        ({"deep": {"step": 6}, "step": 2}, 2),
        ([{"deep": {"step": 6}}, NoopStopper()], 3),
        ([], 10),
    ],
)
def test_a_trial_ends_by_whichever_rule_says_so_first(stop, at, home):
    run = tune.RunConfig(stop=stop, verbose=0)
    native = run.to_native()
    inline = poptune.RunConfig(
        stop=native.stop, executor="inline", storage_path=home / "ray_results", verbose=0
    )
    (result,) = tune.Tuner(count, run_config=inline).fit()
    assert result.metrics["training_iteration"] == at


def test_run_takes_the_same():
    (trial,) = tune.run(count, stop=[{"step": 2}, AtThree()], verbose=0).trials
    assert trial.last_result["step"] == 2


def test_what_is_no_rule_is_refused_when_the_config_is_made():
    with pytest.raises(poptune.ConfigurationError, match="needs a function, got 3"):
        tune.RunConfig(stop=[3])
