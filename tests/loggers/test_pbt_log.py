from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import poptune as tune
from poptune._base.types import TrialId
from poptune._core.events import Planned, Resumed
from poptune._core.experiment import Experiment
from poptune._core.scheduler import Decision, Load
from poptune._core.settings import Settings
from poptune.loggers.pbt_log import PerturbationLogger
from poptune.schedulers import Choice, KeepOwn, PopulationBasedTraining, Selection, Selector
from poptune.testing.simulation import SimulatedWorkers

T = [TrialId(f"e_{index:05d}") for index in range(4)]


class Logged:
    """A population that trains in memory, and its logs."""

    def __init__(self, shown, configs: Sequence[dict[str, Any]], **changes: Any) -> None:
        scheduler = PopulationBasedTraining(
            **{
                "time_attr": "training_iteration",
                "metric": "score",
                "mode": "max",
                "perturbation_interval": 2,
                "hyperparam_mutations": {"lr": tune.uniform(0, 1)},
                "synch": True,
                **changes,
            }
        )
        self.shown = shown
        shown.loggers.append(PerturbationLogger())
        self.experiment = Experiment(scheduler, Settings(slots=len(configs)))
        self.workers = SimulatedWorkers()
        self.handle(shown.created(*configs))

    def handle(self, event) -> None:
        step = self.experiment.handle(event)
        self.shown.show(*step.events)
        self.workers.carry_out(step.commands)

    def train(self, *scores: float, iterations: int = 2, save: bool = True) -> None:
        for _ in range(iterations):
            for index, score in enumerate(scores):
                self.handle(self.workers.report(T[index], score, save=save))

    def exploits(self) -> list[Decision]:
        return [
            decision
            for event in self.shown.journal.read()
            if isinstance(event, Planned)
            for decision in event.plan.decisions
            if isinstance(decision.source, Load)
        ]

    def all_lines(self) -> list[Any]:
        return _lines(self.shown.layout.perturbations)

    def lines(self, index: int) -> list[Any]:
        path = self.shown.layout.policy(T[index])
        return _lines(path) if path.exists() else []


def _lines(path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def logged(shown) -> Logged:
    return Logged(shown, [{"lr": 0.1 * (index + 1)} for index in range(4)])


def test_the_file_of_all_is_there_from_the_start_and_empty(logged) -> None:
    assert logged.all_lines() == []
    assert [path.name for path in logged.shown.layout.root.iterdir()] == ["pbt_global.txt"]


def test_a_line_has_the_form_that_is_documented(shown) -> None:
    logged = Logged(
        shown,
        [{"lr": 0.417022004702574}, {"lr": 0.0001}],
        resample_probability=0.0,
        perturbation_factors=(0.5,),
        perturbation_interval=5,
    )
    logged.train(2.0, 1.0, iterations=5)
    assert shown.layout.perturbations.read_text() == (
        '["1_lr=0.0001", "0_lr=0.417022004702574", 5, 5, '
        '{"lr": 0.417022004702574}, {"lr": 0.208511002351287}]\n'
    )
    assert shown.layout.policy(T[1]).read_text() == shown.layout.perturbations.read_text()
    assert not shown.layout.policy(T[0]).exists()


def test_the_lines_are_the_decisions_of_the_journal(logged) -> None:
    for scores in [(1, 2, 3, 4), (4, 3, 2, 1), (2, 1, 4, 3), (1, 1, 1, 9)]:
        logged.train(*scores)
    exploits = logged.exploits()
    assert len(exploits) == 4
    tags = {spec.id: spec.tag for spec in logged.shown.population.created.trials}
    assert logged.all_lines() == [
        [
            tags[decision.trial],
            tags[decision.donor],
            decision.iteration,
            decision.source.checkpoint.iteration,
            decision.donor_config,
            decision.config,
        ]
        for decision in exploits
    ]


def test_iterations_are_the_true_ones(shown) -> None:
    logged = Logged(shown, [{"lr": 0.1}, {"lr": 0.2}])
    logged.train(2.0, 1.0, iterations=1)
    logged.train(2.0, 1.0, iterations=1, save=False)
    assert [line[2:4] for line in logged.all_lines()] == [[2, 1]]


def test_a_policy_is_the_lineage_of_a_trials_present_state(logged) -> None:
    logged.train(1, 2, 3, 4)  # 0 copies 3
    logged.train(9, 2, 3, 1)  # 3 copies 0, whose state came from 3
    logged.train(3, 2, 1, 9)  # 2 copies 3
    first, second, third = logged.all_lines()
    assert logged.lines(0) == [first]
    assert logged.lines(1) == []
    assert logged.lines(2) == [first, second, third]
    assert logged.lines(3) == [first, second]


def test_a_policy_follows_the_donors_so_that_each_line_continues_the_one_before(logged) -> None:
    for scores in [(1, 2, 3, 4), (9, 2, 3, 1), (3, 2, 1, 9), (1, 9, 5, 4), (5, 1, 9, 4), (9, 5, 4, 1)]:
        logged.train(*scores)
    for trial in range(4):
        lines = logged.lines(trial)
        assert len(lines) == logged.shown.population[T[trial]].generation
        for earlier, later in itertools.pairwise(lines):
            assert earlier[0] == later[1], "the donor of a line is the target of the one before"
            assert earlier[5] == later[4]
        if lines:
            assert lines[-1][5] == logged.shown.population[T[trial]].config


def test_a_recipient_forgets_its_own_past(logged) -> None:
    logged.train(1, 2, 3, 4)  # 0 copies 3
    logged.train(1, 9, 3, 4)  # 0 copies 1, which never copied
    assert logged.lines(0) == [logged.all_lines()[1]]


def test_exploits_of_one_round_all_start_from_the_files_before_it(shown) -> None:
    class Ring(Selector[None]):
        """Each copies the next: what one becomes must not be what another copies."""

        def select(self, state, population, ready, random):
            return Selection([Choice(trial=one, donor=T[(T.index(one) + 1) % 3]) for one in ready.trials])

    logged = Logged(shown, [{"lr": 0.1 * (index + 1)} for index in range(3)], selector=Ring())
    logged.train(1, 2, 3)
    first = logged.all_lines()
    assert [logged.lines(index) for index in range(3)] == [[line] for line in first]
    logged.train(1, 2, 3)
    second = logged.all_lines()[3:]
    assert [logged.lines(index) for index in range(3)] == [
        [first[1], second[0]],
        [first[2], second[1]],
        [first[0], second[2]],
    ]


def test_who_explores_on_its_own_state_adds_to_its_own_policy(shown) -> None:
    logged = Logged(shown, [{"lr": 0.1}, {"lr": 0.2}], selector=KeepOwn())
    logged.train(1, 2)
    logged.train(1, 2)
    lines = logged.all_lines()
    assert [line[:2] for line in lines[:2]] == [["0_lr=0.1", "0_lr=0.1"], ["1_lr=0.2", "1_lr=0.2"]]
    assert logged.lines(0) == [lines[0], lines[2]]
    assert logged.lines(1) == [lines[1], lines[3]]


def test_a_decision_to_go_on_is_no_perturbation(logged) -> None:
    logged.train(1, 2, 3, 4, save=False)
    assert logged.all_lines() == []


def test_after_a_resume_the_files_are_those_that_were_written_on_the_way(logged) -> None:
    for scores in [(1, 2, 3, 4), (9, 2, 3, 1), (3, 2, 1, 9), (1, 9, 5, 4)]:
        logged.train(*scores)
    layout = logged.shown.layout
    before = {path.name: path.read_text() for path in layout.root.glob("pbt_*.txt")}
    layout.perturbations.write_text("torn")
    layout.policy(T[0]).unlink()
    for index in (1, 3):
        layout.policy(T[index]).write_text("[of a decision that was not journaled]\n")
    PerturbationLogger().observe([Resumed(time_s=1.0)], logged.shown.run)
    assert {path.name: path.read_text() for path in layout.root.glob("pbt_*.txt")} == before


def test_numpy_numbers_are_numbers_and_classes_are_named(shown) -> None:
    logged = Logged(
        shown,
        [{"lr": 0.1, "net": dict, "batch": np.int64(8)}, {"lr": 0.2}],
        hyperparam_mutations={"batch": lambda: np.int64(16)},
        resample_probability=1.0,
    )
    logged.train(2, 1)
    assert [line[4:] for line in logged.all_lines()] == [
        [
            {"lr": 0.1, "net": {"$object": "<class 'dict'>"}, "batch": 8},
            {"lr": 0.1, "net": {"$object": "<class 'dict'>"}, "batch": 16},
        ]
    ]
