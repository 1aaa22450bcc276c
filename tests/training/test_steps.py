"""The steps form: in a session whose orders are scripted, and in real runs."""

import gc
import random

import cloudpickle
import numpy as np
import pytest

import poptune as tune
from poptune._keeping.checkpoints import DirectoryStore
from poptune._training.protocol import (
    Assignment,
    CodeFailed,
    CodeReturned,
    Idle,
    ProceedOrder,
    ReleaseOrder,
    Result,
    Terms,
)
from poptune._training.running import run_trial
from poptune._training.session import Session
from poptune._training.trainable import prepare
from poptune.schedulers import PopulationBasedTraining

INTERVAL = 3


class Script:
    """The controller's end of a trial's line: what it answers at each milestone."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.said = []

    def send(self, message):
        self.said.append(message)

    def poll(self):
        return None

    def receive(self):
        return self.answers.pop(0) if self.answers else ReleaseOrder(trial="a")

    @property
    def results(self):
        return [message for message in self.said if isinstance(message, Result)]

    @property
    def error(self):
        [failed] = [message for message in self.said if isinstance(message, CodeFailed)]
        return failed.error


class Trial:
    """Runs a function as a trial that checks in at iteration 3, 6, ...; then it does what it is told."""

    def __init__(self, path):
        self.path = path
        self.store = DirectoryStore(path)
        (path / "a").mkdir()

    def assignment(
        self, config, checkpoint=None, *, iteration=0, incarnation=0, until=INTERVAL, saves=100, **more
    ):
        return Assignment(
            trial="a",
            name="a",
            tag="a",
            folder="a",
            store="a",
            incarnation=incarnation,
            config=cloudpickle.dumps(config),
            checkpoint=checkpoint,
            iteration=iteration,
            age=float(iteration),
            time_total_s=0.0,
            until=until,
            next_save=saves,
            **more,
        )

    def donor(self, state, number=1, config=None):
        """Save a state as another trial's at iteration 6; without a config, all in the next is a mutation."""
        ours = {"format": 1, "iteration": 6, "config": {} if config is None else config}
        state = {**state, "poptune": ours}
        return self.store.save(tune.Checkpoint.from_dict(state), folder="b", number=number).relative_path

    def exploit(self, config, state, *, incarnation=1, number=1, donor=None, **more):
        checkpoint = self.donor(state, number, donor)
        return self.assignment(
            config, checkpoint, iteration=6, incarnation=incarnation, until=9, saves=100 * incarnation, **more
        )

    def run(self, function, config, *answers, start=None, frequency=0, **terms):
        line = Script(answers)
        all_terms = Terms(
            **{
                "experiment_name": "run",
                "experiment_path": str(self.path),
                "stop": {},
                "stop_population": {},
                "time_attr": "training_iteration",
                "metric": None,
                "require_attrs": True,
                "lockstep": False,
                "save_at_milestones": True,
                "checkpoint_frequency": frequency,
                "checkpoint_at_end": True,
                "resources": {},
                **terms,
            }
        )
        session = Session(line, all_terms, start or self.assignment(config), self.store)
        run_trial(prepare(function), session, line)
        assert isinstance(line.said[-1], Idle)
        return line

    def saved(self, number):
        return self.store.open(f"a/checkpoint_{number:06d}", trusted=True).to_dict()


@pytest.fixture
def trial(tmp_path):
    return Trial(tmp_path)


def proceed(until=None, incarnation=0):
    return ProceedOrder(trial="a", incarnation=incarnation, until=until)


class Counter:
    """Live state that can tell what was done to it."""

    def __init__(self, value=0):
        self.value = value
        self.loaded = []

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.loaded.append(state)
        self.value = state["value"]


# The loop


def test_the_loop_yields_the_iteration_of_the_next_result_and_saves_at_milestones(trial):
    steps = []

    def train(config):
        counter = Counter()
        for step in tune.steps(config, counter=counter):
            counter.value += config["add"]
            steps.append(step)
            tune.report({"value": counter.value})

    line = trial.run(train, {"add": 2}, proceed(until=6))
    assert steps == [1, 2, 3, 4, 5, 6]
    assert [result.iteration for result in line.results] == steps
    assert [result.checkpoint for result in line.results] == [None, None, 100, None, None, 101]
    ours = {"format": 1, "iteration": 6, "config": {"add": 2}}
    assert trial.saved(101) == {"counter": {"value": 12}, "poptune": ours}


def test_it_saves_as_often_as_asked_and_at_the_end(trial):
    def train(config):
        for step in tune.steps(config, counter=Counter()):
            tune.report({"step": step})

    line = trial.run(train, {}, frequency=2, stop={"step": 5}, start=trial.assignment({}, until=None))
    assert [result.checkpoint for result in line.results] == [None, 100, None, 101, 102]
    assert line.results[-1].stop == "step reached 5"


def test_on_entry_it_restores_what_the_trial_goes_on_from(trial):
    seen = []

    def train(config):
        counter = Counter()
        for step in tune.steps(config, counter=counter):
            seen.append((step, counter.value, config["add"]))
            tune.report({"x": 1})
            break

    start = trial.exploit({"add": 5}, {"counter": {"value": 30}})
    line = trial.run(train, None, start=start)
    assert seen == [(7, 30, 5)]
    assert isinstance(line.said[-2], CodeReturned)


def test_an_exploit_happens_in_place(trial):
    entered, seen, objects = [], [], set()

    def train(config):
        entered.append(1)
        counter, nested = Counter(), config["nested"]
        for step in tune.steps(config, counter=counter):
            objects.add((id(counter), id(config), id(nested)))
            counter.value += 1
            seen.append((step, counter.value, config["add"], nested["deep"]))
            tune.report({"value": counter.value})

    line = trial.run(
        train,
        {"add": 1, "nested": {"deep": 1}},
        trial.exploit({"add": 2, "nested": {"deep": 3}}, {"counter": {"value": 30}}),
        trial.exploit({"add": 4, "nested": {"deep": 5}}, {"counter": {"value": 50}}, number=2, incarnation=2),
    )
    assert entered == [1]
    assert len(objects) == 1
    assert seen[:4] == [(1, 1, 1, 1), (2, 2, 1, 1), (3, 3, 1, 1), (7, 31, 2, 3)]
    assert seen[5:] == [(9, 33, 2, 3), (7, 51, 4, 5), (8, 52, 4, 5), (9, 53, 4, 5)]
    assert [result.incarnation for result in line.results] == [0] * 3 + [1] * 3 + [2] * 3
    assert {result.metrics["training_iteration"] for result in line.results[3:]} == {7, 8, 9}


def test_state_that_does_not_fit_the_live_objects_has_the_function_entered_anew(trial):
    entered = []

    class Sized(Counter):
        def __init__(self, size):
            super().__init__()
            self.size = size

        def state_dict(self):
            return {"size": self.size, "value": self.value}

        def load_state_dict(self, state):
            if state["size"] != self.size:
                raise ValueError("of another size")
            super().load_state_dict(state)

    def train(config):
        entered.append(config["size"])
        model = Sized(config["size"])
        for _ in tune.steps(config, model=model):
            tune.report({"value": model.value})

    line = trial.run(train, {"size": 1}, trial.exploit({"size": 2}, {"model": {"size": 2, "value": 30}}))
    assert entered == [1, 2]
    assert [result.metrics["value"] for result in line.results[3:]] == [30] * 3


@pytest.mark.parametrize(
    ("donor", "new", "times"),
    [
        ({"lr": 2, "seed": 5}, {"lr": 3, "seed": 5}, 2),
        ({"lr": 2, "seed": 0}, {"lr": 3, "seed": 0}, 1),
        ({"lr": 2, "unread": 5}, {"lr": 3, "unread": 5}, 1),
        ({"lr": 2, "within": 5}, {"lr": 3, "within": 5}, 1),
        ({"net": {"seed": 5}}, {"net": {"seed": 5}}, 2),
    ],
)
def test_a_value_that_is_no_mutation_and_built_the_objects_has_the_function_entered_anew(
    trial, donor, new, times
):
    entered = []

    def train(config):
        entered.append((config["seed"], config["within"], config["net"]["seed"]))
        for _ in tune.steps(config, counter=Counter()):
            config["lr"], config["within"]
            tune.report({"x": 1})

    old = {"lr": 1, "seed": 0, "unread": 0, "within": 0, "net": {"seed": 0}}
    line = trial.run(
        train, old, trial.exploit({**old, **new}, {"counter": {"value": 1}}, donor={**old, **donor})
    )
    assert len(entered) == times
    assert len(line.results) == 6


def test_without_a_checkpoint_the_function_is_entered_anew(trial):
    entered = []

    def train(config):
        entered.append(config["x"])
        for _ in tune.steps(config, counter=Counter()):
            tune.report({"x": 1})

    trial.run(train, {"x": 1}, trial.assignment({"x": 2}, incarnation=1))
    assert entered == [1, 2]


def test_keys_of_the_users_own_stay_in_the_config(trial):
    seen = []

    def train(config):
        config["mine"] = 7
        for _ in tune.steps(config, counter=Counter()):
            seen.append((config["add"], config["mine"]))
            tune.report({"x": 1})

    trial.run(train, {"add": 1}, trial.exploit({"add": 2}, {"counter": {"value": 0}}))
    assert seen == [(1, 7)] * 3 + [(2, 7)] * 3


# What can be forgotten


def forgetful(config):
    for _ in tune.steps(config, counter=Counter()):
        config["lr"]
        tune.report({"x": 1})


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (
            {"lr": 2, "nested": {"wd": 2, "b": 1}},
            "'nested.wd' changed at iteration 6 and nothing in the loop uses it",
        ),
        ({"lr": 2, "nested": {"wd": 2, "b": 2}}, "'nested.wd', 'nested.b' changed"),
    ],
)
def test_a_changed_value_that_nothing_uses_is_named(trial, new, words):
    old = {"lr": 1, "nested": {"wd": 1, "b": 1}}
    line = trial.run(forgetful, old, trial.exploit(new, {"counter": {"value": 0}}))
    assert words in line.error
    assert "TrainingCodeError" in line.error
    assert len(line.results) == 3


def test_a_changed_value_that_is_read_and_an_unchanged_one_that_is_not_are_fine(trial):
    line = trial.run(
        forgetful, {"lr": 1, "wd": 1}, trial.exploit({"lr": 2, "wd": 1}, {"counter": {"value": 0}})
    )
    assert len(line.results) == 6


def test_reading_all_at_once_counts(trial):
    def train(config):
        for _ in tune.steps(config, counter=Counter()):
            row = {**config}
            tune.report(row)

    line = trial.run(train, {"lr": 1}, trial.exploit({"lr": 2}, {"counter": {"value": 0}}))
    assert [result.metrics["lr"] for result in line.results] == [1] * 3 + [2] * 3


@pytest.mark.parametrize(
    "report",
    [
        lambda config: tune.report({"x": 1, "lr": config["lr"]}),
        lambda config: tune.report({**config}),
    ],
)
def test_a_value_that_is_handed_on_whole_may_be_used_by_whoever_gets_it(trial, report):
    def train(config):
        for _ in tune.steps(config, counter=Counter()):
            report(config)

    line = trial.run(train, {"lr": 1}, trial.exploit({"lr": 2}, {"counter": {"value": 0}}))
    assert len(line.results) == 6


def reported_by_key(config):
    for _ in tune.steps(config, counter=Counter()):
        tune.report({"x": 1, "lr": config["lr"]})


def reported_all_at_once(config):
    for _ in tune.steps(config, counter=Counter()):
        tune.report({"x": 1, **config})


def reported_by_get(config):
    for _ in tune.steps(config, counter=Counter()):
        tune.report(
            {
                "x": 1,
                "lr": config.get("lr"),
            }
        )


@pytest.mark.parametrize("train", [reported_by_key, reported_all_at_once, reported_by_get])
def test_a_value_that_is_read_for_the_report_alone_is_named(trial, train):
    line = trial.run(train, {"lr": 1}, trial.exploit({"lr": 2}, {"counter": {"value": 0}}))
    assert "'lr' changed at iteration 6 and nothing in the loop uses it" in line.error


def test_a_value_that_the_reported_metric_is_computed_from_is_used(trial):
    def train(config):
        for step in tune.steps(config, counter=Counter()):
            tune.report({"x": config["lr"] * step})

    line = trial.run(train, {"lr": 1}, trial.exploit({"lr": 2}, {"counter": {"value": 0}}))
    assert len(line.results) == 6


class Keeper:
    def __init__(self, config):
        self.config = config

    def use(self):
        return self.config["lr"]


def test_a_value_may_be_used_by_an_object_that_has_kept_the_config(trial):
    def train(config):
        keeper = Keeper(config)
        for _ in tune.steps(config, counter=Counter()):
            tune.report({"x": keeper.use()})

    line = trial.run(train, {"lr": 1}, trial.exploit({"lr": 2}, {"counter": {"value": 0}}))
    assert [result.metrics["x"] for result in line.results] == [1] * 3 + [2] * 3


class Builder:
    def __init__(self, config):
        self.width = config["lr"]


def test_a_value_that_built_an_object_which_has_not_kept_the_config_is_named(trial):
    def train(config):
        builder = Builder(config)
        for _ in tune.steps(config, counter=Counter()):
            tune.report({"x": builder.width})

    line = trial.run(train, {"lr": 1}, trial.exploit({"lr": 2}, {"counter": {"value": 0}}))
    assert "'lr' changed at iteration 6 and nothing in the loop uses it" in line.error


def test_a_read_between_the_report_and_the_end_of_the_body_counts(trial):
    def train(config):
        for _ in tune.steps(config, counter=Counter()):
            tune.report({"x": 1})
            config["lr"]

    line = trial.run(train, {"lr": 1}, trial.exploit({"lr": 2}, {"counter": {"value": 0}}))
    assert len(line.results) == 6


# Reports


def test_an_iteration_without_a_report_is_an_error(trial):
    def train(config):
        for step in tune.steps(config, counter=Counter()):
            if step < 2:
                tune.report({"x": 1})

    line = trial.run(train, {})
    assert "must report once, but iteration 2 has ended without: call tune.report" in line.error


@pytest.mark.parametrize("first", [1, 3])
def test_a_second_report_in_an_iteration_is_an_error(trial, first):
    def train(config):
        for step in tune.steps(config, counter=Counter()):
            tune.report({"x": 1})
            if step == first:
                tune.report({"x": 2})

    line = trial.run(train, {}, trial.exploit({}, {"counter": {"value": 0}}))
    assert "must report once, but" in line.error
    assert "reports again: put all its metrics into one report()" in line.error
    assert len(line.results) == first


def test_a_refused_report_may_be_mended(trial):
    def train(config):
        for _ in tune.steps(config, counter=Counter()):
            with pytest.raises(tune.TrainableError, match="'x' must be"):
                tune.report({"x": object()})
            tune.report({"x": 1})

    assert len(trial.run(train, {}).results) == 3


def test_a_report_with_a_checkpoint_is_an_error(trial):
    def train(config):
        for _ in tune.steps(config, counter=Counter()):
            tune.report({"x": 1}, checkpoint=tune.Checkpoint.from_dict({}))

    assert "saved without your doing" in trial.run(train, {}).error


def test_who_swallows_the_end_is_not_told_of_reports(trial):
    def train(config):
        for _ in tune.steps(config, counter=Counter()):
            try:
                tune.report({"x": 1})
            except BaseException:  # noqa: BLE001
                tune.report({"x": 1})

    line = trial.run(train, {})
    assert not any(isinstance(message, CodeFailed) for message in line.said)


# One loop at a time


def test_a_second_loop_within_one_is_an_error(trial):
    def train(config):
        for _ in tune.steps(config, counter=Counter()):
            for _ in tune.steps(config, other=Counter()):
                tune.report({"x": 1})

    assert "One loop over steps() may run at a time" in trial.run(train, {}).error


def test_one_loop_may_follow_another_and_reports_after_a_loop_are_free(trial):
    def train(config):
        loop = tune.steps(config, counter=Counter(1))
        for _ in loop:
            tune.report({"x": 1})
            break
        loop.close()
        tune.report({"x": 2}, checkpoint=tune.Checkpoint.from_dict({"mine": 1}))
        for _ in tune.steps(config, counter=Counter(2)):
            tune.report({"x": 3})

    line = trial.run(train, {})
    assert [result.metrics["x"] for result in line.results] == [1, 2, 3]
    assert trial.saved(101)["counter"] == {"value": 2}


def test_a_loop_that_is_kept_after_a_break_does_no_harm_to_the_next_entry(trial):
    kept = []

    def train(config):
        kept.append(tune.steps(config, counter=Counter()))
        for step in kept[-1]:
            tune.report({"x": 1})
            if step == 7:
                break
            if len(kept) == 2:
                kept.pop(0).close()
                gc.collect()

    start = trial.exploit({"x": 1}, {"counter": {"value": 1}})
    line = trial.run(
        train, {"x": 1}, trial.assignment({"x": 2}, incarnation=1), start=trial.assignment({"x": 1})
    )
    assert len(line.results) == 6
    assert line.results[-1].checkpoint is not None
    del start


# What is refused


class HalfStateful:
    def state_dict(self):
        return {}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (tune.steps, "given no state"),
        (
            lambda c: tune.steps(c, weight=3.0),
            r"weight of type float lacks.*weight = tune.StateRef\(weight\)",
        ),
        (lambda c: tune.steps(c, half=HalfStateful()), "half of type HalfStateful lacks"),
        (lambda c: tune.steps(c, kind=Counter), "kind of type type lacks"),
        (lambda c: tune.steps(c, poptune=Counter()), "The name 'poptune' is taken"),
        (
            lambda c: tune.steps(dict(c), counter=Counter()),
            "the very dict.*got another dict: pass config itself",
        ),
        (lambda c: tune.steps(3, counter=Counter()), "got another int"),
    ],
)
def test_what_cannot_work_is_refused_before_training(trial, call, words):
    def train(config):
        with pytest.raises(tune.TrainableError, match=words):
            call(config)
        tune.report({"x": 1})

    assert len(trial.run(train, {"lr": 1}).results) == 1


def test_outside_a_trial_there_is_nobody_to_loop_for():
    with pytest.raises(tune.TrainableError, match=r"steps\(\) works inside a trial only.*Tuner"):
        tune.steps({}, counter=Counter())


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"other": {"value": 1}}, r"lacks \['counter'\] and also holds \['other'\]"),
        ({"counter": {"value": 1}, "b": 1, "a": 1}, r"it also holds \['a', 'b'\]"),
        ({}, r"it lacks \['counter'\]: name the same states"),
    ],
)
def test_a_checkpoint_with_other_states_is_an_error_that_names_them(trial, state, words):
    import re

    line = trial.run(forgetful, None, start=trial.exploit({"lr": 1}, state))
    assert re.search(words, line.error), line.error


def test_a_checkpoint_of_another_form_is_an_error(trial):
    stored = trial.store.save(tune.Checkpoint.from_dict({"model": 1}), folder="b", number=1)
    line = trial.run(
        forgetful, None, start=trial.assignment({"lr": 1}, stored.relative_path, iteration=6, until=9)
    )
    assert "was saved otherwise, with the keys ['model']" in line.error


def test_an_error_while_restoring_says_which_state_it_was(trial):
    line = trial.run(forgetful, None, start=trial.exploit({"lr": 1}, {"counter": {"wrong": 1}}))
    assert "KeyError: 'value'" in line.error
    assert "steps() restored the state 'counter'" in line.error


# The function form


# Real runs


def fit(path, train, *, executor="processes", iterations=12, custom_explore_fn=None, **space):
    return tune.Tuner(
        train,
        param_space={"lr": tune.loguniform(0.001, 0.4), **space},
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            num_samples=4,
            seed=1,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=2,
                hyperparam_mutations={"lr": tune.loguniform(0.001, 0.4)},
                custom_explore_fn=custom_explore_fn,
                synch=True,
            ),
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=path,
            verbose=0,
            executor=executor,
            stop={"training_iteration": iterations},
        ),
    ).fit()


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_in_a_real_run_the_function_is_entered_once_a_trial_however_often_it_exploits(tmp_path, executor):
    entries = tmp_path / "entries"

    def train(config):
        with entries.open("a") as file:
            print("entered", file=file)
        weight = tune.StateRef(np.full(3, 10.0))
        first = id(weight)
        for _ in tune.steps(config, weight=weight, random=tune.RandomState()):
            weight.value -= 2 * config["lr"] * weight.value
            tune.report(
                {"loss": float(weight.value @ weight.value), "lr": config["lr"], "same": first == id(weight)}
            )

    results = fit(tmp_path, train, executor=executor)
    assert results.num_errors == 0
    exploits = (tmp_path / "run" / "pbt_global.txt").read_text().splitlines()
    assert len(exploits) == 5
    assert len(entries.read_text().splitlines()) == 4
    best = results.get_best_result()
    state = best.checkpoint.to_dict()
    assert state["weight"] @ state["weight"] == best.metrics["loss"]
    assert state["poptune"]["iteration"] == 12
    for result in results:
        rows = result.metrics_dataframe
        assert rows["same"].all()
        changes = [config["lr"] for _, config in result.schedule.changes]
        assert set(changes) <= {
            *rows["lr"],
            *(row for other in results for row in other.metrics_dataframe["lr"]),
        }
        stitched = result.lineage.metrics_dataframe
        assert list(stitched["training_iteration"]) == list(range(1, 13))
        ratios = np.sqrt(stitched["loss"].to_numpy()[1:] / stitched["loss"].to_numpy()[:-1])
        assert np.allclose(ratios, 1 - 2 * stitched["lr"].to_numpy()[1:]), "each step took the lr of its time"


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_after_a_failure_a_trial_goes_on_exactly(tmp_path, executor):
    flag = tmp_path / "failed"

    def train(config):
        random.seed(5)
        np.random.seed(5)
        walk = tune.StateRef(0.0)
        for step in tune.steps(config, walk=walk, random=tune.RandomState()):
            if step == 6 and config["fails"] and not flag.exists():
                flag.touch()
                raise OSError("once")
            walk.value += random.random() + np.random.random()
            tune.report({"loss": walk.value})

    for fails in (False, True):
        results = tune.Tuner(
            train,
            param_space={"fails": fails},
            run_config=tune.RunConfig(
                name="run",
                storage_path=tmp_path / str(fails),
                verbose=0,
                executor=executor,
                stop={"training_iteration": 9},
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=4),
                failure_config=tune.FailureConfig(max_failures=1),
            ),
        ).fit()
        assert results.num_errors == 0
    assert flag.exists()
    whole, mended = (
        tune.ResultGrid.from_path(tmp_path / str(fails) / "run")[0].lineage.metrics_dataframe
        for fails in (False, True)
    )
    assert list(whole["loss"]) == list(mended["loss"])


class Gear:
    """Pickled by rules of its own, which know nothing of who else refers to its wheel."""

    def __init__(self, wheel):
        self.wheel = wheel

    def __reduce__(self):
        return _gear, (self.wheel.turns,)


class Wheel:
    def __init__(self, turns):
        self.turns = turns


def _gear(turns):
    return Gear(Wheel(turns))


def test_an_object_that_another_state_holds_is_that_ones_after_a_restore(trial):
    def train(config):
        gear = Gear(Wheel(0))
        gear, wheel = tune.StateRef(gear), tune.StateRef(gear.wheel)
        for _ in tune.steps(config, gear=gear, wheel=wheel):
            wheel.value.turns += 1
            tune.report({"same": wheel.value is gear.value.wheel, "turns": gear.value.wheel.turns})

    donors = Gear(Wheel(30))
    state = {"gear": donors, "wheel": donors.wheel}
    line = trial.run(train, {}, trial.exploit({}, state))
    assert [result.metrics["same"] for result in line.results] == [True] * 6
    assert [result.metrics["turns"] for result in line.results] == [1, 2, 3, 31, 32, 33]


def test_the_config_is_a_plain_dict_before_and_after_an_exploit_in_place(trial):
    kinds = []

    def train(config):
        for _ in tune.steps(config, counter=Counter()):
            kinds.extend([type(config), type(config["net"]), type(config["net"]["deep"])])
            tune.report({"x": 1})

    old, new = {"net": {"deep": {"a": 1}}}, {"net": {"deep": {"a": 2}}}
    line = trial.run(train, old, trial.exploit(new, {"counter": {"value": 0}}))
    assert len(line.results) == 6
    assert set(kinds) == {dict}


class Trainer:
    def __init__(self, config):
        self.config = config
        self.weight = tune.StateRef(0.0)

    def step(self):
        self.weight.value += self.config["lr"]
        return self.weight.value

    def loop(self, config):
        for _ in tune.steps(config, weight=self.weight):
            tune.report({"loss": self.step()})


def in_a_method(config):
    Trainer(config).loop(config)


def own_steps(config, **state):
    yield from tune.steps(config, **state)


def in_a_wrapper_of_steps(config):
    trainer = Trainer(config)
    for _ in own_steps(config, weight=trainer.weight):
        trainer.weight.value += config["lr"]
        tune.report({"loss": trainer.weight.value})


def with_a_count_of_explorations(config):
    trainer = Trainer(config)
    for _ in tune.steps(config, weight=trainer.weight):
        tune.report({"loss": trainer.step(), "explored": config.get("explored", 0)})


def counted(config):
    return {**config, "explored": config.get("explored", 0) + 1}


@pytest.mark.parametrize("train", [in_a_method, in_a_wrapper_of_steps, with_a_count_of_explorations])
def test_a_loop_whose_config_others_have_too_or_that_holds_bookkeeping_is_not_refused(tmp_path, train):
    results = fit(tmp_path, train, executor="inline", custom_explore_fn=counted)
    assert not results.num_errors, results.errors
    assert max(result.config.get("explored", 0) for result in results) >= 2
