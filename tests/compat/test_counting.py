"""What Ray counts for a trial: iterations while it saves, timesteps and episodes along its lineage."""

import pytest

import poptune
from poptune.compat.ray import tune
from poptune.compat.ray.tune.schedulers import PopulationBasedTraining


def play(config):
    checkpoint = tune.get_checkpoint()
    step = checkpoint.to_dict()["step"] if checkpoint else 0
    while True:
        step += 1
        tune.report(
            {"timesteps_this_iter": config["pace"], "episodes_this_iter": 2, "height": config["pace"]},
            checkpoint=tune.Checkpoint.from_dict({"step": step}),
        )


def test_what_an_iteration_makes_adds_up_and_may_end_the_trial(inline):
    (result,) = tune.Tuner(
        play, param_space={"pace": 10}, run_config=inline(stop={"timesteps_total": 100})
    ).fit()
    frame = result.metrics_dataframe
    assert list(frame["timesteps_total"]) == list(range(10, 101, 10))
    assert list(frame["timesteps_since_restore"]) == list(range(10, 101, 10))
    assert list(frame["episodes_total"]) == list(range(2, 21, 2))
    assert str(frame["timesteps_total"].dtype) == "int64"


def test_who_says_the_total_himself_is_not_contradicted(inline):
    def train(config):
        tune.report({"timesteps_this_iter": 10, "timesteps_total": 7})
        tune.report({})

    (result,) = tune.Tuner(train, run_config=inline()).fit()
    assert list(result.metrics_dataframe["timesteps_total"]) == [7, 10]


def test_who_counts_nothing_has_no_totals(inline):
    (result,) = tune.Tuner(lambda config: {"loss": 1, "timesteps_this_iter": None}, run_config=inline()).fit()
    assert not {"timesteps_total", "episodes_total", "timesteps_since_restore"} & set(result.metrics)


def test_after_an_exploit_the_totals_go_on_from_the_donors(inline):
    scheduler = PopulationBasedTraining(
        perturbation_interval=2,
        time_attr="training_iteration",
        metric="height",
        mode="max",
        hyperparam_mutations={"pace": [1, 100]},
        resample_probability=0,
        synch=True,
    )
    slow, fast = tune.Tuner(
        play,
        param_space={"pace": tune.grid_search([1, 100])},
        tune_config=tune.TuneConfig(scheduler=scheduler),
        run_config=inline(stop={"training_iteration": 3}),
    ).fit()
    assert fast.metrics["timesteps_total"] == 300
    pace = slow.config["pace"]
    assert list(slow.metrics_dataframe["timesteps_total"]) == [1, 2, 200 + pace]
    assert list(slow.metrics_dataframe["timesteps_since_restore"]) == [1, 2, pace]
    assert slow.metrics["episodes_total"] == 6


def test_after_a_failure_the_totals_go_on_from_the_checkpoints(inline):
    seen = []

    def fragile(config):
        start = tune.get_checkpoint()
        for step in range(start.to_dict()["step"] + 1 if start else 1, 6):
            if step == 4 and not seen:
                seen.append(step)
                raise RuntimeError("bad luck")
            state = tune.Checkpoint.from_dict({"step": step}) if step == 2 else None
            tune.report({"timesteps_this_iter": 10}, checkpoint=state)

    (result,) = tune.Tuner(
        fragile, run_config=inline(failure_config=poptune.FailureConfig(max_failures=1))
    ).fit()
    assert list(result.metrics_dataframe["timesteps_total"]) == [10, 20, 30, 40, 50]
    assert list(result.metrics_dataframe["timesteps_since_restore"]) == [10, 20, 10, 20, 30]


class Model(tune.Trainable):
    def setup(self, config):
        self.saved_at = []

    def step(self):
        return {"in_step": self.iteration, "saved_at": list(self.saved_at), "should_checkpoint": self.wants()}

    def wants(self):
        return False

    def save_checkpoint(self, checkpoint_dir):
        self.saved_at.append(self.training_iteration)
        return {"at": self.iteration}

    def load_checkpoint(self, checkpoint):
        pass


class Choosy(Model):
    def wants(self):
        return self.iteration == 1


def test_while_it_saves_the_step_that_was_just_made_counts(inline):
    checkpoint_config = tune.CheckpointConfig(checkpoint_frequency=1)
    (result,) = tune.Tuner(
        Model, run_config=inline(stop={"training_iteration": 3}, checkpoint_config=checkpoint_config)
    ).fit()
    assert (result.metrics["in_step"], result.metrics["saved_at"]) == (2, [1, 2])
    assert result.checkpoint.to_dict() == {"at": 3}


def test_a_result_of_a_class_may_ask_for_a_checkpoint(inline):
    (result,) = tune.Tuner(
        Choosy,
        run_config=inline(
            stop={"training_iteration": 4},
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    ).fit()
    assert [checkpoint.to_dict() for checkpoint, _ in result.best_checkpoints] == [{"at": 2}]


@pytest.mark.parametrize("bad", [float("nan"), "ten", [10]])
def test_what_cannot_be_added_up_is_left_out_of_the_totals(bad, inline):
    def train(config):
        tune.report({"timesteps_this_iter": 10})
        tune.report({"timesteps_this_iter": bad})

    (result,) = tune.Tuner(train, run_config=inline()).fit()
    assert result.metrics["timesteps_total"] == 10
