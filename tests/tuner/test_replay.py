"""Replaying what a population found, from its policy log or its schedule."""

import pytest

import poptune as tune
from poptune.core.schedule import Schedule
from poptune.schedulers import PopulationBasedTraining, PopulationBasedTrainingReplay


def climb(config):
    height, step = 0.0, 0
    if checkpoint := tune.get_checkpoint():
        state = checkpoint.to_dict()
        height, step = state["height"], state["step"]
    while True:
        height, step = height + config["lr"], step + 1
        save = step % 4 == 0
        state = tune.Checkpoint.from_dict({"height": height, "step": step}) if save else None
        tune.report({"height": height}, checkpoint=state)


def run(path, scheduler, *, name, trainable=climb, space=None, num_samples=1):
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="height", mode="max", num_samples=num_samples, seed=0, scheduler=scheduler
        ),
        run_config=tune.RunConfig(
            storage_path=path, name=name, executor="inline", verbose=0, stop={"training_iteration": 20}
        ),
    ).fit()


@pytest.fixture
def searched(tmp_path):
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=4,
        hyperparam_mutations={"lr": tune.uniform(0, 1)},
        synch=True,
    )
    return run(tmp_path, scheduler, name="search", num_samples=4)


def test_a_policy_file_and_a_schedule_replay_the_same_run(searched, tmp_path):
    perturbed = [result for result in searched if len(result.schedule.changes) > 1]
    assert perturbed
    for result in perturbed:
        policy = tmp_path / "search" / f"pbt_policy_{result.trial_id}.txt"
        for number, source in enumerate((policy, str(policy), result.schedule)):
            replayed = run(
                tmp_path, PopulationBasedTrainingReplay(source), name=f"{result.trial_id}_{number}"
            )
            assert replayed[0].schedule == result.schedule
            assert replayed[0].metrics["height"] == result.metrics["height"], (
                "this training has no chance in it"
            )


def test_a_trial_that_never_copied_is_replayed_with_a_constant_schedule(tmp_path):
    replayed = run(tmp_path, PopulationBasedTrainingReplay(Schedule([(0, {"lr": 0.5})])), name="replay")
    assert replayed[0].metrics["height"] == 10.0


def test_each_change_is_applied_at_its_iteration(tmp_path):
    schedule = Schedule([(0, {"lr": 1.0}), (4, {"lr": 2.0}), (12, {"lr": 0.0})])
    heights = run(tmp_path, PopulationBasedTrainingReplay(schedule), name="r")[0].metrics_dataframe["height"]
    assert list(heights) == [1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18] + [20] * 9


def test_a_replay_without_checkpoints_says_that_changes_are_skipped(tmp_path):
    def forgetful(config):
        for _ in range(20):
            tune.report({"height": config["lr"]})

    schedule = Schedule([(0, {"lr": 1.0}), (4, {"lr": 2.0})])
    with pytest.warns(tune.PoptuneWarning, match="change of the replayed schedule is skipped"):
        run(tmp_path, PopulationBasedTrainingReplay(schedule), name="r", trainable=forgetful)


def test_the_param_space_is_overridden_with_a_warning(tmp_path):
    replay = PopulationBasedTrainingReplay(Schedule([(0, {"lr": 0.5})]))
    with pytest.warns(tune.PoptuneWarning, match="the param_space is overridden"):
        results = run(tmp_path, replay, name="r", space={"lr": tune.uniform(0, 1)})
    assert results[0].config == {"lr": 0.5}


def test_replay_of_two_trials_is_refused(tmp_path):
    replay = PopulationBasedTrainingReplay(Schedule([(0, {"lr": 0.5})]))
    with pytest.raises(tune.ConfigurationError, match="exactly one trial, got 2"):
        run(tmp_path, replay, name="r", num_samples=2)


def test_a_policy_of_another_experiment_is_refused(tmp_path):
    replay = PopulationBasedTrainingReplay(Schedule([(0, {"lr": 0.5})]))
    with pytest.raises(tune.ConfigurationError, match=r"keys are \['lr'\], but .* \['momentum'\]"):
        run(tmp_path, replay, name="r", space={"momentum": tune.uniform(0, 1)})


def test_a_missing_policy_file_is_refused(tmp_path):
    with pytest.raises(tune.ConfigurationError, match=r"nowhere.txt' cannot be read"):
        run(tmp_path, PopulationBasedTrainingReplay(tmp_path / "nowhere.txt"), name="r")
    with pytest.raises(tune.ConfigurationError, match="policy_file must be the path .* got 3"):
        PopulationBasedTrainingReplay(3)
