from __future__ import annotations

import inspect
import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import poptune as tune
from poptune._base.types import Config, Mode, TrialId
from poptune._core.events import Planned
from poptune._core.experiment import Experiment
from poptune._core.scheduler import Decision, Keep, Load, Run
from poptune._core.settings import Settings
from poptune.errors import ConfigurationError
from poptune.schedulers import Explored, Explorer, KeepOwn, PopulationBasedTraining
from poptune.schedulers.copying import NO_CHECKPOINT, STALE_CHECKPOINT
from poptune.testing.simulation import SimulatedWorkers, World, created

T = [TrialId(f"sim_{index:05d}") for index in range(40)]


def pbt(**changes: Any) -> PopulationBasedTraining:
    arguments = {
        "time_attr": "training_iteration",
        "metric": "score",
        "mode": "max",
        "perturbation_interval": 2,
        "hyperparam_mutations": {"lr": tune.uniform(0, 1)},
        "synch": True,
    }
    return PopulationBasedTraining(**(arguments | changes))


class Round:
    """A population that trains, all in memory, up to its first milestone and one result at a time."""

    def __init__(
        self,
        scheduler: PopulationBasedTraining,
        population: int,
        *,
        configs: Sequence[Config] | None = None,
        seed: int = 0,
        mode: Mode = "max",
    ) -> None:
        needs = scheduler.needs
        self.experiment = Experiment(scheduler, Settings(slots=population))
        self.workers = SimulatedWorkers(needs.time_attr, needs.metric or "score")
        self.decisions: list[Decision] = []
        self.handle(
            created(
                configs or [{"lr": 0.1 * (index + 1)} for index in range(population)],
                metric=needs.metric,
                mode=mode,
                time_attr=needs.time_attr,
                seed=seed,
            )
        )
        self.first, self.decisions = self.decisions, []

    def handle(self, event) -> None:
        step = self.experiment.handle(event)
        self.workers.carry_out(step.commands)
        for record in step.events:
            if isinstance(record, Planned):
                self.decisions.extend(record.plan.decisions)

    def report(self, index: int, score: float, *, save: bool = True, **options: Any) -> None:
        self.handle(self.workers.report(T[index], score, save=save, **options))

    def config(self, index: int) -> Config:
        return self.experiment.population[T[index]].config


def decide(scheduler: PopulationBasedTraining, scores: Sequence[float], **options: Any) -> list[Decision]:
    """Return what is decided when all trials meet at their first milestone with these scores."""
    together = Round(scheduler, len(scores), **options)
    for _ in range(int(scheduler.perturbation_interval)):
        for index, score in enumerate(scores):
            together.report(index, score)
    return together.decisions


def copying(decisions: Sequence[Decision]) -> dict[int, int]:
    return {T.index(d.trial): T.index(d.donor) for d in decisions if d.donor is not None}


def test_the_arguments_stand_in_the_order_of_ray_with_its_defaults() -> None:
    parameters = inspect.signature(PopulationBasedTraining).parameters
    positional = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name != "self"
    }
    assert list(positional.items()) == [
        ("time_attr", "time_total_s"),
        ("metric", None),
        ("mode", None),
        ("perturbation_interval", 60.0),
        ("burn_in_period", 0.0),
        ("hyperparam_mutations", None),
        ("quantile_fraction", 0.25),
        ("resample_probability", 0.25),
        ("perturbation_factors", (1.2, 0.8)),
        ("custom_explore_fn", None),
        ("log_config", True),
        ("require_attrs", True),
        ("synch", False),
    ]
    keyword_only = {name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert keyword_only == {"selector", "explorer", "respect_bounds"}


MUTATIONS = {"lr": [1, 2]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"perturbation_interval": 0}, "perturbation_interval must be greater than 0, got 0"),
        ({"perturbation_interval": -1.5}, "perturbation_interval must be greater than 0, got -1.5"),
        ({"perturbation_interval": math.nan}, "perturbation_interval must be greater than 0, got nan"),
        ({"perturbation_interval": "5"}, "perturbation_interval must be greater than 0, got '5'"),
        ({"burn_in_period": -1}, "burn_in_period must be at least 0, got -1"),
        ({"quantile_fraction": 0.6}, "quantile_fraction must be from 0 to 0.5, got 0.6"),
        ({"quantile_fraction": -0.1}, "quantile_fraction must be from 0 to 0.5, got -0.1"),
        ({"resample_probability": 1.1}, "resample_probability must be from 0 to 1, got 1.1"),
        ({"resample_probability": -0.1}, "resample_probability must be from 0 to 1, got -0.1"),
        ({"perturbation_factors": ()}, r"perturbation_factors must be a tuple .*, got \(\)"),
        ({"perturbation_factors": (1.2, 0)}, r"positive numbers, .* got \(1.2, 0\)"),
        ({"perturbation_factors": (1.2, -0.8)}, r"positive numbers, .* got \(1.2, -0.8\)"),
        ({"perturbation_factors": 1.2}, "perturbation_factors must be a tuple .* got 1.2"),
        ({"mode": "best"}, 'mode must be "min" or "max", got \'best\''),
        ({"hyperparam_mutations": None}, "needs something to explore"),
        ({"hyperparam_mutations": {}}, "needs something to explore"),
        ({"hyperparam_mutations": [1]}, "hyperparam_mutations must be a dict"),
        ({"hyperparam_mutations": {"lr": 0.1}}, "The mutation of 'lr' must be"),
        ({"hyperparam_mutations": {"a": {"lr": tune.sample_from(lambda s: 1)}}}, "The mutation of 'a.lr'"),
        ({"hyperparam_mutations": {"a": {"b": {"lr": tune.grid_search([1])}}}}, "mutation of 'a.b.lr'"),
    ],
)
def test_an_argument_out_of_its_range_is_an_error_with_the_value(arguments, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        PopulationBasedTraining(**({"hyperparam_mutations": MUTATIONS} | arguments))
    assert issubclass(ConfigurationError, ValueError)


def test_a_misspelt_argument_names_the_right_one() -> None:
    with pytest.raises(TypeError, match="did you mean 'perturbation_interval'"):
        PopulationBasedTraining(perturbation_intervall=3, hyperparam_mutations=MUTATIONS)


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        ((None, None), ("loss", "min"), ("loss", "min")),
        (("loss", "min"), (None, None), ("loss", "min")),
        (("loss", "min"), ("loss", "min"), ("loss", "min")),
        (("loss", None), (None, "max"), ("loss", "max")),
    ],
)
def test_metric_and_mode_come_from_either_place(own, given, expected) -> None:
    needs = pbt(metric=own[0], mode=own[1]).for_metric(*given).needs
    assert (needs.metric, needs.mode) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("accuracy", None), "metric must be the same in TuneConfig and PopulationBasedTraining, got 'acc"),
        (("score", "min"), "mode must be the same in TuneConfig and PopulationBasedTraining, got 'min'"),
    ],
)
def test_two_places_that_differ_are_an_error(given, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        pbt().for_metric(*given)


@pytest.mark.parametrize(("metric", "mode"), [(None, "max"), ("loss", None), (None, None)])
def test_without_a_metric_and_a_mode_there_is_nothing_to_rank_by(metric, mode) -> None:
    with pytest.raises(ConfigurationError, match="needs a metric and a mode"):
        pbt(metric=None, mode=None).for_metric(metric, mode)


def test_what_it_needs_of_results_is_what_it_was_told() -> None:
    needs = pbt(time_attr="epoch", require_attrs=False).needs
    assert (needs.time_attr, needs.metric, needs.mode, needs.require_attrs) == (
        "epoch",
        "score",
        "max",
        False,
    )
    assert pbt().needs.require_attrs
    assert needs.checkpoints


def test_at_the_start_what_the_space_lacks_is_sampled_from_the_mutations() -> None:
    scheduler = pbt(hyperparam_mutations={"lr": [7], "net": {"depth": lambda: 3, "width": [64]}})
    together = Round(scheduler, 2, configs=[{"lr": 1}, {"net": {"width": 1}, "rest": "r"}])
    assert [decision.config for decision in together.first] == [
        {"lr": 1, "net": {"depth": 3, "width": 64}},
        {"lr": 7, "net": {"depth": 3, "width": 1}, "rest": "r"},
    ]
    assert {decision.next for decision in together.first} == {Run(until=2, barrier="perturbation")}
    assert {type(decision.source) for decision in together.first} == {Keep}


def test_initial_samples_differ_between_trials_and_between_seeds() -> None:
    drawn = {
        Round(pbt(), 3, configs=[{}, {}, {}], seed=seed).config(index)["lr"]
        for seed in range(3)
        for index in range(3)
    }
    assert len(drawn) == 9


def test_the_lowest_quarter_copies_the_highest() -> None:
    decisions = decide(pbt(), [3.0, 1.0, 4.0, 2.0])
    assert copying(decisions) == {1: 2}
    assert [type(decision.source) for decision in decisions] == [Keep, Load, Keep, Keep]


def test_the_mode_says_which_scores_are_low() -> None:
    assert copying(decide(pbt(mode="min"), [3.0, 1.0, 4.0, 2.0], mode="min")) == {2: 1}


def test_the_metric_says_what_is_ranked_by() -> None:
    together = Round(pbt(metric="other"), 2)
    for _ in range(2):
        for index, (score, other) in enumerate([(1.0, 2.0), (2.0, 1.0)]):
            together.report(index, other, extra={"score": score})
    assert copying(together.decisions) == {1: 0}


@pytest.mark.parametrize(("q", "recipients"), [(0.0, 0), (0.1, 1), (0.25, 2), (0.5, 4)])
def test_the_quantile_fraction_says_how_many_copy(q: float, recipients: int) -> None:
    decisions = decide(pbt(quantile_fraction=q), [float(index) for index in range(8)])
    assert len(copying(decisions)) == recipients


def test_a_recipient_takes_the_donors_whole_config_and_only_mutated_keys_are_explored() -> None:
    configs = [{"lr": 0.5, "model": "good", "net": {"depth": 3}}, {"lr": 0.1, "extra": "gone"}]
    copied = decide(pbt(resample_probability=0.0), [2.0, 1.0], configs=configs)[1]
    assert copied.config["lr"] in {0.6, 0.4}
    assert {**copied.config, "lr": None} == {"lr": None, "model": "good", "net": {"depth": 3}}


def explored(**changes: Any) -> set[float]:
    configs = [{"lr": 0.5}, {"lr": 0.1}]
    return {
        decide(pbt(**changes), [2.0, 1.0], configs=configs, seed=seed)[1].config["lr"] for seed in range(30)
    }


def test_the_factors_say_by_how_much() -> None:
    assert explored(resample_probability=0.0) == {0.6, 0.4}
    assert explored(resample_probability=0.0, perturbation_factors=(1.5,)) == {0.75}


def test_the_resample_probability_says_how_often_a_value_is_drawn_afresh() -> None:
    assert len(explored(resample_probability=1.0)) == 30
    assert 2 < len(explored(resample_probability=0.25)) < 20


def test_bounds_are_kept_unless_told_otherwise() -> None:
    changes = {"resample_probability": 0.0, "perturbation_factors": (4.0,)}
    assert explored(**changes) == {1.0}
    assert explored(**changes, respect_bounds=False) == {2.0}


def test_the_custom_function_has_the_last_word() -> None:
    assert explored(custom_explore_fn=lambda config: {"lr": config["lr"] + 100}) > {100.6, 100.4}
    only = explored(hyperparam_mutations=None, custom_explore_fn=lambda config: {"lr": config["lr"] * 3})
    assert only == {1.5}


def test_another_explorer_takes_the_place_of_the_default() -> None:
    @dataclass(frozen=True)
    class Ten(Explorer[None]):
        def explore(self, state, population, copy, draw) -> Explored:
            return Explored({"lr": 10.0 + draw("lr").integers(2)})

    assert explored(explorer=Ten(), hyperparam_mutations=None) == {10.0, 11.0}


def test_another_selector_takes_the_place_of_the_default() -> None:
    decisions = decide(pbt(selector=KeepOwn()), [2.0, 1.0])
    assert [decision.source.checkpoint.trial for decision in decisions] == [T[0], T[1]]
    assert copying(decisions) == {}
    assert [decision.reason for decision in decisions] == ["explores", "explores"]


def milestones(scheduler: PopulationBasedTraining, *, iterations: int = 12, **world: Any) -> list[int]:
    machine = Experiment(scheduler, Settings(slots=1))
    found = []

    def train(trial, iteration, config) -> float:
        found.append((iteration, trial.decisions))
        return 0.0

    needs = scheduler.needs
    driven = World(machine, train, iterations=iterations, **world)
    driven.run(created([{"lr": 0.1}], time_attr=needs.time_attr))
    return [iteration for (iteration, before), (_, after) in itertools.pairwise(found) if after > before]


def test_the_interval_says_when_a_trial_checks_in() -> None:
    assert milestones(pbt(perturbation_interval=3)) == [3, 6, 9]
    assert milestones(pbt(perturbation_interval=5, synch=False)) == [5, 10]


@pytest.mark.parametrize(("burn_in", "expected"), [(0, [3, 6, 9]), (2, [3, 6, 9]), (4, [4, 7, 10]), (9, [9])])
def test_nothing_is_decided_during_the_burn_in(burn_in: int, expected: list[int]) -> None:
    found = milestones(pbt(perturbation_interval=3, burn_in_period=burn_in), iterations=12)
    assert found == expected


def test_time_may_be_measured_in_another_attribute() -> None:
    scheduler = pbt(time_attr="time_total_s", perturbation_interval=60.0)
    assert milestones(scheduler, duration_s=lambda trial, iteration: 25.0) == [3, 6, 9]
    assert milestones(scheduler, duration_s=lambda trial, iteration: 70.0) == list(range(1, 12))


def test_the_next_milestone_of_a_recipient_is_one_interval_after_the_checkpoint() -> None:
    together = Round(pbt(synch=False, perturbation_interval=4), 2)
    for save in (True, True, True, False, False, True, False):
        together.report(0, 2.0, save=save)
    for _ in range(4):
        together.report(1, 1.0)
    last = together.decisions[-1]
    assert last.source.checkpoint.iteration == 6
    assert last.next == Run(until=10)


def test_asynchronous_decisions_are_taken_one_by_one_with_the_last_scores_of_the_others() -> None:
    together = Round(pbt(synch=False), 2)
    together.report(0, 1.0)
    together.report(0, 1.0)
    assert copying(together.decisions) == {}, "alone with a score, it copies nobody"
    together.report(1, 5.0)
    together.report(0, 1.0)
    together.report(0, 1.0)
    assert copying(together.decisions) == {0: 1}
    assert together.decisions[-1].next.barrier is None


def test_a_decision_tells_what_it_was_based_on() -> None:
    together = Round(pbt(synch=False), 2, configs=[{"lr": 0.5}, {"lr": 0.1}])
    together.report(0, 2.0)
    together.report(0, 3.0)
    together.report(0, 4.0, save=False)
    together.report(1, 0.5)
    together.report(1, 1.0)
    went_on, copied = together.decisions
    assert went_on.reason == "not among the lowest"
    assert went_on.seen == {"own": 3.0}
    assert copied.reason == f"among the lowest; copies {T[0]}"
    assert copied.seen == {"own": 1.0, "donor": 4.0, "checkpoint": 3.0}
    assert (copied.iteration, copied.donor_config) == (2, {"lr": 0.5})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_trial_whose_score_is_not_finite_copies_and_never_donates(bad: float) -> None:
    scores = [1.0, bad, 2.0, bad, bad]
    found = copying(decide(pbt(), scores))
    assert set(found) == {1, 3, 4}
    assert set(found.values()) <= {2, 0}
    assert bad not in [scores[donor] for donor in found.values()]


def test_a_trial_that_left_neither_donates_nor_counts() -> None:
    together = Round(pbt(), 3)
    together.report(2, 9.0, stop="enough")
    for _ in range(2):
        for index, score in enumerate([2.0, 1.0]):
            together.report(index, score)
    assert copying(together.decisions) == {1: 0}


def test_a_donor_without_a_checkpoint_is_told_once_and_the_trial_goes_on() -> None:
    together = Round(pbt(), 2)
    for _ in range(4):
        for index, score in enumerate([2.0, 1.0]):
            together.report(index, score, save=False)
    assert {decision.reason for decision in together.decisions if decision.trial == T[1]} == {
        f"donor {T[0]} has no checkpoint"
    }
    assert {type(decision.source) for decision in together.decisions} == {Keep}
    assert together.workers.warnings == [NO_CHECKPOINT]


def test_a_donor_that_had_no_milestone_yet_is_no_cause_for_a_warning() -> None:
    together = Round(pbt(synch=False), 2)
    together.report(0, 2.0, save=False)
    for _ in range(2):
        together.report(1, 1.0)
    assert together.decisions[-1].reason == f"donor {T[0]} has no checkpoint"
    assert together.workers.warnings == []


def test_a_checkpoint_older_than_the_donors_milestone_is_told() -> None:
    together = Round(pbt(), 2)
    for save in (True, False):
        for index, score in enumerate([2.0, 1.0]):
            together.report(index, score, save=save)
    assert copying(together.decisions) == {1: 0}
    assert together.decisions[1].source.checkpoint.iteration == 1
    assert together.workers.warnings == [STALE_CHECKPOINT]


def test_a_donor_that_trains_on_from_a_milestone_which_it_did_not_save_is_told_too() -> None:
    together = Round(pbt(synch=False), 2)
    for save in (True, False, False):
        together.report(0, 2.0, save=save)
    for _ in range(2):
        together.report(1, 1.0)
    assert copying(together.decisions) == {1: 0}
    assert together.workers.warnings == [STALE_CHECKPOINT]


def test_before_its_next_milestone_a_donor_need_not_save() -> None:
    together = Round(pbt(synch=False, burn_in_period=4), 2)
    for save in (True, False, False):
        together.report(0, 2.0, save=save)
    for _ in range(4):
        together.report(1, 1.0)
    assert copying(together.decisions) == {1: 0}
    assert together.workers.warnings == []


@settings(max_examples=60, deadline=None)
@given(
    durations=st.lists(st.floats(0.01, 90), min_size=1, max_size=12),
    burn_in=st.sampled_from([0.0, 200.0]),
)
def test_a_donor_that_always_saves_is_never_called_stale(durations, burn_in: float) -> None:
    """Seconds are rounded when they are added up; that alone must not look like a missed save."""
    scheduler = pbt(time_attr="time_total_s", perturbation_interval=60.0, burn_in_period=burn_in, synch=False)
    together = Round(scheduler, 2)
    for duration_s in durations:
        together.report(0, 2.0, duration_s=duration_s)
    for _ in range(3):
        together.report(1, 1.0, duration_s=100.0)
    assert copying(together.decisions)[1] == 0
    assert together.workers.warnings == []


@settings(max_examples=40, deadline=None)
@given(st.permutations([0, 1, 2, 3, 4]), st.sampled_from([0.2, 0.25]))
def test_permuting_the_trials_permutes_the_decisions(order: list[int], q: float) -> None:
    scores = [5.0, 1.0, 4.0, 2.0, 3.0]
    scheduler = pbt(quantile_fraction=q / 2, perturbation_factors=(1.2,), resample_probability=0.0)

    def by_score(of: Sequence[float]) -> dict[float, tuple[float | None, Any]]:
        configs = [{"lr": score / 10} for score in of]
        decisions = decide(scheduler, of, configs=configs)
        return {
            of[T.index(d.trial)]: (None if d.donor is None else of[T.index(d.donor)], d.config)
            for d in decisions
        }

    assert by_score([scores[place] for place in order]) == by_score(scores)


def test_the_draws_of_a_trial_do_not_depend_on_what_others_do() -> None:
    scores = [float(index) for index in range(8)]
    scheduler = pbt(hyperparam_mutations={"lr": tune.uniform(0, 1), "wd": [1, 2, 3, 4]})
    configs = [{"lr": 0.5, "wd": 2}] * 8
    expected = {d.trial: (d.donor, d.config) for d in decide(scheduler, scores, configs=configs)}
    alone = Round(scheduler, 8, configs=configs)
    random.seed(1)
    for _ in range(2):
        for index in sorted(range(8), key=lambda _: random.random()):
            alone.report(index, scores[index])
    assert {d.trial: (d.donor, d.config) for d in alone.decisions} == expected


def test_each_key_and_each_decision_has_draws_of_its_own() -> None:
    scheduler = pbt(
        hyperparam_mutations={"lr": tune.uniform(0, 1), "wd": tune.uniform(0, 1)}, resample_probability=1.0
    )
    together = Round(scheduler, 2, configs=[{"lr": 0.5, "wd": 0.5}] * 2)
    for _ in range(6):
        for index, score in enumerate([2.0, 1.0]):
            together.report(index, score)
    drawn = [d.config[key] for d in together.decisions if d.config for key in ("lr", "wd")]
    assert len(drawn) == 6
    assert len(set(drawn)) == 6


def test_it_says_how_it_goes() -> None:
    scheduler = pbt()
    together = Round(scheduler, 2)
    for _ in range(2):
        for index, score in enumerate([2.0, 1.0]):
            together.report(index, score)
    assert together.experiment.describe() == (
        "PBT, synchronous: 1 exploits, one milestone every 2 training_iteration"
    )
    assert Round(pbt(synch=False), 2).experiment.describe().startswith("PBT, asynchronous: 0 exploits")


def _climb(config: Mapping[str, Any]) -> None:
    checkpoint = tune.get_checkpoint()
    step = checkpoint.to_dict()["step"] if checkpoint else 0
    while True:
        step += 1
        tune.report({"score": config["lr"]}, checkpoint=tune.Checkpoint.from_dict({"step": step}))


@pytest.mark.parametrize("log_config", [True, False])
def test_the_perturbation_logs_are_written_unless_told_otherwise(tmp_path, log_config: bool) -> None:
    results = tune.Tuner(
        _climb,
        param_space={"lr": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(num_samples=2, seed=0, scheduler=pbt(log_config=log_config)),
        run_config=tune.RunConfig(
            name="logs",
            storage_path=tmp_path,
            executor="inline",
            verbose=0,
            stop={"training_iteration": 4},
        ),
    ).fit()
    assert not results.errors
    written = {path.name[:11] for path in (tmp_path / "logs").glob("pbt_*.txt")}
    assert written == ({"pbt_global.", "pbt_policy_"} if log_config else set())
