"""Hyperparameters that move: their values, their mistakes, and every place that follows them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from skeletons import Courses, Skeleton

import poptune as tune
from poptune._base.course import Curve, present, problems, with_values
from poptune._core.policy_log import read_policy
from poptune._core.scheduler import Decision, Load, Plan

HALVING = Curve(points=((0, 0.1), (10, 0.001)), scale="log")


@pytest.mark.parametrize(
    ("curve", "values"),
    [
        (HALVING, [0.1, 0.1, 0.01, 0.001, 0.001]),
        (Curve(points=((0, 0.0), (10, 1.0))), [0.0, 0.0, 0.5, 1.0, 1.0]),
        (Curve(points=((0, 0.9), (10, 0.999)), scale="discount"), [0.9, 0.9, 0.99, 0.999, 0.999]),
        (Curve(points=((0, 1), (10, 4)), whole=True), [1, 1, 2, 4, 4]),
        (Curve(points=((0, 0.0), (10, 1.0)), q=0.4), [0.0, 0.0, 0.4, 0.8, 0.8]),
        (Curve(points=((3, 7.0),)), [7.0] * 5),
    ],
)
def test_a_curve_is_straight_on_its_scale_between_points_and_level_beyond(curve, values):
    assert [curve.at(time) for time in (-1, 0, 5, 10, 11)] == pytest.approx(values)
    assert all(type(curve.at(time)) is (int if curve.whole else float) for time in (0, 5))


def test_it_bends_at_each_point():
    curve = Curve(points=((0, 0.0), (2, 1.0), (4, 0.0)))
    assert [curve.at(time / 2) for time in range(9)] == [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0]


def test_only_what_moves_is_another_and_the_config_itself_stays():
    config = {"optimizer": {"lr": 0.1, "wd": 1}, "depth": 3}
    now = present(config, {"optimizer.lr": HALVING}, 5)
    assert now == {"optimizer": {"lr": pytest.approx(0.01), "wd": 1}, "depth": 3}
    assert config["optimizer"]["lr"] == 0.1
    assert present(config, None, 5) is config
    assert with_values(config, {"depth": 4})["depth"] == 4


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        (Curve(points=()), "the times of its points must rise"),
        (Curve(points=((1, 0.1), (1, 0.2))), "the times of its points must rise, got .1, 1."),
        (Curve(points=((0, float("nan")),)), "must be finite"),
        (Curve(points=((0, 1.0), (1, float("inf")))), "must be finite"),
        (Curve(points=((0, -1e308), (1, 1e308)), whole=True), "must be finite"),
        (Curve(points=((0, 1.0),), q=0.0), "q must be a number above 0"),
        (Curve(points=((0, 0.0), (1, 1.0)), scale="log"), "must be positive"),
        (Curve(points=((0, 0.9), (1, 1.0)), scale="discount"), "must be below 1"),
    ],
)
def test_a_curve_that_cannot_be_followed_is_told(curve, message):
    (found,) = problems({"lr": curve}, {"lr": 0.1})
    assert found.startswith("the course of 'lr' cannot be followed: ")
    assert pytest.importorskip("re").search(message, found)


@pytest.mark.parametrize("config", [{}, {"lr": "big"}, {"lr": True}, {"lr": {"x": 1}}])
def test_what_moves_must_be_a_number_in_the_config(config):
    assert "the config must have a number at 'lr'" in next(problems({"lr": HALVING}, config))


@dataclass(frozen=True, kw_only=True)
class Annealing(Skeleton):
    """The learning rate moves from the start; the second trial copies the first, once, with its course."""

    interval: float = 4.0
    end: float = 8.0

    def decide(self, state: None, population: Any, ready: Any, random: Any) -> Plan:
        decisions = []
        for trial in map(population.__getitem__, ready.trials):
            if ready.cause == "start":
                course = {"optimizer.lr": Curve(points=((0, 0.8), (self.end, 0.0)))}
                config = with_values(trial.config, {"optimizer.lr": 0.8 + trial.index})
                decisions.append(self.go_on(trial, config=config, course=course if not trial.index else None))
            elif trial.index == 1 and not trial.exploits and (ref := population.trials[0].checkpoint):
                run = self.run(ref.age)
                decisions.append(Decision(trial=trial.id, next=run, source=Load(ref), donor=ref.trial))
            else:
                decisions.append(self.go_on(trial))
        return self.plan_of(decisions)


def with_steps(config):
    seen = tune.StateRef([])
    for _ in tune.steps(config, seen=seen):
        lr = config["optimizer"]["lr"]
        seen.value.append(lr)
        tune.report({"score": lr, "asked": tune.get_config()["optimizer"]["lr"], "seen": list(seen.value)})


class Stepped(tune.Trainable):
    resets = True

    def setup(self, config):
        self.seen = []

    def step(self):
        lr = self.config["optimizer"]["lr"]
        self.seen.append(lr)
        return {"score": lr, "asked": tune.get_config()["optimizer"]["lr"], "seen": list(self.seen)}

    def save_checkpoint(self, checkpoint_dir):
        return {"seen": list(self.seen)}

    def load_checkpoint(self, checkpoint):
        self.seen = list(checkpoint["seen"])

    def reset_config(self, new_config):
        return self.resets


class Rebuilt(Stepped):
    resets = False


def as_function(config):
    seen = tune.get_checkpoint().to_dict()["seen"] if tune.get_checkpoint() else []
    while True:
        lr = config["optimizer"]["lr"]
        seen = [*seen, lr]
        asked = tune.get_config()["optimizer"]["lr"]
        tune.report(
            {"score": lr, "asked": asked, "seen": seen}, checkpoint=tune.Checkpoint.from_dict({"seen": seen})
        )


def fit(folder, trainable, scheduler=None, *, executor=None, trials=2, stop=8, space=None, **run_config):
    return tune.Tuner(
        trainable,
        param_space=space or {"optimizer": {"lr": tune.uniform(0, 1)}, "depth": 3},
        tune_config=tune.TuneConfig(
            metric="score",
            mode="max",
            scheduler=scheduler or Annealing(synch=True),
            num_samples=trials,
            seed=0,
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=folder,
            executor=executor or tune.InlineExecutor(slots=2),
            verbose=0,
            stop={"training_iteration": stop},
            **run_config,
        ),
    ).fit()


STRAIGHT = [0.8 - 0.1 * iteration for iteration in range(8)]


@pytest.mark.parametrize("executor", [tune.InlineExecutor(slots=2), tune.ProcessExecutor(slots=2)], ids=repr)
@pytest.mark.parametrize("trainable", [with_steps, Stepped])
def test_code_that_is_held_has_the_value_of_each_iteration(tmp_path, trainable, executor):
    first, second = fit(tmp_path, trainable, executor=executor)
    assert first.metrics["seen"] == pytest.approx(STRAIGHT)
    assert first.metrics["asked"] == pytest.approx(STRAIGHT[-1])
    assert first.config["optimizer"]["lr"] == pytest.approx(0.0)
    assert second.metrics["seen"] == pytest.approx(STRAIGHT), "with the state came the course"
    assert tune.verify(tmp_path / "run").ok


@pytest.mark.parametrize("executor", [tune.InlineExecutor(slots=2), tune.ProcessExecutor(slots=2)], ids=repr)
@pytest.mark.parametrize("trainable", [as_function, Rebuilt])
def test_code_that_is_entered_anew_has_it_from_each_milestone_and_whenever_it_asks(
    tmp_path, trainable, executor
):
    first, second = fit(tmp_path, trainable, executor=executor)
    assert first.metrics["seen"] == pytest.approx([0.8] * 4 + [0.4] * 4)
    assert list(first.metrics_dataframe["asked"]) == pytest.approx(STRAIGHT)
    assert second.metrics["seen"] == pytest.approx([0.8] * 4 + [0.4] * 4)
    assert tune.verify(tmp_path / "run").ok


def test_a_bound_optimizer_follows(tmp_path):
    torch = pytest.importorskip("torch")

    def train(config):
        model = torch.nn.Linear(1, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=config["optimizer"]["lr"])
        for _ in tune.steps(config, model=model, optimizer=tune.bind(optimizer, lr="optimizer.lr")):
            tune.report({"score": optimizer.param_groups[0]["lr"]})

    first, _ = fit(tmp_path, train)
    assert list(first.metrics_dataframe["score"]) == pytest.approx(STRAIGHT)


def test_what_moves_and_is_read_by_nobody_is_an_error(tmp_path):
    def deaf(config):
        for _ in tune.steps(config, nothing=tune.StateRef(0)):
            tune.report({"score": 1.0})

    with pytest.raises(tune.AllTrialsFailedError, match=r"'lr' changed at iteration \d and nothing"):
        fit(tmp_path, deaf, Courses(), space={"lr": 0.5}, trials=3)


def replay(folder, trainable, schedule):
    (result,) = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(scheduler=tune.PopulationBasedTrainingReplay(schedule)),
        run_config=tune.RunConfig(
            storage_path=folder, executor="inline", verbose=0, stop={"training_iteration": 8}
        ),
    ).fit()
    return result


def test_the_schedule_has_each_value_and_a_replay_trains_with_it(tmp_path):
    first, second = fit(tmp_path, with_steps)
    for result in (first, second):
        values = [result.schedule(iteration)["optimizer"]["lr"] for iteration in range(1, 9)]
        assert values == pytest.approx(STRAIGHT)
    assert len(second.lineage.metrics_dataframe) == 8
    replayed = replay(tmp_path / "again", with_steps, first.schedule)
    assert replayed.metrics["seen"] == pytest.approx(STRAIGHT)
    assert tune.verify(Path(replayed.path).parent).decisions == 1, "no milestone an iteration"
    replayed = replay(tmp_path / "function", as_function, first.schedule)
    assert list(replayed.metrics_dataframe["asked"]) == pytest.approx(STRAIGHT)


def test_a_failure_goes_back_to_the_value_of_its_checkpoint(tmp_path):
    def fails_once(config):
        marker = Path(tmp_path / f"failed {tune.get_context().trial_index}")
        seen = tune.StateRef([])
        for step in tune.steps(config, seen=seen):
            seen.value.append(config["optimizer"]["lr"])
            if step == 6 and not marker.exists():
                marker.touch()
                raise OSError("once")
            tune.report({"score": config["optimizer"]["lr"], "seen": list(seen.value)})

    first, _ = fit(tmp_path, fails_once, failure_config=tune.FailureConfig(max_failures=1))
    assert first.metrics["seen"] == pytest.approx(STRAIGHT)
    assert tune.verify(tmp_path / "run").ok


def test_an_interrupted_run_goes_on_along_its_courses(tmp_path):
    def flat(config):
        seen = tune.StateRef([])
        for _ in tune.steps(config, seen=seen):
            seen.value.append(config["lr"])
            tune.report({"score": config["lr"], "seen": list(seen.value)})

    results = fit(tmp_path, flat, Courses(interval=3.0), stop=9, trials=4, space={"lr": 0.5})
    further = tune.Tuner.restore(results.experiment_path, stop={"training_iteration": 15}).fit()
    for result in further:
        assert result.metrics["seen"] == pytest.approx(
            [result.schedule(iteration)["lr"] for iteration in range(1, 16)]
        )
    assert tune.verify(results.experiment_path).ok


@dataclass(frozen=True, kw_only=True)
class Logged(Annealing):
    @property
    def needs(self):
        from msgspec.structs import replace

        return replace(super().needs, policy_logs=True)


def test_a_policy_file_follows(tmp_path):
    _, second = fit(tmp_path, with_steps, Logged(synch=True))
    (path,) = Path(second.path).parent.glob(f"pbt_policy_{second.trial_id}.txt")
    line = json.loads(path.read_text())
    assert line[6]["time_attr"] == "training_iteration"
    schedule = read_policy(path.read_text())
    assert [schedule(iteration)["optimizer"]["lr"] for iteration in range(1, 9)] == pytest.approx(STRAIGHT)
    line[6]["time_attr"] = "time_total_s"
    with pytest.raises(
        tune.ConfigurationError, match="do with 'time_total_s': replay the schedule of the result"
    ):
        read_policy(json.dumps(line))
    line[6]["time_attr"] = "training_iteration"
    for course, message in [
        ({"nowhere": {"points": [[0, 1.0], [9, 2.0]]}}, "must have a number at 'nowhere'"),
        ({"depth": {"points": [[0, 1.0], [1e300, 2.0]]}}, "must end within 200000 iterations"),
        ({"depth": {"points": []}}, "the times of its points must rise"),
    ]:
        line[6]["course"] = course
        with pytest.raises(tune.ConfigurationError, match=message):
            read_policy(json.dumps(line))
    line[6]["course"] = {"lr": {"points": 3}}
    with pytest.raises(tune.ConfigurationError, match="must end with how its configs move"):
        read_policy(json.dumps(line))
